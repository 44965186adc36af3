//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("ID table: a pure table")
struct IDTableTests {
    /// Ids as they come: in a row, far apart, and with equal lower halves.
    private static let spacings: [UInt64] = [1, 16, 1 << 20, 1 << 32, 1 << 58]

    @Test(
        "agrees with a dictionary over random inserts, removals and look-ups",
        arguments: 1...10, spacings)
    func model(seed: UInt64, spacing: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = IDTable<Int>()
        var model: [UInt64: Int] = [:]
        // Few ids stay around one entry, many make the table grow and shrink.
        let idCount: UInt64 = [1, 2, 5, 40, 300][Int(seed % 5)]
        for step in 0..<3000 {
            let id = random.next() % idCount &* spacing
            // Grows for a while, then shrinks, several times.
            let isGrowing = step / 500 % 2 == 0
            switch random.next() % 4 {
            case 0: #expect(table[id] == model[id])
            case 1 where isGrowing, 2 where isGrowing, 3 where !isGrowing:
                #expect(table.updateValue(step, for: id) == (model[id] == nil))
                model[id] = step
            default:
                #expect(table.removeValue(forKey: id) == model.removeValue(forKey: id))
            }
            #expect(table.count == model.count)
            #expect(table.isEmpty == model.isEmpty)
            if step % 50 == 0 { expect(table, equals: model) }
        }
        expect(table, equals: model)
        for id in model.keys { #expect(table.removeValue(forKey: id) == model[id]) }
        #expect(table.isEmpty && table.keys.isEmpty && table[0] == nil)
    }

    private func expect(_ table: IDTable<Int>, equals model: [UInt64: Int]) {
        #expect(table.keys.count == model.count)
        let listed = Dictionary(table.map { ($0.key, $0.value) }) { _, _ in -1 }
        #expect(listed == model)
        for (id, value) in model { #expect(table[id] == value) }
    }

    @Test("id 0 is an id like others")
    func zero() {
        var table = IDTable<Int>()
        #expect(table[0] == nil && table.removeValue(forKey: 0) == nil)
        for id: UInt64 in [0, 1, 2] { table[id] = Int(id) + 10 }
        #expect(table[0] == 10 && table.count == 3)
        #expect(table.removeValue(forKey: 0) == 10)
        #expect(table[0] == nil && Set(table.keys) == [1, 2])
    }

    @Test("a copy keeps what it had when the other changes")
    func copies() {
        var table = IDTable<Int>()
        for id: UInt64 in 1...100 { table[id] = 1 }
        let copy = table
        for id: UInt64 in 1...100 { table[id] = id % 2 == 0 ? nil : 2 }
        #expect(copy.count == 100 && copy.values.allSatisfy { $0 == 1 })
        #expect(table.count == 50 && table.values.allSatisfy { $0 == 2 })
    }

    @Test("the same history gives the same order, and the order is not that of a seed")
    func order() {
        var first = IDTable<Int>()
        for id: UInt64 in 1...12 { first[id] = 0 }
        #expect(first.keys == Array(1...12))
        // As the homes say; it must not change from run to run.
        for id: UInt64 in [1 << 20, 200, 70, 3 << 32] { first[id] = 0 }
        #expect(
            first.keys == [
                1_048_576, 1, 2, 3, 4, 200, 5, 6, 7, 8, 9, 10, 11, 12, 70, 12_884_901_888,
            ])
    }
}
