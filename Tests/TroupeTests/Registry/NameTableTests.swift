//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("The table of names")
struct NameTableTests {
    @Test("a name has one holder, who alone can give it back")
    func holder() {
        var table = NameTable()
        let (a, b) = (HashedName("a"), HashedName("b"))
        #expect(table.find(a) == nil)
        table.remove(a, by: 64)
        #expect(table.insert(a, for: 64) == nil)
        #expect(table.insert(a, for: 65) == 64)
        #expect(table.find(a) == 64 && table.find(b) == nil && table.count == 1)
        table.remove(a, by: 65)
        table.remove(b, by: 64)
        #expect(table.find(a) == 64)
        table.remove(a, by: 64)
        #expect(table.find(a) == nil && table.count == 0 && table.entries.isEmpty)
    }

    @Test("names that are equal in Unicode's sense are one, however they are written")
    func canonicalEquivalence() {
        var table = NameTable()
        #expect(table.insert(HashedName("caf\u{e9}"), for: 64) == nil)
        #expect(table.insert(HashedName("cafe\u{301}"), for: 65) == 64)
        table.remove(HashedName("cafe\u{301}"), by: 64)
        #expect(table.count == 0)
    }

    /// With few different hashes, and those next to each other, every change moves others.
    @Test("random changes, against a dictionary", arguments: [1, 3, 40, UInt.max])
    func model(hashCount: UInt) {
        var random = SeededGenerator(seed: UInt64(hashCount))
        let names = (0..<200).map { number in
            // The last hashes of a small table, so that entries go on at its beginning.
            HashedName("name \(number)", hash: UInt.max - UInt(number) % hashCount)
        }
        var (table, model) = (NameTable(), [String: UInt64]())
        for step in 0..<20_000 {
            // Grows to all names, and shrinks to none, again and again.
            let isGrowing = step / 2000 % 2 == 0
            let (name, id) = (
                names[Int.random(in: 0..<200, using: &random)],
                UInt64.random(in: 64...66, using: &random)
            )
            if UInt.random(in: 0..<4, using: &random) < (isGrowing ? 3 : 1) {
                let holder = model[name.name]
                #expect(table.insert(name, for: id) == holder)
                if holder == nil { model[name.name] = id }
            } else {
                table.remove(name, by: id)
                if model[name.name] == id { model[name.name] = nil }
            }
            let other = names[Int.random(in: 0..<200, using: &random)]
            #expect(table.find(other) == model[other.name])
            #expect(table.count == model.count)
        }
        for name in names { #expect(table.find(name) == model[name.name]) }
        let listed = Dictionary(uniqueKeysWithValues: table.entries.map { ($0.name, $0.id) })
        #expect(listed == model)
    }
}
