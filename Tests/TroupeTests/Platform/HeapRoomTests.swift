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

    @Test("memory that is in use stays what it is")
    func keepsContents() {
        let parker = Parker()
        let wrong = Log<Int>()
        // A thread of its own, which has a heap of its own.
        Platform.startThread(name: "heap") {
            var room = HeapRoom()
            var objects: [[Int]] = []
            for number in 0..<20 * HeapRoom.objectsPerPiece {
                room.willAllocate()
                objects.append(Array(repeating: number, count: 50))
                if number % 3 == 0 { objects[number / 2] = [number / 2] }
            }
            for (number, object) in objects.enumerated()
            where !object.allSatisfy({ $0 == number }) {
                wrong.append(number)
            }
            parker.unpark()
        }
        parker.park()
        #expect(wrong.elements == [])
    }
}
