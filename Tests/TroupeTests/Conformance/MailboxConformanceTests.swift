//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: mailboxes, sending, order", .timeLimit(.minutes(4)))
struct MailboxConformanceTests {
    @Test("MBOX-01 messages of one sender arrive in the order in which they were sent")
    func onePair() async throws {
        try await withNode { node in
            let count = 2000
            let receiver = try node.spawn(options: .init(name: "receiver")) { process in
                var seen: [Int] = []
                for _ in 0..<count { seen.append(try await process.receive() as? Int ?? -1) }
                return seen
            }
            // By all the ways there are to name the receiver.
            try await node.inProcess { process in
                for number in 0..<count {
                    switch number % 3 {
                    case 0: try process.send(number, to: receiver.pid)
                    case 1: try process.send(number, to: "receiver")
                    default: try receiver.send(number)
                    }
                }
            }
            #expect(try await receiver.value == Array(0..<count))
        }
    }

    @Test("MBOX-02 messages of several senders mix, but each sender's keep their order")
    func severalSenders() async throws {
        struct Numbered: Sendable { let sender: Int, number: Int }
        try await withNode { node in
            let receiver = try node.spawn { process in
                var next = Array(repeating: 0, count: 4)
                for _ in 0..<4 * 20_000 {
                    guard let message = try await process.receive() as? Numbered else { continue }
                    #expect(next[message.sender] == message.number)
                    next[message.sender] += 1
                }
                return next
            }
            for sender in 0..<4 {
                try node.spawn { process in
                    for number in 0..<20_000 {
                        let message = Numbered(sender: sender, number: number)
                        do {
                            try process.send(message, to: receiver.pid)
                        } catch {
                            try await node.send(
                                message, to: .pid(receiver.pid), waitingUpTo: .seconds(30))
                        }
                    }
                }
            }
            #expect(try await receiver.value == Array(repeating: 20_000, count: 4))
        }
    }

    @Test("MBOX-03 a send returns at once: the receiver does not run in it, and may be busy")
    func sendDoesNotWait() async throws {
        let scheduler = Scheduler.threads(1)
        defer { scheduler.shutDown() }
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let log = Log<String>()
            let idle = try node.spawn(Recorder.self, .init(log))
            // The only thread is this process's until it waits.
            try await node.inProcess { process in
                try process.send("one", to: idle.pid)
                try idle.send("two")
                try idle.cast { _ in log.append("three") }
                #expect(log.elements == [])
            }
            #expect(await log.wait(for: 3) == ["one", "two", "three"])
            let busy = try await node.spawnBlocked(.init())
            for number in 0..<100 { try busy.server.send(number) }
            #expect(busy.log.elements == [])
            busy.gate.open()
            #expect(await busy.log.wait(for: 100) == (0..<100).map(String.init))
        }
    }

    @Test("MBOX-04 a send to a process that is gone fails and hands the message back")
    func sendToGone() async throws {
        try await withNode { node in
            let gone = try node.spawn { _ in 1 }
            _ = try await gone.exitReason
            let never = Pid(node: "test", id: 99_999, creation: node.creation)
            for pid in [gone.pid, never] {
                let plain = #expect(throws: SendError<String>.self) {
                    try node.send("m", to: pid)
                }
                #expect(plain?.failure == .processUnknown(pid) && plain?.message == "m")
                let waiting = await #expect(throws: SendError<String>.self) {
                    try await node.send("m", to: .pid(pid), waitingUpTo: .seconds(60))
                }
                #expect(waiting?.failure == .processUnknown(pid) && waiting?.message == "m")
            }
            let direct = #expect(throws: SendError<String>.self) { try gone.send("m") }
            #expect(direct?.failure == .processUnknown(gone.pid) && direct?.message == "m")
        }
    }

    @Test("MBOX-05 a send to a process of an earlier start of the node says so")
    func sendToOldIncarnation() async throws {
        let first = try Node(name: "test", options: NodeOptions(events: NoEvents()))
        let old = try first.spawnListener().pid
        await first.stop()
        try await withNode { node in
            // Somebody new who has the same number.
            var same = try node.spawnListener().pid
            while same.id < old.id { same = try node.spawnListener().pid }
            let error = #expect(throws: SendError<String>.self) { try node.send("m", to: old) }
            #expect(error?.failure == .incarnation(old) && error?.message == "m")
            let waiting = await #expect(throws: SendError<String>.self) {
                try await node.send("m", to: .pid(old), waitingUpTo: .seconds(60))
            }
            #expect(waiting?.failure == .incarnation(old))
        }
    }

    @Test("MBOX-08 receive without patience takes what is there, else returns nil")
    func receiveNow() async throws {
        try await withNode { node in
            let gone = try node.spawn { _ in 1 }
            _ = try await gone.exitReason
            try await node.inProcess { process in
                for timeout in [Duration.zero, .seconds(-1)] {
                    let nothing = try await process.receive(timeout: timeout)
                    #expect(nothing == nil)
                    try process.send("here", to: process.pid)
                    let message = try await process.receive(timeout: timeout) as? String
                    #expect(message == "here")
                    let ref = process.monitor(gone.pid)
                    let down = try await process.receive(timeout: timeout) as? MessageDown
                    #expect(down?.ref == ref)
                }
            }
        }
    }

    @Test("MBOX-16 what a process sends to itself arrives like any other message, in order")
    func sendToSelf() async throws {
        try await withNode { node in
            try await node.inProcess(.init(name: "me")) { process in
                try process.send(1, to: process.pid)
                try process.send(2, to: "me")
                try process.send(3, to: process.pid)
                for number in 1...3 {
                    let message = try await process.receive() as? Int
                    #expect(message == number)
                }
            }
            let log = Log<String>()
            let server = try node.spawn(Recorder.self, .init(log))
            try server.cast { process in
                for number in 1...3 { try process.send(number, to: process.pid) }
                log.append("sent")
            }
            #expect(await log.wait(for: 4) == ["sent", "1", "2", "3"])
        }
    }

    /// Its end takes until the gate opens.
    private struct SlowEnd: GenServer {
        struct Argument: Sendable {
            let log = Log<String>()
            let ending = Gate()
            let gate = Gate()
        }

        let argument: Argument

        init(_ argument: Argument, process: ServerProcess) throws { self.argument = argument }

        mutating func handleCall(
            _ request: String, from: From<Int>, process: ServerProcess
        ) throws -> CallResult<Int> {
            argument.log.append(request)
            return .reply(1)
        }

        mutating func handleCast(_ message: String, process: ServerProcess) throws {
            argument.log.append(message)
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
            argument.log.append("\(message)")
        }

        mutating func terminate(reason: ExitReason, process: ServerProcess) throws {
            argument.ending.open()
            argument.gate.waitBlocking()
        }
    }

    @Test("MBOX-20 what reaches a process that is ending is dropped without a word")
    func sendToEnding() async throws {
        try await withNode { node in
            let argument = SlowEnd.Argument()
            let server = try node.spawn(
                SlowEnd.self, argument, options: .init(ownThread: true))
            try await node.inProcess { process in
                let ref = process.monitor(server.pid)
                process.exit(server.pid, .shutdown)
                await argument.ending.wait()
                try process.send("message", to: server.pid)
                try server.send("message")
                try server.cast("cast")
                async let call = { () async -> CallError? in
                    do throws(CallError) {
                        _ = try await server.call("call")
                        return nil
                    } catch { return error }
                }()
                await waitWhile { server.cell.queueLength < 4 }
                argument.gate.open()
                #expect(await call == .exited(.shutdown))
                let down = try await process.receiveDown()
                #expect(
                    down == SeenDown(ref: ref, object: .pid(server.pid), reason: .shutdown))
                #expect(throws: SendError<String>.self) { try process.send("m", to: server.pid) }
            }
            #expect(argument.log.elements == [])
        }
    }

    /// Its start takes until the gate opens.
    private struct SlowStart: AsyncGenServer {
        struct Argument: Sendable {
            let log = Log<String>()
            let starting = Gate()
            let gate = Gate()
        }

        let argument: Argument

        init(_ argument: Argument, process: ServerProcess) async throws {
            argument.starting.open()
            await argument.gate.wait()
            argument.log.append("started")
            self.argument = argument
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
            argument.log.append("\(message)")
        }
    }

    @Test("MBOX-21 what reaches a process before it runs waits until it does")
    func sendToStarting() async throws {
        let scheduler = Scheduler.threads(1)
        defer { scheduler.shutDown() }
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            // The only thread is the parent's until it waits.
            try await node.inProcess { process in
                let child = try process.spawn { child in
                    var seen: [String?] = []
                    for _ in 0..<2 { seen.append(try await child.receive() as? String) }
                    return seen
                }
                try child.send("one")
                try process.send("two", to: child.pid)
                #expect(try await child.value == ["one", "two"])
            }
            let argument = SlowStart.Argument()
            async let server = node.spawn(
                SlowStart.self, argument, options: .init(name: "starting"))
            await argument.starting.wait()
            for number in 1...3 { try node.send(number, to: "starting") }
            #expect(argument.log.elements == [])
            argument.gate.open()
            _ = try await server
            #expect(await argument.log.wait(for: 4) == ["started", "1", "2", "3"])
        }
    }
}
