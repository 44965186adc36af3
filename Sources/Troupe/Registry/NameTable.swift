//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A name together with its hash, which is taken once and not by each table and each of its changes.
struct HashedName: Sendable {
    let name: String
    /// With the seed of this start of the program, as names may come from outside.
    let hash: UInt

    init(_ name: String) {
        var hasher = Hasher()
        hasher.combine(name)
        self.init(name, hash: UInt(bitPattern: hasher.finalize()))
    }

    /// With a hash that the names of a test share.
    init(_ name: String, hash: UInt) {
        self.name = name
        self.hash = hash
    }
}

/// Holders by name, as a pure table.
///
/// A dictionary would hash a name again for each look, for each name that it moves when it grows, and for
/// each neighbour of one that it removes. This is one array with open addressing: an entry stands in
/// the slot that its hash says or in the next free one, and a removal closes the gap.
///
/// Invariants: the number of slots is none or a power of two, and more than `count`; no free slot lies
/// between an entry and the slot that its hash says.
struct NameTable: Sendable {
    private struct Slot: Sendable {
        var name = ""
        var hash: UInt = 0
        /// 0 in a free slot: no process has that id.
        var id: UInt64 = 0
    }

    private var slots: [Slot] = []
    private(set) var count = 0

    private static let slotCountMin = 8
    /// An empty table gives back more memory than this.
    private static let slotCountKept = 64
    /// From this size on a table only doubles.
    private static let slotCountOfLarge = 512

    /// The holder of a name.
    func find(_ name: HashedName) -> UInt64? {
        if slots.isEmpty { return nil }
        let id = slots[position(of: name)].id
        return id == 0 ? nil : id
    }

    /// Makes a process the holder if there is none.
    ///
    /// - Returns: the one there is.
    mutating func insert(_ name: HashedName, for id: UInt64) -> UInt64? {
        if (count + 1) * 8 > slots.count * 5 { grow() }
        let position = position(of: name)
        if slots[position].id != 0 { return slots[position].id }
        slots[position] = Slot(name: name.name, hash: name.hash, id: id)
        count += 1
        return nil
    }

    /// Takes a name away from a process, if that is the holder.
    mutating func remove(_ name: HashedName, by id: UInt64) {
        if slots.isEmpty { return }
        let position = position(of: name)
        guard slots[position].id == id else { return }
        slots[position] = Slot()
        count -= 1
        if count == 0, slots.count > Self.slotCountKept {
            slots = []
        } else {
            closeGap(at: position)
        }
    }

    /// All names with their holders, in no order.
    var entries: [(name: String, id: UInt64)] {
        slots.compactMap { $0.id == 0 ? nil : (name: $0.name, id: $0.id) }
    }

    // MARK: - Slots

    private func home(of hash: UInt) -> Int { Int(bitPattern: hash) & (slots.count - 1) }

    /// Where a name stands, or else the free slot where it belongs.
    private func position(of name: HashedName) -> Int {
        var position = home(of: name.hash)
        while slots[position].id != 0,
            slots[position].hash != name.hash || slots[position].name != name.name
        {
            position = (position + 1) & (slots.count - 1)
        }
        return position
    }

    private mutating func grow() {
        var old: [Slot] = []
        swap(&old, &slots)
        let factor = old.count < Self.slotCountOfLarge ? 4 : 2
        slots = Array(repeating: Slot(), count: max(old.count * factor, Self.slotCountMin))
        for index in old.indices where old[index].id != 0 {
            var position = home(of: old[index].hash)
            while slots[position].id != 0 { position = (position + 1) & (slots.count - 1) }
            swap(&slots[position], &old[index])
        }
    }

    /// Moves entries that stand behind a slot that became free nearer to where they belong.
    private mutating func closeGap(at position: Int) {
        let mask = slots.count - 1
        var gap = position
        var next = (position + 1) & mask
        while slots[next].id != 0 {
            // An entry may move to the gap unless its home lies behind that.
            if (next - home(of: slots[next].hash)) & mask >= (next - gap) & mask {
                slots.swapAt(gap, next)
                gap = next
            }
            next = (next + 1) & mask
        }
    }
}
