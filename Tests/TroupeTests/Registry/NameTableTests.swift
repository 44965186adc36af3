//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("The table of names")
struct NameTableTests {
    /// Expectations cannot capture a table.
    private final class Holder {
        private var table = NameTable()
        private let hasher = NameHasher()

        var count: Int { table.count }
        var all: [(name: String, id: UInt64)] { table.all }
        func find(_ name: String, hash: UInt32? = nil) -> UInt64? {
            table.find(name, hash: hash ?? hasher.hash(name))
        }
        func insert(_ name: String, hash: UInt32? = nil, for id: UInt64) -> UInt64? {
            table.insert(name, hash: hash ?? hasher.hash(name), for: id)
        }
        func remove(_ name: String, hash: UInt32? = nil) -> Bool {
            table.remove(name, hash: hash ?? hasher.hash(name))
        }
        func names(_ hash: UInt32, of id: UInt64) -> [String] { table.names(hash, of: id) }
        func hasName(_ hash: UInt32, of id: UInt64) -> Bool { table.hasName(hash, of: id) }
        func removeAll(_ hash: UInt32, of id: UInt64) -> [String] { table.removeAll(hash, of: id) }
    }

    @Test("a name has one holder")
    func holder() {
        let table = Holder()
        #expect(table.find("a") == nil)
        #expect(!table.remove("a"))
        #expect(table.insert("a", for: 64) == nil)
        #expect(table.insert("a", for: 65) == 64)
        #expect(table.find("a") == 64 && table.find("b") == nil && table.count == 1)
        #expect(!table.remove("b"))
        #expect(table.find("a") == 64)
        #expect(table.remove("a"))
        #expect(table.find("a") == nil && table.count == 0 && table.all.isEmpty)
    }

    @Test("who ends gives back its own names, found by their hash, and no others with that hash")
    func ends() {
        let table = Holder()
        #expect(table.removeAll(7, of: 64) == [])
        for (name, id) in [("a", 64), ("b", 65), ("c", 64)] as [(String, UInt64)] {
            #expect(table.insert(name, hash: 7, for: id) == nil)
        }
        #expect(table.insert("d", hash: 8, for: 64) == nil)
        #expect(table.names(7, of: 64) == ["a", "c"])
        #expect(table.hasName(7, of: 65) && !table.hasName(7, of: 66))
        #expect(!table.hasName(9, of: 64))
        #expect(table.removeAll(7, of: 64) == ["a", "c"])
        #expect(table.removeAll(7, of: 64) == [])
        #expect(table.names(7, of: 64) == [])
        #expect(Set(table.all.map(\.name)) == ["b", "d"])
    }

    @Test("names that are equal in Unicode's sense are one, however they are written")
    func canonicalEquivalence() {
        let table = Holder()
        #expect(table.insert("caf\u{e9}", for: 64) == nil)
        #expect(table.insert("cafe\u{301}", for: 65) == 64)
        #expect(table.remove("cafe\u{301}"))
        #expect(table.count == 0)
    }

    /// With few different hashes, and those next to each other, every change moves others.
    @Test("random changes, against a dictionary", arguments: [1, 3, 40, UInt32.max])
    func model(hashCount: UInt32) {
        var random = SeededGenerator(seed: UInt64(hashCount))
        let names = (0..<200).map { number in
            // The last hashes of a small table, so that entries go on at its beginning.
            (text: "name \(number)", hash: UInt32.max - UInt32(number) % hashCount)
        }
        let table = Holder()
        var model: [String: UInt64] = [:]
        for step in 0..<20_000 {
            // Grows to all names, and shrinks to none, again and again.
            let isGrowing = step / 2000 % 2 == 0
            let (name, id) = (
                names[Int.random(in: 0..<200, using: &random)],
                UInt64.random(in: 64...66, using: &random)
            )
            if UInt.random(in: 0..<4, using: &random) < (isGrowing ? 3 : 1) {
                let holder = model[name.text]
                #expect(table.insert(name.text, hash: name.hash, for: id) == holder)
                if holder == nil { model[name.text] = id }
            } else {
                #expect(
                    table.remove(name.text, hash: name.hash)
                        == (model.removeValue(forKey: name.text) != nil))
            }
            let other = names[Int.random(in: 0..<200, using: &random)]
            #expect(table.find(other.text, hash: other.hash) == model[other.text])
            #expect(table.count == model.count)
        }
        for (text, hash) in names { #expect(table.find(text, hash: hash) == model[text]) }
        let listed = Dictionary(uniqueKeysWithValues: table.all.map { ($0.name, $0.id) })
        #expect(listed == model)
    }
}
