//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Run queue: what is stolen")
struct RunQueueTests {
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
