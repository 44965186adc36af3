//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Keys and entries")
struct KeyTableTests {
    /// Keys that all have the same hash.
    struct Clash: Hashable, Sendable {
        let text: String
        init(_ text: String) { self.text = text }
        func hash(into hasher: inout Hasher) { hasher.combine(1) }
    }

    final class Slot: AnyKeySlot, KeySlot, @unchecked Sendable {
        // Unchecked: constant.

        let key: Clash

        init(_ key: Clash, _ hash: Int) {
            self.key = key
            super.init(hash: hash)
        }
    }

    @Test("keys with the same hash are kept apart")
    func clashes() {
        let table = KeyTable<Slot>()
        let keys = ["a", "b", "c"].map(Clash.init)
        let slots = keys.map { key in table.find(key) { Slot(key, $0) } }
        #expect(slots.allSatisfy { $0.isNew })
        for (key, slot) in zip(keys, slots) {
            #expect(table.find(key) === slot.slot)
            let again = table.find(key) { Slot(key, $0) }
            #expect(again.slot === slot.slot && !again.isNew)
        }
        table.remove(slots[1].slot)
        table.remove(slots[1].slot)
        #expect(table.find(keys[1]) == nil)
        #expect(Set(table.all.map(\.key)) == [keys[0], keys[2]])
        // A slot that has gone does not take its successor along.
        let next = table.find(keys[1]) { Slot(keys[1], $0) }
        table.remove(slots[1].slot)
        #expect(table.find(keys[1]) === next.slot)
        for slot in [slots[0].slot, slots[2].slot, next.slot] { table.remove(slot) }
        #expect(table.all.isEmpty)
    }

    @Test("of many who insert a key one does")
    func race() async {
        let table = KeyTable<Slot>()
        for round in 0..<100 {
            let key = Clash("\(round % 7)")
            let results = await withTaskGroup(of: (slot: Slot, isNew: Bool).self) { tasks in
                for _ in 0..<4 { tasks.addTask { table.find(key) { Slot(key, $0) } } }
                return await tasks.reduce(into: []) { $0.append($1) }
            }
            #expect(results.count { $0.isNew } == 1)
            #expect(results.allSatisfy { $0.slot === results[0].slot })
            table.remove(results[0].slot)
        }
        #expect(table.all.isEmpty)
    }

    @Test("entries are found by their ids and keep their order")
    func entries() {
        for count in 0..<8 {
            let ids = (0..<count).map { UInt64($0 * 3 + 1) }
            for removed in 0..<UInt64(count * 3 + 2) {
                var list = EntryList<String, Int>()
                for id in ids { list.append(id, "h\(id)", Int(id)) }
                let entry = list.remove(removed)
                #expect(entry?.id == (ids.contains(removed) ? removed : nil))
                #expect(list.entries.map(\.id) == ids.filter { $0 != removed })
                let old = list.update(removed, -1)
                #expect(old == nil)
                if let last = list.entries.last {
                    let old = list.update(last.id, -1)
                    #expect(old == Int(last.id) && list.entries.last?.value == -1)
                    #expect(list.entries.dropLast().allSatisfy { $0.value == Int($0.id) })
                }
            }
        }
    }

    @Test("a key that has become empty stays so; a unique one has one entry")
    func states() {
        for isUnique in [true, false] {
            var state = KeyEntries<String, Int>()
            guard case .added = state.add(1, "a", 1, isUnique: isUnique) else {
                Issue.record("the key was free")
                return
            }
            switch state.add(2, "b", 2, isUnique: isUnique) {
            case .taken(let holder): #expect(isUnique && holder == "a")
            case .added: #expect(!isUnique)
            case .retired: Issue.record("the key was held")
            }
            let none = state.remove([7])
            #expect(none.removed.isEmpty && !none.retires)
            let all = state.remove([2, 1])
            #expect(all.removed.map(\.id) == (isUnique ? [1] : [2, 1]) && all.retires)
            #expect(state.isRetired)
            let again = state.remove([1])
            #expect(again.removed.isEmpty && !again.retires)
            guard case .retired = state.add(3, "c", 3, isUnique: isUnique) else {
                Issue.record("the key was retired")
                return
            }
        }
    }
}
