//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Receive queue: a pure value")
struct ReceiveQueueTests {
    /// What was put in, by a number that says which lanes claim it: of two listeners the first takes
    /// multiples of 2, the second multiples of 3.
    private struct Model {
        var queue = ReceiveQueue()
        var waiting: [Int] = []
        var listeners: [(id: Int, divisor: Int)] = []
        var nextNumber = 0

        func lane(of number: Int) -> Int? { listeners.first { number % $0.divisor == 0 }?.id }

        mutating func append() {
            queue.append(.message(nextNumber), position: UInt64(nextNumber))
            waiting.append(nextNumber)
            nextNumber += 1
        }

        mutating func pop(_ listener: Int?) {
            let entry =
                listener.map { queue.popFirst(of: $0) } ?? queue.popFirst()
            let index = waiting.firstIndex { lane(of: $0) == listener }
            #expect(entry?.number == index.map { waiting[$0] })
            if let index { waiting.remove(at: index) }
        }

        mutating func popSelected(from position: Int, divisor: Int) {
            let entry = queue.popFirst(from: UInt64(position)) { $0.number % divisor == 0 }
            let index = waiting.firstIndex {
                lane(of: $0) == nil && $0 >= position && $0 % divisor == 0
            }
            #expect(entry?.number == index.map { waiting[$0] })
            if let index { waiting.remove(at: index) }
        }

        mutating func open(_ divisor: Int) {
            let id = queue.open { content in
                guard case .message(let message) = content, let number = message as? Int else {
                    return false
                }
                return number % divisor == 0
            }
            listeners.append((id, divisor))
        }

        mutating func close(_ index: Int) {
            let listener = listeners.remove(at: index)
            queue.close(listener.id)
            #expect(!queue.isOpen(listener.id))
        }

        func check() {
            #expect(queue.messageCount == waiting.count)
            for lane in [nil] + listeners.map({ Optional($0.id) }) {
                let first = waiting.first { self.lane(of: $0) == lane }
                // Messages alone are numbered by their order.
                #expect(queue.firstOrder(of: lane) == first.map { UInt64($0) })
            }
        }
    }

    @Test("agrees with a list over random operations", arguments: 1...6 as ClosedRange<UInt64>)
    func model(seed: UInt64) async {
        var random = SeededGenerator(seed: seed)
        var model = Model()
        for step in 0..<1000 {
            // Other tests run on this thread, too.
            if step % 20 == 0 { await Task.yield() }
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<9: model.append()
            case 9..<12: model.pop(nil)
            case 12..<15:
                model.pop(model.listeners.randomElement(using: &random)?.id)
            case 15..<18:
                let position = Int.random(in: 0...model.nextNumber, using: &random)
                model.popSelected(from: position, divisor: Int.random(in: 1...5, using: &random))
            case 18 where model.listeners.count < 3:
                model.open(Int.random(in: 2...3, using: &random))
            default:
                if !model.listeners.isEmpty {
                    model.close(Int.random(in: 0..<model.listeners.count, using: &random))
                }
            }
            model.check()
        }
        while !model.listeners.isEmpty { model.close(0) }
        while !model.waiting.isEmpty { model.pop(nil) }
        model.check()
        #expect(model.queue.isUnused)
    }
}

extension ReceiveQueue.Entry {
    fileprivate var number: Int {
        guard case .message(let message) = content else { return -1 }
        return message as? Int ?? -1
    }
}
