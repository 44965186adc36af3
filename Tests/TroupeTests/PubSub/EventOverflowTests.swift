//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Named events: full mailboxes and races", .timeLimit(.minutes(4)))
struct EventOverflowTests {
    /// Publishes 1...5 to a server whose mailbox holds two and whose handler is held up.
    private func flood(
        _ node: Node, _ policy: OverflowPolicy
    ) async throws -> (delivered: [Int], subscriber: ServerRef<Recorder>, seen: [String]) {
        let token = try node.registerEvent("e", of: Int.self)
        let options = ProcessOptions(mailbox: .init(capacity: 2, overflow: policy))
        let (server, log, gate) = try await node.spawnBlocked(options)
        // From outside: its handler is held up.
        let slot = try #require(node.eventTable.find("e"))
        _ = try slot.subscribe(server.cell, .monitor)
        var delivered: [Int] = []
        for message in 1...5 { delivered.append(try token.publish(message)) }
        gate.open()
        try await server.stop(.shutdown)
        return (delivered, server, log.elements)
    }

    private func numbers(_ seen: [String]) -> [String] {
        seen.compactMap { line in
            line.firstMatch(of: /message: ([0-9]+)/).map { String($0.1) }
        }
    }

    @Test("with `reject` a full subscriber misses messages, and the publisher is told")
    func reject() async throws {
        try await withNode { node in
            let (delivered, _, seen) = try await flood(node, .reject)
            #expect(delivered == [1, 1, 0, 0, 0])
            #expect(numbers(seen) == ["1", "2"])
        }
    }

    @Test("with `dropNewest` the same, and the drops are counted and reported")
    func dropNewest() async throws {
        let drops = Log<UInt64>()
        let sink = EventHandler(.messageDropped) { event in
            if case .messageDropped(_, .dropNewest, let count) = event { drops.append(count) }
        }
        try await withNode(NodeOptions(events: sink)) { node in
            let (delivered, subscriber, seen) = try await flood(node, .dropNewest)
            #expect(delivered == [1, 1, 0, 0, 0])
            #expect(numbers(seen) == ["1", "2"])
            #expect(drops.elements == [1, 2, 3])
            #expect(subscriber.cell.withCore { $0.dropped } == 3)
        }
    }

    @Test("with `dropOldest` it gets the last ones, and the drops are reported")
    func dropOldest() async throws {
        let drops = Log<UInt64>()
        let sink = EventHandler(.messageDropped) { event in
            if case .messageDropped(_, .dropOldest, let count) = event { drops.append(count) }
        }
        try await withNode(NodeOptions(events: sink)) { node in
            let (delivered, _, seen) = try await flood(node, .dropOldest)
            #expect(delivered == [1, 1, 1, 1, 1])
            #expect(numbers(seen) == ["4", "5"])
            #expect(drops.elements == [1, 2, 3])
        }
    }

    @Test("with `fallback` another process gets the rest; it does not count as delivered")
    func fallback() async throws {
        try await withNode { node in
            let log = Log<String>()
            _ = try node.spawn(Recorder.self, .init(log), options: .init(name: "other"))
            let (delivered, _, seen) = try await flood(node, .fallback("other", tag: "t"))
            #expect(delivered == [1, 1, 0, 0, 0])
            #expect(numbers(seen) == ["1", "2"])
            #expect(numbers(await log.wait(for: 3)) == ["3", "4", "5"])
        }
    }

    @Test("with `stop` the subscriber ends, and others get everything")
    func stop() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let token = try process.registerEvent("e", of: Int.self)
                try process.subscribe(to: "e", of: Int.self)
                let options = ProcessOptions(mailbox: .init(capacity: 1, overflow: .stop))
                let (server, _, gate) = try await node.spawnBlocked(options)
                let slot = try #require(node.eventTable.find("e"))
                _ = try slot.subscribe(server.cell, .monitor)
                let ref = process.monitor(server.pid)
                #expect(try token.publish(1) == 2)
                #expect(try token.publish(2) == 1)
                gate.open()
                let events = [try await process.receiveEvent(), try await process.receiveEvent()]
                #expect(events == [SeenEvent(1, 1), SeenEvent(2, 2)])
                let down = try await process.receiveDown()
                #expect(down.ref == ref)
                #expect(down.reason == .error(MailboxOverflow(capacity: 1)))
                #expect(try token.publish(3) == 1)
                let last = try await process.receiveEvent()
                #expect(last == SeenEvent(3, 3))
            }
        }
    }

    @Test("all subscribers get the same order, whoever publishes, and from where they began")
    func order() async throws {
        try await withNode { node in
            let token = try node.registerEvent(
                "e", of: Int.self, options: .init(bufferCapacity: 3))
            struct Enough: Sendable {}
            let subscribers = Log<ProcessRef<[SeenEvent]>>()
            await withTaskGroup(of: Void.self) { tasks in
                for publisher in 0..<3 {
                    tasks.addTask {
                        for message in 0..<300 {
                            _ = try? token.publish(publisher * 1000 + message)
                        }
                    }
                }
                tasks.addTask {
                    for _ in 0..<10 {
                        let subscriber = try? node.spawn { process in
                            let start = try process.subscribe(to: "e", of: Int.self)
                            var seen = start.map { SeenEvent($0) }
                            while let event = try await process.receive() as? MessageEvent<Int> {
                                seen.append(SeenEvent(event))
                            }
                            return seen
                        }
                        if let subscriber { subscribers.append(subscriber) }
                        for _ in 0..<20 { await Task.yield() }
                    }
                }
            }
            var order: [UInt64: Int] = [:]
            for subscriber in await subscribers.wait(for: 10) {
                try subscriber.send(Enough())
                let seen = try await subscriber.value
                // Without a gap and without a repetition, up to the last.
                #expect(seen.last?.number == 900)
                #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.number + 1 == $1.number })
                for event in seen {
                    #expect(order[event.number, default: event.message] == event.message)
                    order[event.number] = event.message
                }
            }
            // Of one publisher in its order.
            let messages = order.sorted { $0.key < $1.key }.map(\.value)
            for publisher in 0..<3 {
                let own = messages.filter { $0 / 1000 == publisher }
                #expect(own == own.sorted())
            }
        }
    }

    @Test("subscribers that come, go and end while the event is published and ends")
    func churn() async throws {
        try await withNode { node in
            for round in 0..<50 {
                let producer = try node.spawn { process in
                    let options = EventOptions(bufferCapacity: 2, notifiesProducer: true)
                    let token = try process.registerEvent("e", of: Int.self, options: options)
                    for message in 0..<20 {
                        try token.publish(message)
                        await Task.yield()
                    }
                }
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for index in 0..<4 {
                        tasks.addTask {
                            let subscriber = try node.spawn(options: .trapping) { process in
                                guard
                                    (try? process.subscribe(
                                        to: "e", of: Int.self, linked: index == 3)) != nil
                                else { return }
                                if (index + round) % 3 == 0 { process.unsubscribe(from: "e") }
                                guard (index + round) % 3 == 1 else { return }
                                while try await process.receive() is MessageEvent<Int> {}
                            }
                            _ = try await subscriber.exitReason
                        }
                    }
                    _ = try await producer.exitReason
                    try await tasks.waitForAll()
                }
                #expect(node.events == [])
            }
        }
    }
}
