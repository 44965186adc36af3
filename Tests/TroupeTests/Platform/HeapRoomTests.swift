//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Memory that a thread asks for ahead")
struct HeapRoomTests {
    @Test("what is new of a piece are its whole pages, or those above the last piece")
    func newPages() {
        var room = HeapRoom()
        let new = [
            5_000..<30_000,  // the first
            5_000..<30_000,  // the same
            20_000..<45_000,  // further up, and overlapping
            50_000..<75_000,  // further up
            40_000..<65_000,  // further down
            90_000..<90_100,  // less than a page
            95_000..<100_000,  // no whole page
        ].map { room.note($0, pageLength: 4096) }
        #expect(
            new.map { $0.isEmpty ? 0..<0 : $0 } == [
                8192..<28_672, 0..<0, 28_672..<40_960, 53_248..<73_728, 0..<0, 0..<0, 0..<0,
            ])
    }

    @Test("a thread that gets the same piece again asks half as often, until one is new")
    func seldom() {
        var room = HeapRoom()
        var counts: [Int] = []
        for _ in 0..<7 {
            _ = room.note(5_000..<30_000, pageLength: 4096)
            counts.append(room.objectsToNext)
        }
        #expect(counts == [256, 512, 1024, 2048, 4096, 4096, 4096])
        _ = room.note(25_000..<50_000, pageLength: 4096)
        #expect(room.objectsToNext == 256)
    }
}
