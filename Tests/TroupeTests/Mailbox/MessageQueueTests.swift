//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("MessageQueue: a queue in raw chunks")
struct MessageQueueTests {
    /// Counts how many of it are alive, so that a leak or a double release shows.
    private final class Token: Sendable {
        let value: Int
        init(_ value: Int) { self.value = value }
    }

    /// The queue in a class, because the testing macros cannot look into a noncopyable value.
    private final class Box {
        var queue = MessageQueue()

        func append(_ element: some Sendable) { queue.append(element) }
        func pop<Element: Sendable>(_ type: Element.Type) -> Element? { queue.popFirst(as: type) }
        func trim() { queue.trim() }
        func trimToFirstChunk() { queue.trimToFirstChunk() }
        func moveAll(to other: Box) { queue.moveAll(to: &other.queue) }
        func prepend(_ other: Box) { queue.prepend(&other.queue) }
        var isEmpty: Bool { queue.isEmpty }
        var hasMemory: Bool { queue.head != nil }
        deinit { queue.releaseMemory() }
    }

    @Test("is first in, first out over many chunks", arguments: [0, 1, 3, 4, 5, 100, 1000])
    func order(count: Int) {
        let queue = Box()
        for value in 0..<count { queue.append(value) }
        #expect(queue.isEmpty == (count == 0))
        for value in 0..<count { #expect(queue.pop(Int.self) == value) }
        #expect(queue.pop(Int.self) == nil)
        #expect(queue.isEmpty)
    }

    @Test("agrees with an array over random operations", arguments: 1...20)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let (queue, other) = (Box(), Box())
        var (model, otherModel): ([String], [String]) = ([], [])
        for step in 0..<5000 {
            switch random.next() % 8 {
            case 0...3:
                // Longer than a small string, so that it is on the heap.
                let element = "element number \(step)"
                queue.append(element)
                model.append(element)
            case 4, 5:
                let expected = model.isEmpty ? nil : model.removeFirst()
                #expect(queue.pop(String.self) == expected)
            case 6:
                if otherModel.isEmpty {
                    queue.moveAll(to: other)
                    swap(&model, &otherModel)
                } else {
                    #expect(other.pop(String.self) == otherModel.removeFirst())
                }
            default:
                queue.prepend(other)
                model = otherModel + model
                otherModel = []
            }
            #expect(queue.isEmpty == model.isEmpty)
        }
        while queue.pop(String.self) != nil {}
        while other.pop(String.self) != nil {}
    }

    @Test("holds each element once and lets go of it once")
    func ownership() {
        weak var first: Token?
        weak var last: Token?
        let queue = Box()
        do {
            let tokens = (0..<200).map(Token.init)
            (first, last) = (tokens.first, tokens.last)
            for token in tokens { queue.append(token) }
        }
        #expect(first != nil && last != nil)
        #expect(queue.pop(Token.self)?.value == 0)
        #expect(first == nil && last != nil)
        while queue.pop(Token.self) != nil {}
        #expect(last == nil)
    }

    @Test("an idle queue keeps at most a small chunk")
    func trim() {
        let queue = Box()
        for value in 0..<3 { queue.append(value) }
        while queue.pop(Int.self) != nil {}
        queue.trim()
        #expect(queue.hasMemory)
        for value in 0..<100 { queue.append(value) }
        while queue.pop(Int.self) != nil {}
        queue.trim()
        #expect(!queue.hasMemory)
    }

    @Test("what is left of a queue that is done with is a first chunk of 120 bytes at most")
    func trimToFirstChunk() {
        let queue = Box()
        queue.append(1)
        _ = queue.pop(Int.self)
        queue.trimToFirstChunk()
        #expect(queue.hasMemory)
        // A second chunk, which an idle queue would keep.
        for value in 0..<16 { queue.append(value) }
        while queue.pop(Int.self) != nil {}
        queue.trimToFirstChunk()
        #expect(!queue.hasMemory)
        let large = Box()
        large.append(Large())
        _ = large.pop(Large.self)
        large.trimToFirstChunk()
        #expect(!large.hasMemory)
    }

    private struct Large: Sendable {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var others: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var more: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
    }
}
