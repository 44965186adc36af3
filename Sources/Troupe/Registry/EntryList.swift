//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Entries in the order of their ids, as a pure list: who is under a key, in a group, subscribed.
struct EntryList<Holder, Value> {
    struct Entry {
        let id: UInt64
        let holder: Holder
        var value: Value
    }

    private(set) var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// Appends an entry; its id has to be larger than those before.
    mutating func append(_ id: UInt64, _ holder: Holder, _ value: Value) {
        assert(entries.last.map { $0.id < id } ?? true)
        entries.append(Entry(id: id, holder: holder, value: value))
    }

    /// Where the entry with this id is. O(log count).
    func index(of id: UInt64) -> Int? {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].id == id ? low : nil
    }

    /// Removes and returns an entry.
    mutating func remove(_ id: UInt64) -> Entry? {
        index(of: id).map { entries.remove(at: $0) }
    }

    /// Replaces the value of an entry.
    ///
    /// - Returns: the value before; nil when there is no such entry.
    mutating func update(_ id: UInt64, _ value: Value) -> Value? {
        guard let index = index(of: id) else { return nil }
        defer { entries[index].value = value }
        return entries[index].value
    }
}

extension EntryList: Sendable where Holder: Sendable, Value: Sendable {}
extension EntryList.Entry: Sendable where Holder: Sendable, Value: Sendable {}
