//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a ``KeyTable`` holds under one key.
protocol KeySlot: AnyObject, Sendable {
    associatedtype Key: Hashable & Sendable
    var key: Key { get }
    /// The hash of the key.
    var hash: Int { get }
}

/// A hash table from keys of the user's type to slots.
///
/// The keys are hashed, compared and destroyed without a lock, because that is the user's code:
/// under the lock there are only hashes and references to slots. A slot leaves the table for good
/// when it has become empty; who has found it before sees in the slot that it is retired, and looks
/// again.
final class KeyTable<Slot: KeySlot>: Sendable {
    private final class Shard: Sendable {
        /// The slots by the hash of their key. Rank 2: locked alone, or within other locks.
        let rows = Lock<[Int: [Slot]]>([:])
    }

    private static var shardCount: Int { 16 }
    private let shards: [Shard]

    init() {
        shards = (0..<Self.shardCount).map { _ in Shard() }
    }

    private func shard(of hash: Int) -> Shard {
        shards[hash & (Self.shardCount - 1)]
    }

    private func slots(_ hash: Int) -> [Slot] {
        shard(of: hash).rows.withLock { $0[hash] } ?? []
    }

    func find(_ key: Slot.Key) -> Slot? {
        slots(key.hashValue).first { $0.key == key }
    }

    /// The slot of a key, made and put into the table if there is none.
    ///
    /// - Parameter make: makes a slot with this hash.
    func find(_ key: Slot.Key, orInsert make: (_ hash: Int) -> Slot) -> (slot: Slot, isNew: Bool) {
        let hash = key.hashValue
        var made: Slot?
        while true {
            let seen = slots(hash)
            if let slot = seen.first(where: { $0.key == key }) { return (slot, false) }
            let slot = made ?? make(hash)
            made = slot
            let isInserted = shard(of: hash).rows.withLock { rows in
                // What has come meanwhile may have the same key.
                let now = rows[hash] ?? []
                guard now.elementsEqual(seen, by: ===) else { return false }
                rows[hash] = now + [slot]
                return true
            }
            if isInserted { return (slot, true) }
        }
    }

    /// Takes a slot out of the table.
    func remove(_ slot: Slot) {
        let removed = shard(of: slot.hash).rows.withLock { rows -> [Slot]? in
            let row = rows[slot.hash]
            let rest = row?.filter { $0 !== slot } ?? []
            rows[slot.hash] = rest.isEmpty ? nil : rest
            return row
        }
        // The last reference may go here, not within the lock.
        _ = removed
    }

    /// All slots, in no order.
    var all: [Slot] {
        shards.flatMap { $0.rows.withLock { Array($0.values) } }.flatMap { $0 }
    }
}
