//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Nested turns: which callees may have the thread")
struct NestedTurnsTests {
    @Test("only so many callers may have the thread below each other")
    func depth() {
        var nesting = NestedTurns()
        for _ in 0..<NestedTurns.depthMax {
            #expect(nesting.isOpen)
            nesting.began()
        }
        #expect(!nesting.isOpen)
        nesting.ended()
        #expect(nesting.isOpen)
        for _ in 1..<NestedTurns.depthMax { nesting.ended() }
        #expect(nesting.depth == 0)
    }

    @Test("after so many nested turns others get theirs")
    func count() {
        var nesting = NestedTurns()
        for _ in 0..<NestedTurns.countMax {
            #expect(nesting.isOpen)
            nesting.began()
            nesting.ended()
        }
        #expect(!nesting.isOpen)
        nesting.turnBegan()
        #expect(nesting.isOpen)
        #expect(nesting == NestedTurns())
    }
}
