//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a ``KeyTable`` holds under one key; a ``KeySlot`` knows the key, too.
class AnyKeySlot: @unchecked Sendable {
    // Unchecked: constant; what subclasses add says for itself.

    /// The hash of the key.
    let hash: Int

    init(hash: Int) {
        self.hash = hash
    }
}

/// A slot that knows its key.
protocol KeySlot: AnyKeySlot {
    associatedtype Key: Hashable & Sendable
    var key: Key { get }
}

/// A hash table from keys of the user's type to slots.
///
/// The keys are hashed, compared and destroyed without a lock, because that is the user's code:
/// under the lock there are only hashes and references to slots. A slot leaves the table for good
/// when it has become empty; who has found it before sees in the slot that it is retired, and looks
/// again.
final class KeyTable<Slot: KeySlot>: Sendable {
    private let rows = KeyRows()

    func find(_ key: Slot.Key) -> Slot? {
        find(key, in: rows.row(of: key.hashValue))
    }

    private func find(_ key: Slot.Key, in row: [AnyKeySlot]) -> Slot? {
        for slot in row {
            // No others are put in.
            let slot = unsafeDowncast(slot, to: Slot.self)
            if slot.key == key { return slot }
        }
        return nil
    }

    /// The slot of a key, made and put into the table if there is none.
    ///
    /// - Parameter make: makes a slot with this hash.
    func find(_ key: Slot.Key, orInsert make: (_ hash: Int) -> Slot) -> (slot: Slot, isNew: Bool) {
        let hash = key.hashValue
        var made: Slot?
        while true {
            let seen = rows.row(of: hash)
            if let slot = find(key, in: seen) { return (slot, false) }
            let slot = made ?? make(hash)
            made = slot
            // What has come meanwhile may have the same key.
            if rows.append(slot, ifStill: seen) { return (slot, true) }
        }
    }

    /// Takes a slot out of the table.
    func remove(_ slot: Slot) { rows.remove(slot) }

    /// All slots, in no order.
    var all: [Slot] { rows.all.map { unsafeDowncast($0, to: Slot.self) } }
}

/// The slots of a ``KeyTable`` by the hashes of their keys.
///
/// Not generic: code that is not compiled for the types it works with looks up the metadata of every
/// array and dictionary that it touches. That took nine tenths of a look-up.
private final class KeyRows: Sendable {
    private final class Shard: Sendable {
        /// Rank 2: locked alone, or within other locks.
        let rows = Lock<[Int: [AnyKeySlot]]>([:])
    }

    private static let shardCount = 16
    private let shards: [Shard]

    init() {
        shards = (0..<Self.shardCount).map { _ in Shard() }
    }

    private func shard(of hash: Int) -> Shard {
        shards[hash & (Self.shardCount - 1)]
    }

    func row(of hash: Int) -> [AnyKeySlot] {
        shard(of: hash).rows.withLock { $0[hash] } ?? []
    }

    /// Adds a slot to its row, unless that has changed.
    func append(_ slot: AnyKeySlot, ifStill seen: [AnyKeySlot]) -> Bool {
        let longer = seen + [slot]
        return shard(of: slot.hash).rows.withLock { rows in
            guard (rows[slot.hash] ?? []).elementsEqual(seen, by: ===) else { return false }
            rows[slot.hash] = longer
            return true
        }
    }

    func remove(_ slot: AnyKeySlot) {
        let removed = shard(of: slot.hash).rows.withLock { rows -> [AnyKeySlot]? in
            let row = rows[slot.hash]
            let rest = row?.filter { $0 !== slot } ?? []
            rows[slot.hash] = rest.isEmpty ? nil : rest
            return row
        }
        // The last reference may go here, not within the lock.
        _ = removed
    }

    var all: [AnyKeySlot] {
        shards.flatMap { $0.rows.withLock { Array($0.values) } }.flatMap { $0 }
    }
}
