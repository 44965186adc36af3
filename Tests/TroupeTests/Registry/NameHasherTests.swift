//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("The hash of a name")
struct NameHasherTests {
    private let hasher = NameHasher()

    @Test("names that are equal in Unicode's sense have equal hashes, also where only one is ASCII")
    func canonicalEquivalence() {
        let ascii = Set((0..<128).map { String(Unicode.Scalar($0)) })
        var twins = 0
        for value in UInt32(128)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let name = String(scalar)
            guard let index = ascii.firstIndex(of: name) else { continue }
            twins += 1
            #expect(hasher.hash(name) == hasher.hash(ascii[index]))
            let (long, plain) = ("a \(name) among others", "a \(ascii[index]) among others")
            #expect(long == plain && hasher.hash(long) == hasher.hash(plain))
        }
        #expect(twins >= 3)
        #expect(hasher.hash("cafe\u{301}") == hasher.hash("caf\u{E9}"))
    }

    @Test("names that differ in one place, or in their length, have unlike hashes")
    func everyByteCounts() {
        var names: Set<String> = []
        for length in 0..<40 {
            let name = String(repeating: "a", count: length)
            names.insert(name)
            for place in 0..<length {
                names.insert(name.prefix(place) + "b" + name.dropFirst(place + 1))
                names.insert(name.prefix(place) + "q" + name.dropFirst(place + 1))
            }
        }
        // There may be a collision among 32 bits; it has one chance in 3,000.
        #expect(Set(names.map { hasher.hash($0) }).count >= names.count - 2)
    }

    @Test("numbered names spread evenly, by the low bits and by the high ones", arguments: [0, 24])
    func spread(shift: UInt32) {
        for prefix in ["", "worker-", "a rather long prefix of names "] {
            var counts = [Int](repeating: 0, count: 64)
            for number in 0..<4096 {
                counts[Int(hasher.hash("\(prefix)\(number)") >> shift & 63)] += 1
            }
            // 64 each, give or take 8.
            #expect(counts.allSatisfy { (8..<140).contains($0) })
        }
    }
}
