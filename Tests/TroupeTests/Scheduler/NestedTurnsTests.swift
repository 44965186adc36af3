//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Nested turns and stolen work")
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

    @Test(
        "the older half of a queue, rounded up, is stolen in order, up to a limit",
        arguments: [(0, 256, 0), (1, 256, 1), (5, 256, 3), (200, 256, 100), (200, 7, 7)])
    func half(count: Int, limit: Int, expected: Int) async throws {
        try await withNode { node in
            let cells = try (0..<count).map { try node.spawn(Counter.self, $0).cell }
            var queue = RunQueue()
            for cell in cells { queue.append(Runnable(cell)) }
            var loot: [Runnable] = []
            queue.popHalf(into: &loot, atMost: limit)
            #expect(loot.count == expected)
            #expect(queue.count == count - expected)
            while let next = queue.popFirst() { loot.append(next) }
            for (cell, runnable) in zip(cells, loot) {
                guard case .process(let found) = runnable.take() else {
                    Issue.record("a job where a process was queued")
                    continue
                }
                #expect(found === cell)
            }
        }
    }
}
