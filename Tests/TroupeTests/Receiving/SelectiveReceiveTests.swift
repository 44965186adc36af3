//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Selective receive", .timeLimit(.minutes(4)))
struct SelectiveReceiveTests {
    private static func fill(_ process: Process, _ messages: [any Sendable]) throws {
        for message in messages {
            try process.node.sendUntyped(message, to: process.pid).map { throw $0 }
        }
    }

    @Test("MBOX-07 a selective receive takes what it wants, the rest stays in order")
    func byType() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                try Self.fill(process, [1, "a", 2, "b", 3, "c"])
                let b = try await process.receive(String.self) { $0 == "b" }
                let first = try await process.receive(Int.self)
                let third = try await process.receive(Int.self, timeout: .zero) { $0 > 2 }
                let none = try await process.receive(Double.self, timeout: .zero)
                #expect(b == "b" && first == 1 && third == 3 && none == nil)
                #expect(process.info.mailboxCount == 3)
                let rest = try await process.flush()
                #expect(rest.map { "\($0)" } == ["a", "2", "c"])
                #expect(process.info.mailboxCount == 0)
                #expect(process.info.messagesHandled == 6)
            }
        }
    }

    @Test("a message that comes while it waits is taken, others are kept")
    func waiting() async throws {
        try await withNode { node in
            let waits = Gate()
            let process = try node.spawn { process in
                waits.open()
                let word = try await process.receive(String.self)
                let rest = try await process.flush()
                return "\(word) \(rest)"
            }
            await waits.wait()
            for number in 0..<5 { try process.send(number) }
            try process.send("word")
            #expect(try await process.value == "word [0, 1, 2, 3, 4]")
        }
    }

    @Test("it waits for its timeout only")
    func timeout() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let start = node.clock.now
                try process.send("other", to: process.pid)
                let none = try await process.receive(Int.self, timeout: .milliseconds(20))
                #expect(none == nil)
                #expect(start.duration(to: node.clock.now) >= .milliseconds(20))
                _ = try await process.receive()
            }
        }
    }

    @Test("what was passed over counts against the bound until it is taken")
    func bound() async throws {
        try await withNode { node in
            try await node.inProcess(.init(mailbox: .init(capacity: 3))) { process in
                try Self.fill(process, [1, 2, 3])
                let none = try await process.receive(String.self, timeout: .zero)
                #expect(none == nil)
                #expect(throws: SendError<Int>.self) { try process.send(4, to: process.pid) }
                let two = try await process.receive(Int.self) { $0 == 2 }
                #expect(two == 2)
                try process.send(5, to: process.pid)
                let rest = try await process.flush()
                #expect(rest.map { "\($0)" } == ["1", "3", "5"])
            }
        }
    }

    @Test("of a mailbox that drops the oldest, what was passed over is not dropped")
    func dropOldest() async throws {
        try await withNode { node in
            let mailbox = MailboxOptions(capacity: 2, overflow: .dropOldest)
            try await node.inProcess(.init(mailbox: mailbox)) { process in
                try Self.fill(process, [1, 2, 3])
                let none = try await process.receive(String.self, timeout: .zero)
                #expect(none == nil)
                #expect(throws: SendError<Int>.self) { try process.send(4, to: process.pid) }
                #expect(process.info.messagesDropped == 1)
                let rest = try await process.flush()
                #expect(rest.map { "\($0)" } == ["2", "3"])
            }
        }
    }

    @Test("DOWN, EXIT and messages keep their order when they were passed over")
    func signals() async throws {
        try await withNode { node in
            try await node.inProcess(.init(trapsExits: true)) { process in
                let (child, ref) = try process.spawnMonitored(linked: true) { child in
                    try child.send("last words", to: child.parent ?? child.pid)
                    throw ExitReason.custom("end")
                }
                let down = try await process.receiveDown(of: ref)
                #expect(down.reason == .custom("end"))
                _ = try await child.exitReason
                let words = try await process.receive() as? String
                let exit = try await process.receive() as? MessageExit
                #expect(words == "last words")
                #expect(exit == MessageExit(from: child.pid, reason: .custom("end")))
            }
        }
    }

    @Test("a DOWN that was passed over is gone after demonitor")
    func demonitor() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let target = try process.spawn { _ in 1 }
                let ref = process.monitor(target.pid)
                _ = try await target.exitReason
                let none = try await process.receive(String.self, timeout: .zero)
                #expect(none == nil)
                #expect(process.demonitor(ref) == false)
                let rest = try await process.flush()
                #expect(rest.isEmpty)
            }
        }
    }

    @Test("told to end, it throws, whatever waits")
    func toldToEnd() async throws {
        try await withNode { node in
            let waits = Gate()
            let process = try node.spawn { process in
                try process.send("here", to: process.pid)
                _ = try await process.receive(Int.self, timeout: .zero)
                waits.open()
                do throws(ExitReason) {
                    _ = try await process.receive(Int.self)
                } catch {
                    #expect(error == .custom("end"))
                    await #expect(throws: ExitReason.custom("end")) {
                        try await process.receive(String.self)
                    }
                    await #expect(throws: ExitReason.custom("end")) { try await process.receive() }
                    await #expect(throws: ExitReason.custom("end")) { try await process.flush() }
                    throw error
                }
            }
            await waits.wait()
            node.exit(process.pid, .custom("end"))
            #expect(try await process.exitReason == .custom("end"))
        }
    }

    private struct Question: Sendable {
        let from: Pid
        let ref: Reference
    }

    private struct Answer: Sendable {
        let ref: Reference
    }

    /// The time of 10,000 questions and answers, with as many other messages in the mailbox.
    private func time(waiting count: Int, _ node: Node) async throws -> Duration {
        let server = try node.spawn { process in
            while true {
                let question = try await process.receive(Question.self)
                try process.send(Answer(ref: question.ref), to: question.from)
            }
        }
        let options = ProcessOptions(mailbox: .init(capacity: 1_000_000))
        let client = try node.spawn(options: options) { process in
            for number in 0..<count { try process.send(number, to: process.pid) }
            let start = ContinuousClock.now
            for _ in 0..<10_000 {
                let ref = process.makeReference()
                try process.send(Question(from: process.pid, ref: ref), to: server.pid)
                _ = try await process.receive(Answer.self, answering: ref) { $0.ref == ref }
            }
            let time = ContinuousClock.now - start
            #expect(process.info.mailboxCount == count)
            return time
        }
        defer { node.kill(server.pid) }
        return try await client.value
    }

    @Test("500,000 messages that wait do not slow 10,000 questions by more than ten times")
    func marks() async throws {
        try await withNode { node in
            let quick = try await time(waiting: 0, node)
            let slow = try await time(waiting: 500_000, node)
            #expect(slow < quick * 10)
        }
    }

    @Test("a reference of another, or one made long ago, is found all the same")
    func foreignMark() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let old = process.makeReference()
                for _ in 0..<200 { _ = process.makeReference() }
                let foreign = node.makeReference()
                try process.send(Answer(ref: old), to: process.pid)
                try process.send(Answer(ref: foreign), to: process.pid)
                for ref in [foreign, old] {
                    let answer = try await process.receive(Answer.self, answering: ref) {
                        $0.ref == ref
                    }
                    #expect(answer.ref == ref)
                }
            }
        }
    }

    @Test("the mailbox as a sequence ends with the process")
    func sequence() async throws {
        try await withNode { node in
            let log = Log<Int>()
            let process = try node.spawn { process in
                for try await message in process.messages {
                    if let number = message as? Int { log.append(number) }
                }
            }
            for number in 0..<1000 { try process.send(number) }
            #expect(await log.wait(for: 1000) == Array(0..<1000))
            node.exit(process.pid, .shutdown)
            #expect(try await process.exitReason == .shutdown)
        }
    }
}
