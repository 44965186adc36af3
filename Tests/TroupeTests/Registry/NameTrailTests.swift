//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("What a process knows of its names")
struct NameTrailTests {
    @Test("hashes are listed once, by the latest time that they came")
    func order() {
        var trail = NameTrail()
        #expect(trail.isEmpty && trail.hashes == [])
        for hash: UInt32 in [1, 2, 3, 1, 4, 2] { trail.append(hash) { _ in true } }
        #expect(!trail.isEmpty && trail.hashes == [3, 1, 4, 2])
    }

    @Test("one name after the other leaves one hash")
    func oneAtATime() {
        var trail = NameTrail()
        for hash: UInt32 in 1...100 {
            trail.append(hash) { _ in false }
            #expect(trail.hashes == [hash])
            // The same name again.
            trail.append(hash) { _ in true }
            #expect(trail.hashes == [hash])
        }
    }

    @Test("hashes of names that are gone are forgotten in time")
    func forgets() {
        var trail = NameTrail()
        trail.append(1) { _ in true }
        for hash: UInt32 in 2...10_000 {
            // It has the first, and the last two.
            trail.append(hash) { $0 == 1 || $0 + 2 > hash }
            #expect(trail.hashes.count <= 18)
            #expect(trail.hashes.first == 1 && trail.hashes.last == hash)
        }
        var looks = 0
        for hash: UInt32 in 10_001...20_000 {
            trail.append(hash) { _ in
                looks += 1
                return true
            }
        }
        #expect(trail.hashes.count > 10_000)
        #expect(looks < 40_000, "not a look at each hash for each name")
    }
}
