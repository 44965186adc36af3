//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Values by id: what a process keeps of its links, monitors and timers, as a pure table.
///
/// Most processes have one entry or none, so the first is kept in place, without memory of its own,
/// and the table itself is three words. A few are a list in the order in which they came, which takes
/// no more memory than it must. More are in one array with open addressing: an entry stands in the
/// slot that its id hashes to or in the next free one, and a removal closes the gap. The hash has no
/// seed, as ids are the node's own numbers: so the order in which entries are listed is the same
/// whenever the same was done.
///
/// Invariants: `slots` is empty, then `single` may have the only entry; or `single` is nil. Up to
/// `listCountMax` slots are a list, and none is free. Otherwise the number of slots is a power of two,
/// more than `count`, and no free slot lies between an entry and the slot that its id hashes to.
struct IDTable<Value> {
    fileprivate struct Slot {
        var id: UInt64 = 0
        /// Nil in a free slot.
        var value: Value?
    }

    /// The id of the only entry; when there are slots, how many entries they have.
    private var idOrCount: UInt64 = 0
    private var single: Value?
    private var slots: [Slot] = []

    private static var listCountMax: Int { 8 }
    private static var slotCountMin: Int { 16 }
    /// An empty table gives back more memory than this.
    private static var slotCountKept: Int { 64 }

    var count: Int { slots.isEmpty ? (single == nil ? 0 : 1) : Int(idOrCount) }
    var isEmpty: Bool { count == 0 }
    /// Whether the slots are a list, or could become one.
    private var isList: Bool { slots.count <= Self.listCountMax }

    /// The value of an id; setting nil removes it.
    subscript(id: UInt64) -> Value? {
        get {
            if slots.isEmpty { return idOrCount == id ? single : nil }
            if isList { return listPosition(of: id).flatMap { slots[$0].value } }
            return slots[position(of: id)].value
        }
        set {
            if let newValue { updateValue(newValue, for: id) } else { removeValue(forKey: id) }
        }
    }

    /// Adds an entry, or gives it another value.
    ///
    /// - Returns: whether it is new.
    @discardableResult
    mutating func updateValue(_ value: Value, for id: UInt64) -> Bool {
        if slots.isEmpty, single == nil || idOrCount == id {
            let isNew = single == nil
            single = value
            idOrCount = id
            return isNew
        }
        if isList {
            if let index = listPosition(of: id) {
                slots[index].value = value
                return false
            }
            if slots.count < Self.listCountMax {
                append(value, for: id)
                return true
            }
        }
        if (count + 1) * 8 > slots.count * 5 { grow() }
        let position = position(of: id)
        let isNew = slots[position].value == nil
        slots[position] = Slot(id: id, value: value)
        if isNew { idOrCount += 1 }
        return isNew
    }

    /// Runs `body` with the value of an id, which it may change.
    ///
    /// - Returns: what `body` returned; nil when there is no such entry.
    mutating func withValue<Result>(of id: UInt64, _ body: (inout Value) -> Result) -> Result? {
        if slots.isEmpty {
            guard idOrCount == id else { return nil }
            return Self.withWrapped(&single, body)
        }
        guard let position = isList ? listPosition(of: id) : position(of: id) else { return nil }
        return Self.withWrapped(&slots[position].value, body)
    }

    private static func withWrapped<Result>(
        _ value: inout Value?, _ body: (inout Value) -> Result
    ) -> Result? {
        guard value != nil else { return nil }
        return body(&value!)
    }

    /// Removes an entry.
    ///
    /// - Returns: its value; nil when there is none.
    @discardableResult
    mutating func removeValue(forKey id: UInt64) -> Value? {
        if slots.isEmpty {
            return idOrCount == id ? single.take() : nil
        }
        if isList {
            guard let index = listPosition(of: id) else { return nil }
            idOrCount -= 1
            return slots.remove(at: index).value
        }
        let position = position(of: id)
        guard let value = slots[position].value.take() else { return nil }
        idOrCount -= 1
        if idOrCount > 0 {
            closeGap(at: position)
        } else if slots.count > Self.slotCountKept {
            slots = []
        }
        return value
    }

    /// Removes all entries.
    ///
    /// - Parameter body: is given each of them, in the order in which they would be listed. The table
    ///   is empty by then.
    mutating func removeAll(_ body: (UInt64, Value) -> Void) {
        if let value = single.take() { return body(idOrCount, value) }
        if slots.isEmpty { return }
        // Moved, as in ``grow()``.
        var old: [Slot] = []
        swap(&old, &slots)
        for index in old.indices {
            guard let value = old[index].value.take() else { continue }
            body(old[index].id, value)
        }
    }

    // MARK: - List

    /// Where an id stands in the list. Not by a closure, which would be given a copy of each entry.
    private func listPosition(of id: UInt64) -> Int? {
        for position in slots.indices where slots[position].id == id { return position }
        return nil
    }

    /// Adds an entry with a new id to the list.
    private mutating func append(_ value: Value, for id: UInt64) {
        if slots.isEmpty {
            slots.reserveCapacity(2)
            slots.append(Slot(id: idOrCount, value: single.take()))
        }
        slots.append(Slot(id: id, value: value))
        idOrCount = UInt64(slots.count)
    }

    // MARK: - Slots

    /// References count up, and so do process ids, or in steps of 64, which is the number of shards that
    /// processes are spread over. Either way no two have the same home, and those that were made after
    /// each other are near each other in memory, as they are often looked up after each other, too.
    /// Of 8 homes 3 stay free, so that a search ends soon.
    private func home(of id: UInt64) -> Int {
        let mixed = Int(UInt32(truncatingIfNeeded: id ^ (id >> 6) ^ (id >> 32)))
        return (mixed / 5 * 8 + mixed % 5) & (slots.count - 1)
    }

    /// Where an id stands, or else the free slot where it belongs.
    private func position(of id: UInt64) -> Int {
        var position = home(of: id)
        while slots[position].id != id, slots[position].value != nil {
            position = (position + 1) & (slots.count - 1)
        }
        return position
    }

    private mutating func grow() {
        var old: [Slot] = []
        swap(&old, &slots)
        slots = Array(repeating: Slot(), count: Swift.max(old.count * 2, Self.slotCountMin))
        // Moved, not copied: to count references to 100,000 objects that are not in the cache takes
        // tens of milliseconds.
        for index in old.indices {
            guard let value = old[index].value.take() else { continue }
            let id = old[index].id
            slots[position(of: id)] = Slot(id: id, value: value)
        }
    }

    /// Moves entries that stand behind a slot that became free nearer to where they belong.
    private mutating func closeGap(at position: Int) {
        let mask = slots.count - 1
        var gap = position
        var next = (position + 1) & mask
        while slots[next].value != nil {
            // An entry may move to the gap unless its home lies behind that.
            if (next - home(of: slots[next].id)) & mask >= (next - gap) & mask {
                slots.swapAt(gap, next)
                gap = next
            }
            next = (next + 1) & mask
        }
    }
}

extension IDTable: Sequence {
    /// Goes through all entries, in an order that only depends on what was done to the table.
    struct Iterator: IteratorProtocol {
        fileprivate let singleID: UInt64
        fileprivate var single: Value?
        fileprivate var slots: [Slot]
        fileprivate var position = 0

        mutating func next() -> (key: UInt64, value: Value)? {
            if let value = single.take() { return (singleID, value) }
            while position < slots.count {
                defer { position += 1 }
                if let value = slots[position].value { return (slots[position].id, value) }
            }
            return nil
        }
    }

    func makeIterator() -> Iterator {
        Iterator(singleID: idOrCount, single: single, slots: slots)
    }

    var underestimatedCount: Int { count }

    // Not by key paths: in generic code each is looked up by its name at run time, again and again.
    var keys: [UInt64] { map { $0.key } }
    var values: [Value] { map { $0.value } }
}

extension IDTable.Slot: Sendable where Value: Sendable {}
extension IDTable: Sendable where Value: Sendable {}
