//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Named events", .timeLimit(.minutes(4)))
struct NamedEventTests {
    @Test("a subscriber gets what is published, in order, with numbers and times")
    func publish() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let token = try process.registerEvent("e", of: Int.self)
                #expect(token.event == "e" && node.events == ["e"])
                #expect(try token.publish(0) == 0)
                let begin = node.clock.now
                let buffered = try process.subscribe(to: "e", of: Int.self)
                #expect(buffered.isEmpty)
                for message in 1...3 { #expect(try token.publish(message) == 1) }
                var last = begin
                for message in 1...3 {
                    let event = try #require(try await process.receive() as? MessageEvent<Int>)
                    #expect(event.event == "e" && event.message == message)
                    #expect(event.number == UInt64(message) + 1)
                    #expect(event.instant >= last)
                    last = event.instant
                }
                #expect(process.unsubscribe(from: "e"))
                #expect(!process.unsubscribe(from: "e"))
                #expect(try token.publish(4) == 0)
            }
            #expect(node.events == [])
        }
    }

    @Test("bad names, bad buffers, taken names and wrong types are refused")
    func refused() async throws {
        try await withNode { node in
            let token = try node.registerEvent("e", of: Int.self)
            try await node.inProcess { process in
                #expect(throws: EventError.eventTaken("e")) {
                    try process.registerEvent("e", of: Int.self)
                }
                #expect(throws: EventError.nameInvalid("")) {
                    try process.registerEvent("", of: Int.self)
                }
                for capacity in [-1, 1_000_001, .min, .max] {
                    #expect(throws: EventError.bufferCapacityInvalid(capacity)) {
                        try process.registerEvent(
                            "f", of: Int.self, options: .init(bufferCapacity: capacity))
                    }
                }
                #expect(throws: EventError.eventUnknown("f")) {
                    try process.subscribe(to: "f", of: Int.self)
                }
                #expect(throws: EventError.typeMismatch("e", published: "Int")) {
                    try process.subscribe(to: "e", of: String.self)
                }
                try process.subscribe(to: "e", of: Int.self)
                #expect(throws: EventError.alreadySubscribed("e")) {
                    try process.subscribe(to: "e", of: Int.self, linked: true)
                }
                #expect(process.unsubscribe(from: "e"))
                #expect(!process.unsubscribe(from: "f"))
            }
            try token.unregister()
            #expect(throws: EventError.eventUnknown("e")) { try token.publish(1) }
            #expect(throws: EventError.eventUnknown("e")) { try token.unregister() }
            _ = try node.registerEvent("e", of: String.self)
        }
    }

    @Test("a new subscriber gets the buffer, and nothing of it as a message", arguments: [0, 1, 3])
    func buffer(capacity: Int) async throws {
        try await withNode { node in
            let token = try node.registerEvent(
                "e", of: Int.self, options: .init(bufferCapacity: capacity))
            for message in 1...5 { try token.publish(message) }
            try await node.inProcess { process in
                let buffered = try process.subscribe(to: "e", of: Int.self)
                let all = (1...5).map { SeenEvent(UInt64($0), $0) }
                #expect(buffered.map { SeenEvent($0) } == Array(all.suffix(capacity)))
                try token.publish(6)
                let next = try await process.receiveEvent()
                #expect(next == SeenEvent(6, 6))
            }
        }
    }

    @Test("the producer is told of the first subscriber and of the end of the last")
    func notices() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let options = EventOptions(notifiesProducer: true)
                _ = try process.registerEvent("e", of: Int.self, options: options)
                let (start, stop) = (MessageEventStart(event: "e"), MessageEventStop(event: "e"))
                let one = try node.spawn(Doer.self)
                let two = try node.spawn(Doer.self)
                try await one.call { try $0.subscribe(to: "e", of: Int.self, linked: true) }
                try await two.call { try $0.subscribe(to: "e", of: Int.self) }
                let first = try await process.receive() as? MessageEventStart
                #expect(first == start)
                #expect(try await process.hasNothing())
                try await one.call { #expect($0.unsubscribe(from: "e")) }
                #expect(try await process.hasNothing())
                // The last one goes by ending.
                try await two.stop(.normal)
                let second = try await process.receive() as? MessageEventStop
                #expect(second == stop)
                try process.subscribe(to: "e", of: Int.self)
                #expect(process.unsubscribe(from: "e"))
                let third = try await process.receive() as? MessageEventStart
                let fourth = try await process.receive() as? MessageEventStop
                #expect(third == start && fourth == stop)
            }
        }
    }

    enum End: CaseIterable, Sendable {
        case normal, error, killed, unregistered

        var reason: ExitReason {
            switch self {
            case .normal: .normal
            case .error: .error(TestError(1))
            case .killed: .killed
            case .unregistered: .shutdown(EventUnregistered())
            }
        }
    }

    /// A producer of the event "e", which publishes 1 and then ends so.
    private func produce(_ node: Node, _ end: End) throws -> ServerRef<Recorder> {
        let server = try node.spawn(
            Recorder.self,
            .init(Log()) { process in
                _ = try process.registerEvent("e", of: Int.self)
            })
        return server
    }

    private func finish(_ producer: ServerRef<Recorder>, _ node: Node, _ end: End) throws {
        guard let slot = node.eventTable.find("e") else { return }
        let token = EventToken<Int>(slot: slot)
        try token.publish(1)
        switch end {
        case .normal: try producer.cast { _ in throw ExitReason.normal }
        case .error: try producer.cast { _ in throw TestError(1) }
        case .killed: node.kill(producer.pid)
        case .unregistered: try token.unregister()
        }
    }

    @Test("the end of an event comes once, after what was published", arguments: End.allCases)
    func down(end: End) async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let producer = try produce(node, end)
                try process.subscribe(to: "e", of: Int.self)
                try finish(producer, node, end)
                let event = try await process.receiveEvent()
                #expect(event == SeenEvent(1, 1))
                let down = try await process.receive() as? MessageEventDown
                #expect(down == MessageEventDown(event: "e", reason: end.reason))
                #expect(!process.unsubscribe(from: "e"))
                // The name is free.
                _ = try process.registerEvent("e", of: String.self)
            }
        }
    }

    @Test("a linked subscriber that traps gets the end as a message", arguments: End.allCases)
    func linkedTrapping(end: End) async throws {
        try await withNode { node in
            try await node.inProcess(.trapping) { process in
                let producer = try produce(node, end)
                try process.subscribe(to: "e", of: Int.self, linked: true)
                try finish(producer, node, end)
                let event = try await process.receiveEvent()
                #expect(event == SeenEvent(1, 1))
                let exit = try await process.receive() as? MessageEventExit
                #expect(exit == MessageEventExit(event: "e", reason: end.reason))
            }
        }
    }

    @Test(
        "a linked subscriber that does not trap ends, but for a normal end",
        arguments: End.allCases, [false, true])
    func linked(end: End, stopsOnNormal: Bool) async throws {
        try await withNode { node in
            let isSubscribed = Gate()
            let producer = try produce(node, end)
            // What counts is what is set when the producer ends.
            let options = ProcessOptions(stopsOnNormalLink: !stopsOnNormal)
            let subscriber = try node.spawn(options: options) { process in
                process.setStopsOnNormalLink(stopsOnNormal)
                try process.subscribe(to: "e", of: Int.self, linked: true)
                isSubscribed.open()
                while try await !(process.receive() is String) {}
                return process.unsubscribe(from: "e")
            }
            await isSubscribed.wait()
            try finish(producer, node, end)
            if end == .normal, !stopsOnNormal {
                _ = try? await producer.stop(.normal)
                try subscriber.send("go on")
                #expect(try await subscriber.value == false)
            } else {
                #expect(try await subscriber.exitReason == end.reason)
            }
            #expect(subscriber.cell.attachments.isEmpty)
        }
    }

    @Test(
        "who unsubscribes does not see the end, not even one that is in the mailbox",
        arguments: [true, false])
    func unsubscribeFlushes(isOver: Bool) async throws {
        try await withNode { node in
            try await node.inProcess(.trapping) { process in
                for linked in [true, false] {
                    let token = try node.registerEvent("e", of: Int.self)
                    try process.subscribe(to: "e", of: Int.self, linked: linked)
                    if isOver { try token.unregister() }
                    #expect(process.unsubscribe(from: "e") == !isOver)
                    if !isOver { try token.unregister() }
                }
            }
        }
    }

    @Test("a process may subscribe to its own event, and outlive neither")
    func own() async throws {
        try await withNode { node in
            let pid = try await node.inProcess { process in
                let token = try process.registerEvent("e", of: Int.self)
                try process.subscribe(to: "e", of: Int.self)
                #expect(try token.publish(1) == 1)
                let event = try await process.receiveEvent()
                #expect(event == SeenEvent(1, 1))
                return process.pid
            }
            #expect(!node.isAlive(pid) && node.events == [])
        }
    }

    @Test("events of the node end with it; afterwards none is made")
    func nodeStops() async throws {
        let node = try Node(name: "test", options: NodeOptions(events: NoEvents()))
        let token = try node.registerEvent("e", of: Int.self)
        await node.stop()
        #expect(node.events == [])
        #expect(throws: EventError.eventUnknown("e")) { try token.publish(1) }
        #expect(throws: EventError.nodeStopped(node: "test")) {
            try node.registerEvent("f", of: Int.self)
        }
        #expect(node.events == [])
    }
}
