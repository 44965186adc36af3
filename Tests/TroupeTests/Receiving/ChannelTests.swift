//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Topics, channels and select", .timeLimit(.minutes(4)))
struct ChannelTests {
    @Test("MBOX-14 a topic's messages go to its listener, the others to the inbox")
    func topics() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let orders = process.listen("order", of: Int.self)
                let own = Destination.pid(process.pid)
                try process.send(1, to: own, topic: "order")
                try process.send("x", to: own, topic: "news")
                try process.send(2, to: own, topic: "order")
                try process.send("plain", to: process.pid)
                let first = try await orders.receive()
                let second = try await orders.receive(timeout: .zero)
                let third = try await orders.receive(timeout: .zero)
                #expect(first == 1 && second == 2 && third == nil)
                let news = try await process.receive() as? TopicMessage
                #expect(news?.topic == "news" && news?.payload as? String == "x")
                let plain = try await process.inbox.receive(timeout: .zero) as? String
                #expect(plain == "plain")
            }
        }
    }

    @Test("MBOX-15 a listener to whole messages gets sender, topic and payload")
    func wholeMessages() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let chat = process.listen("chat")
                let own = process.pid
                let child = try process.spawn { child in
                    try child.send("hello", to: .pid(own), topic: "chat")
                }
                let message = try await chat.receive()
                #expect(message?.sender == child.pid)
                #expect(message?.topic == "chat" && message?.payload as? String == "hello")
                try node.send(5, to: .pid(own), topic: "chat")
                let other = try await chat.receive()
                #expect(other?.sender == nil && other?.payload as? Int == 5)
            }
        }
    }

    @Test("a payload of another type goes to the inbox")
    func otherPayload() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let numbers = process.listen("t", of: Int.self)
                try process.send("word", to: .pid(process.pid), topic: "t")
                let none = try await numbers.receive(timeout: .zero)
                #expect(none == nil)
                let message = try await process.receive() as? TopicMessage
                #expect(message?.payload as? String == "word")
            }
        }
    }

    @Test("closing and opening again loses nothing, and keeps the order")
    func reopening() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let own = Destination.pid(process.pid)
                // Sent before anybody listens.
                try process.send(0, to: own, topic: "t")
                var channel = process.listen("t", of: Int.self)
                for number in 1...3 { try process.send(number, to: own, topic: "t") }
                var seen: [Int?] = [try await channel.receive()]
                channel.close()
                #expect(!channel.isOpen)
                let closed = try await channel.receive()
                #expect(closed == nil)
                try process.send(4, to: own, topic: "t")
                channel = process.listen("t", of: Int.self)
                for _ in 0..<4 { seen.append(try await channel.receive(timeout: .zero)) }
                #expect(seen == [0, 1, 2, 3, 4])
                channel.close()
                channel.close()
            }
        }
    }

    @Test("of two channels the one opened first claims, the other inherits when it is closed")
    func twoListeners() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let first = process.listen("t", of: Int.self)
                let second = process.listen("t")
                for number in 0..<3 { try process.send(number, to: .pid(process.pid), topic: "t") }
                let one = try await first.receive()
                let none = try await second.receive(timeout: .zero)
                #expect(one == 0 && none == nil)
                first.close()
                let two = try await second.receive(timeout: .zero)?.payload as? Int
                let three = try await second.receive(timeout: .zero)?.payload as? Int
                #expect(two == 1 && three == 2)
            }
        }
    }

    @Test("a listener that nobody drains fills the mailbox, and its policy holds")
    func undrained() async throws {
        try await withNode { node in
            try await node.inProcess(.init(mailbox: .init(capacity: 5))) { process in
                let own = Destination.pid(process.pid)
                let channel = process.listen("t", of: Int.self)
                for number in 0..<5 { try process.send(number, to: own, topic: "t") }
                let none = try await process.receive(timeout: .zero)
                #expect(none == nil)
                let error = #expect(throws: SendError<Int>.self) {
                    try process.send(5, to: own, topic: "t")
                }
                #expect(error?.message == 5)
                for number in 0..<5 {
                    let next = try await channel.receive(timeout: .zero)
                    #expect(next == number)
                }
            }
        }
    }

    @Test("ends come through the channel of events, in their place")
    func events() async throws {
        try await withNode { node in
            try await node.inProcess(.init(trapsExits: true)) { process in
                let events = process.listenForEvents()
                let (child, ref) = try process.spawnMonitored(linked: true) { _ in 42 }
                _ = try await child.exitReason
                try process.send("after", to: process.pid)
                let message = try await process.receive() as? String
                #expect(message == "after")
                var seen: Set<String> = []
                for _ in 0..<2 {
                    switch try await events.receive() {
                    case .exit(let exit)?:
                        #expect(exit == MessageExit(from: child.pid, reason: .normal))
                        seen.insert("exit")
                    case .down(let down)?:
                        #expect(down.ref == ref && down.result as? Int == 42)
                        seen.insert("down")
                    case nil: break
                    }
                }
                #expect(seen == ["exit", "down"])
                // A DOWN that waits in a channel is gone after demonitor, too.
                let other = try process.spawn { _ in 1 }
                let otherRef = process.monitor(other.pid)
                _ = try await other.exitReason
                _ = try await process.receive(timeout: .zero)
                process.demonitor(otherRef)
                let none = try await events.receive(timeout: .zero)
                #expect(none == nil)
            }
        }
    }

    @Test("select takes what came first, whatever the order of its cases")
    func oldestFirst() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let own = Destination.pid(process.pid)
                let (a, b) = (process.listen("a", of: Int.self), process.listen("b", of: Int.self))
                let sent = (0..<300).map { $0 % 7 < 4 ? "a" : "b" }
                for (number, topic) in sent.enumerated() {
                    if number % 10 == 9 { try process.send("in \(number)", to: process.pid) }
                    try process.send(number, to: own, topic: topic)
                }
                var seen: [String] = []
                while let next = try await process.select(
                    .receive(b) { "b\($0)" }, .receive(process.inbox) { "\($0)" },
                    .receive(a) { "a\($0)" }, .after(.zero) { nil })
                {
                    guard let next else { break }
                    seen.append(next)
                }
                let expected = sent.enumerated().flatMap { number, topic in
                    (number % 10 == 9 ? ["in \(number)"] : []) + ["\(topic)\(number)"]
                }
                #expect(seen == expected)
            }
        }
    }

    @Test("select waits for a channel, for a deadline, or for an instant")
    func waiting() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let channel = process.listen("t", of: Int.self)
                let own = process.pid
                let start = node.clock.now
                let late = try await process.select(
                    .receive(channel) { "\($0)" }, .after(.seconds(60)) { "far" },
                    .at(start.advanced(by: .milliseconds(10))) { "near" })
                #expect(late == "near")
                #expect(start.duration(to: node.clock.now) >= .milliseconds(10))
                try process.spawn { try $0.send(7, to: .pid(own), topic: "t") }
                let number = try await process.select(
                    .receive(channel) { $0 }, .after(.seconds(60)) { -1 })
                #expect(number == 7)
            }
        }
    }

    @Test("a select over nothing, or over closed channels, returns nil at once")
    func nothing() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let none: Int? = try await process.select([])
                let channel = process.listen("t", of: Int.self)
                channel.close()
                let closed = try await process.select(.receive(channel) { $0 })
                #expect(none == nil && closed == nil)
            }
        }
    }

    @Test("a case that throws passes its error on; its message is taken")
    func throwing() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                try process.send(1, to: process.pid)
                await #expect(throws: TestError(1)) {
                    try await process.select(
                        .receive(process.inbox) { _ -> Int in throw TestError(1) })
                }
            }
        }
    }

    @Test("told to end, channels and select throw")
    func toldToEnd() async throws {
        try await withNode { node in
            let waits = Log<Int>()
            let listener = try node.spawn { process in
                let channel = process.listen("t", of: Int.self)
                waits.append(0)
                for try await _ in channel {}
            }
            let selector = try node.spawn { process in
                let channel = process.listen("t", of: Int.self)
                waits.append(1)
                _ = try await process.select(.receive(channel) { $0 })
            }
            _ = await waits.wait(for: 2)
            for pid in [listener.pid, selector.pid] { node.exit(pid, .custom("end")) }
            #expect(try await listener.exitReason == .custom("end"))
            #expect(try await selector.exitReason == .custom("end"))
        }
    }

    @Test("a sequence over a channel ends when it is closed")
    func sequence() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let channel = process.listen("t", of: Int.self)
                for number in 0..<5 { try process.send(number, to: .pid(process.pid), topic: "t") }
                var seen: [Int] = []
                for try await number in channel {
                    seen.append(number)
                    if number == 4 { channel.close() }
                }
                #expect(seen == [0, 1, 2, 3, 4])
            }
        }
    }

    @Test("a server gets a message with a topic in handleInfo")
    func server() async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try node.spawn(Recorder.self, .init(log))
            try node.send("payload", to: .pid(server.pid), topic: "t")
            let seen = await log.wait(for: 1)
            #expect(seen.first?.contains("payload") == true)
        }
    }
}
