//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("PiecewiseArray: grows, and moves nothing")
struct PiecewiseArrayTests {
    private final class Counted {
        private let log: Log<Int>
        private let index: Int

        init(_ index: Int, _ log: Log<Int>) { (self.index, self.log) = (index, log) }

        deinit { log.append(index) }
    }

    @Test("elements are where they were put, and change one by one")
    func elements() {
        var array = PiecewiseArray<(Int32, String)>()
        let length = PiecewiseArray<(Int32, String)>.pieceLength
        for _ in 0..<3 { array.addPiece { ($0, "\($0)") } }
        let count = array.count
        #expect(count == 3 * length)
        array[length].1 = "changed"
        for index in 0..<count {
            let (number, text) = array[index]
            #expect(number == index)
            #expect(text == (index == length ? "changed" : "\(index)"))
        }
    }

    @Test("its elements are let go with it")
    func end() {
        let log = Log<Int>()
        do {
            var array = PiecewiseArray<Counted?>()
            array.addPiece { $0 < 3 ? Counted(Int($0), log) : nil }
            array[1] = nil
            #expect(log.elements == [1])
        }
        #expect(log.elements.sorted() == [0, 1, 2])
    }
}
