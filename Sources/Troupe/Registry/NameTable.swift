//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Holders by name, as a pure table.
///
/// A dictionary would hash a name again for each look, for each name that it moves when it grows, and for
/// each neighbour of one that it removes. This is open addressing: an entry stands in the slot that its
/// hash says or in the next free one, and a removal closes the gap. A search goes through the hashes,
/// which are near to each other, and hardly ever looks at the entry of another name. The memory is raw,
/// as an array would give every free slot a name, too, and destroy it.
///
/// Invariants: the number of slots is none or a power of two, and more than `count`. The entry of a slot
/// is initialised exactly when its hash is not 0. No free slot lies between an entry and the slot that its
/// hash says.
struct NameTable: ~Copyable, @unchecked Sendable {
    // Unchecked: the memory has one owner.

    private struct Entry {
        let name: String
        let id: UInt64
    }

    /// The hash of the name in each slot; 0 in a free one.
    private var hashes = UnsafeMutableBufferPointer<UInt32>(start: nil, count: 0)
    private var entries = UnsafeMutableBufferPointer<Entry>(start: nil, count: 0)
    private(set) var count = 0

    private static let slotCountMin = 8
    /// An empty table gives back more memory than this.
    private static let slotCountKept = 64
    /// From this size on a table only doubles.
    private static let slotCountOfLarge = 512

    init() {}

    deinit {
        for slot in hashes.indices where hashes[slot] != 0 { entries.deinitializeElement(at: slot) }
        hashes.deallocate()
        entries.deallocate()
    }

    /// The holder of a name.
    func find(_ name: String, hash: UInt32) -> UInt64? {
        slot(of: name, hash: hash).map { entries[$0].id }
    }

    /// Makes a process the holder if there is none.
    ///
    /// - Returns: the one there is.
    mutating func insert(_ name: String, hash: UInt32, for id: UInt64) -> UInt64? {
        if let slot = slot(of: name, hash: hash) { return entries[slot].id }
        if (count + 1) * 8 > hashes.count * 5 { grow() }
        let slot = freeSlot(for: hash)
        hashes[slot] = hash
        entries.initializeElement(at: slot, to: Entry(name: name, id: id))
        count += 1
        return nil
    }

    /// Takes a name away from its holder.
    ///
    /// - Returns: whether there was one.
    mutating func remove(_ name: String, hash: UInt32) -> Bool {
        guard let slot = slot(of: name, hash: hash) else { return false }
        _ = take(from: slot)
        return true
    }

    /// The names with this hash that a process holds: hardly ever more than one.
    func names(_ hash: UInt32, of id: UInt64) -> [String] {
        var names: [String] = []
        var next = slot(of: hash) { $0.id == id }
        while let slot = next {
            names.append(entries[slot].name)
            next = self.slot(of: hash, from: slot + 1) { $0.id == id }
        }
        return names
    }

    /// Whether a process holds a name with this hash.
    func hasName(_ hash: UInt32, of id: UInt64) -> Bool {
        slot(of: hash) { $0.id == id } != nil
    }

    /// Takes the names with this hash away from a process.
    ///
    /// - Returns: the names that it held.
    mutating func removeAll(_ hash: UInt32, of id: UInt64) -> [String] {
        var names: [String] = []
        while let slot = slot(of: hash, where: { $0.id == id }) { names.append(take(from: slot)) }
        return names
    }

    /// All names with their holders, in no order.
    var all: [(name: String, id: UInt64)] {
        hashes.indices.filter { hashes[$0] != 0 }.map { (entries[$0].name, entries[$0].id) }
    }

    // MARK: - Slots

    private var mask: Int { hashes.count - 1 }

    private func slot(of name: String, hash: UInt32) -> Int? {
        slot(of: hash) { $0.name == name }
    }

    /// The first slot, from where the hash says or from `start` on, that has this hash and such an entry.
    @inline(__always)
    private func slot(
        of hash: UInt32, from start: Int? = nil, where isWanted: (Entry) -> Bool
    ) -> Int? {
        if hashes.isEmpty { return nil }
        var slot = (start ?? Int(hash)) & mask
        while hashes[slot] != 0 {
            if hashes[slot] == hash, isWanted(entries[slot]) { return slot }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// Where an entry that is not there yet belongs.
    private func freeSlot(for hash: UInt32) -> Int {
        var slot = Int(hash) & mask
        while hashes[slot] != 0 { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() {
        let (oldHashes, oldEntries) = (hashes, entries)
        let factor = hashes.count < Self.slotCountOfLarge ? 4 : 2
        allocate(slotCount: max(hashes.count * factor, Self.slotCountMin))
        for old in oldHashes.indices where oldHashes[old] != 0 {
            let slot = freeSlot(for: oldHashes[old])
            hashes[slot] = oldHashes[old]
            entries.initializeElement(at: slot, to: oldEntries.moveElement(from: old))
        }
        oldHashes.deallocate()
        oldEntries.deallocate()
    }

    private mutating func allocate(slotCount: Int) {
        hashes = .allocate(capacity: slotCount)
        hashes.initialize(repeating: 0)
        entries = .allocate(capacity: slotCount)
    }

    /// Makes a slot free.
    ///
    /// - Returns: the name that was in it.
    private mutating func take(from slot: Int) -> String {
        let name = entries.moveElement(from: slot).name
        hashes[slot] = 0
        count -= 1
        if count == 0, hashes.count > Self.slotCountKept {
            hashes.deallocate()
            entries.deallocate()
            hashes = UnsafeMutableBufferPointer(start: nil, count: 0)
            entries = UnsafeMutableBufferPointer(start: nil, count: 0)
        } else {
            closeGap(at: slot)
        }
        return name
    }

    /// Moves entries that stand behind a slot that became free nearer to where they belong.
    private mutating func closeGap(at slot: Int) {
        var gap = slot
        var next = (slot + 1) & mask
        while hashes[next] != 0 {
            // An entry may move to the gap unless its home lies behind that.
            if (next - Int(hashes[next])) & mask >= (next - gap) & mask {
                entries.initializeElement(at: gap, to: entries.moveElement(from: next))
                hashes[gap] = hashes[next]
                hashes[next] = 0
                gap = next
            }
            next = (next + 1) & mask
        }
    }
}
