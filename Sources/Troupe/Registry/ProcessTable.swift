//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// The processes of a node by id.
///
/// An id is a slot number and a serial that grows each time the slot is used again, as in OTP, so
/// a look-up is an index and a comparison. A slot whose serials are used up is never used again, so
/// ids do not repeat. Slots are spread over shards with a lock each.
final class ProcessTable: Sendable {
    private struct Slot: Sendable {
        var serial: UInt32
        var cell: ProcessCell?
    }

    private struct Shard: Sendable {
        var slots: [Slot] = []
        /// Free slots, used again in the order in which they became free, so that a number comes
        /// back late.
        var free: [UInt32] = []
        var firstFree = 0
        /// Cells that are in the table.
        var count = 0

        mutating func takeFree() -> UInt32? {
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

    private static let shardBits: UInt32 = 4
    private static var shardCount: Int { 1 << Int(shardBits) }

    /// Each lock protects one shard. Leaves.
    private let shards = FixedArray(count: ProcessTable.shardCount) { Lock(Shard()) }
    private let nextShard = Atomic<UInt32>(0)

    private func withShard<Result>(_ index: Int, _ body: (inout Shard) -> Result) -> Result {
        shards.withValue(at: index) { $0.withLock(body) }
    }

    private func split(_ id: UInt64) -> (shard: Int, slot: Int, serial: UInt32) {
        let number = UInt32(truncatingIfNeeded: id)
        return (
            Int(number & UInt32(Self.shardCount - 1)), Int(number >> Self.shardBits),
            UInt32(truncatingIfNeeded: id >> 32)
        )
    }

    /// A fresh id, with a slot that is reserved until ``insert(_:)`` and ``remove(_:)``, or
    /// ``abandon(_:)``.
    func makeID() -> UInt64 {
        let shard = nextShard.add(1, ordering: .relaxed).oldValue & UInt32(Self.shardCount - 1)
        return withShard(Int(shard)) { state in
            let slot: UInt32
            if let free = state.takeFree() {
                slot = free
            } else {
                // Slot 0 of shard 0 would be the id 0, which stands for none.
                if state.slots.isEmpty { state.slots.append(Slot(serial: 0, cell: nil)) }
                slot = UInt32(state.slots.count)
                state.slots.append(Slot(serial: 0, cell: nil))
            }
            let serial = state.slots[Int(slot)].serial
            return UInt64(serial) << 32 | UInt64(slot << Self.shardBits | shard)
        }
    }

    /// Makes a process findable.
    func insert(_ cell: ProcessCell) {
        let (shard, slot, _) = split(cell.id)
        withShard(shard) { state in
            state.slots[slot].cell = cell
            state.count += 1
        }
    }

    /// Makes a process unfindable and gives its slot back.
    func remove(_ cell: ProcessCell) {
        let (shard, slot, serial) = split(cell.id)
        let removed = withShard(shard) { state -> ProcessCell? in
            let removed = state.slots[slot].cell
            if removed != nil { state.count -= 1 }
            state.slots[slot].cell = nil
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
        return withShard(shard) { state in
            guard slot < state.slots.count, state.slots[slot].serial == serial else { return nil }
            return state.slots[slot].cell
        }
    }

    /// How many processes there are.
    var count: Int { (0..<Self.shardCount).reduce(0) { $0 + withShard($1) { $0.count } } }

    /// All processes, in the order of their numbers.
    func all() -> [ProcessCell] {
        (0..<Self.shardCount).flatMap { withShard($0) { $0.slots.compactMap(\.cell) } }
            .sorted { UInt32(truncatingIfNeeded: $0.id) < UInt32(truncatingIfNeeded: $1.id) }
    }
}
