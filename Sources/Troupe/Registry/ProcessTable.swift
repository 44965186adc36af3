//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// The processes of a node by id, and how many there may be.
///
/// An id is a slot number and a serial that grows each time the slot is used again, as in OTP, so
/// a look-up is an index and a comparison. A slot whose serials are used up is never used again, so
/// ids do not repeat. Slots are spread over shards with a lock each; each thread of a scheduler
/// spawns in shards that other threads only look into.
///
/// A process is *counted* from before it is made until all have been told of its end. The permits for
/// that are given to the shards in portions, so that no word is written for every process of the
/// node. Invariant: the permits in ``pool``, and for each shard those that it has to spare and the
/// processes that it has counted, are the limit.
struct ProcessTable: ~Copyable, Sendable {
    // Not private: the compiler of Swift 6.3 cannot build a class of another file then that has a table.
    struct Slot: Sendable {
        fileprivate var serial: UInt32
        fileprivate var cell: ProcessCell?
    }

    struct Shard: Sendable {
        fileprivate var slots: [Slot] = []
        /// Free slots, used again in the order in which they became free, so that a number comes
        /// back late.
        fileprivate var free: [UInt32] = []
        fileprivate var firstFree = 0
        /// Cells that are in the table.
        fileprivate var count = 0
        /// Processes that are counted.
        fileprivate var counted = 0
        /// Permits for more of them.
        fileprivate var spare = 0

        /// Counts a process, and reserves a slot for it.
        ///
        /// - Returns: its serial and slot; nil when there is no permit.
        fileprivate mutating func reserve() -> (serial: UInt32, slot: UInt32)? {
            guard spare > 0 else { return nil }
            spare -= 1
            counted += 1
            let slot: UInt32
            if let free = takeFree() {
                slot = free
            } else {
                // Slot 0 of shard 0 would be the id 0, which stands for none.
                if slots.isEmpty { slots.append(Slot(serial: 0, cell: nil)) }
                slot = UInt32(slots.count)
                slots.append(Slot(serial: 0, cell: nil))
            }
            return (slots[Int(slot)].serial, slot)
        }

        private mutating func takeFree() -> UInt32? {
            // A few are left alone, so that a single process that comes and goes does not use up
            // the serials of one slot.
            guard free.count - firstFree > 16 else { return nil }
            let slot = free[firstFree]
            firstFree += 1
            if firstFree > 1024, firstFree * 2 > free.count {
                free.removeFirst(firstFree)
                firstFree = 0
            }
            return slot
        }
    }

    private static let shardBits: UInt32 = 6
    private static let shardMask = UInt32(1 << shardBits) - 1
    /// How many permits a shard gets at a time; it keeps twice as many to spare.
    private static let portion = 64

    /// Each lock protects one shard. Within the lock of the pool they may be locked, one at a time;
    /// nothing else is locked within them.
    private let shards: FixedArray<Lock<Shard>>
    /// Permits that no shard has.
    private let pool: Lock<Int>
    /// For threads that are not a scheduler's.
    private let nextShard = Atomic<UInt32>(0)

    /// - Parameters:
    ///   - limit: how many processes there may be.
    ///   - threadCount: how many threads the scheduler has.
    init(limit: Int, threadCount: Int) {
        self.pool = Lock(limit)
        self.shards = FixedArray(count: Self.shardCount(forThreads: threadCount)) {
            Lock(apart: Shard())
        }
    }

    /// How many parts a table of a node has: a power of two, several for each thread, as far as that
    /// is worth the memory.
    static func shardCount(forThreads threadCount: Int) -> Int {
        var count = 16
        while count < 1 << Int(shardBits), count < threadCount * 4 { count *= 2 }
        return count
    }

    private func withShard<Result>(_ index: Int, _ body: (inout Shard) -> Result) -> Result {
        shards.withValue(at: index) { $0.withLock(body) }
    }

    private func split(_ id: UInt64) -> (shard: Int, slot: Int, serial: UInt32) {
        let number = UInt32(truncatingIfNeeded: id)
        return (
            Int(number & Self.shardMask), Int(number >> Self.shardBits),
            UInt32(truncatingIfNeeded: id >> 32)
        )
    }

    /// Where this thread spawns next. Thread 1 of 3 or 4 spawns in shard 1, after a while in 5, and so
    /// on: no other thread does, unless there are more of them than shards. That while is short: another
    /// thread, which runs what was spawned, and sees it end, is seldom in the same shard then.
    private func chooseShard() -> Int {
        guard let thread = WorkerLocal.current else {
            return Int(nextShard.add(1, ordering: .relaxed).oldValue) & (shards.count - 1)
        }
        let (count, returned) = thread.pointee.willSpawn()
        returned?.release()
        let turn = count >> 4
        return (thread.pointee.index + turn * thread.pointee.stride) & (shards.count - 1)
    }

    /// Counts a process that is about to be made.
    ///
    /// - Returns: its id, with a slot that is reserved until ``insert(_:)`` and ``remove(_:)``; nil
    ///   when there are as many as there may be.
    func makeID() -> UInt64? {
        let shard = chooseShard()
        guard
            let (serial, slot) = withShard(shard, { $0.reserve() })
                ?? reserveWithoutPermit(shard)
        else { return nil }
        return UInt64(serial) << 32 | UInt64(slot << Self.shardBits | UInt32(shard))
    }

    /// The slow half of ``makeID()``: the shard has no permit.
    private func reserveWithoutPermit(_ shard: Int) -> (serial: UInt32, slot: UInt32)? {
        pool.withLock { pool in
            if pool == 0 {
                for other in 0..<shards.count {
                    withShard(other) { state in
                        pool += state.spare
                        state.spare = 0
                    }
                }
            }
            let permits = min(pool, Self.portion)
            pool -= permits
            return withShard(shard) { state in
                state.spare += permits
                return state.reserve()
            }
        }
    }

    /// A counted process is gone.
    ///
    /// - Returns: false when the shard counts others yet, so that it was not the last one.
    func uncount(_ id: UInt64) -> Bool {
        let (shard, _, _) = split(id)
        let (counted, spare) = withShard(shard) { state in
            state.counted -= 1
            state.spare += 1
            return (state.counted, state.spare)
        }
        if spare > Self.portion * 2 {
            pool.withLock { pool in
                withShard(shard) { state in
                    let permits = min(state.spare, Self.portion)
                    state.spare -= permits
                    pool += permits
                }
            }
        }
        return counted == 0
    }

    /// Whether no process is counted, when nobody counts new ones.
    var countsNone: Bool {
        (0..<shards.count).allSatisfy { withShard($0) { $0.counted == 0 } }
    }

    /// Makes a process findable.
    func insert(_ cell: ProcessCell) {
        let (shard, slot, _) = split(cell.id)
        withShard(shard) { state in
            state.slots[slot].cell = cell
            state.count += 1
        }
    }

    /// Makes a process unfindable and gives its slot back, unless that was done before.
    func remove(_ id: UInt64) {
        let (shard, slot, serial) = split(id)
        let removed = withShard(shard) { state -> ProcessCell? in
            guard state.slots[slot].serial == serial else { return nil }
            let removed = state.slots[slot].cell.take()
            if removed != nil { state.count -= 1 }
            if serial < .max {
                state.slots[slot].serial = serial + 1
                state.free.append(UInt32(slot))
            }
            return removed
        }
        // The last reference may go here, not within the lock.
        _ = removed
    }

    /// The process with this id, if it is in the table.
    func find(_ id: UInt64) -> ProcessCell? {
        let (shard, slot, serial) = split(id)
        // A pid may have been made up, or decoded.
        guard shard < shards.count else { return nil }
        return withShard(shard) { state in
            guard slot < state.slots.count, state.slots[slot].serial == serial else { return nil }
            return state.slots[slot].cell
        }
    }

    /// How many processes there are.
    var count: Int { (0..<shards.count).reduce(0) { $0 + withShard($1) { $0.count } } }

    /// All processes, in the order of their numbers.
    func all() -> [ProcessCell] {
        (0..<shards.count).flatMap { withShard($0) { $0.slots.compactMap(\.cell) } }
            .sorted { UInt32(truncatingIfNeeded: $0.id) < UInt32(truncatingIfNeeded: $1.id) }
    }
}
