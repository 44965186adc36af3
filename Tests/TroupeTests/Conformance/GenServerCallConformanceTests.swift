//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: calls of a GenServer", .timeLimit(.minutes(4)))
struct GenServerCallConformanceTests {
    @Test(
        "GS-09 a call returns the reply once, and leaves nothing in the caller's mailbox",
        arguments: ServerKind.allCases)
    func reply(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await kind.spawn(on: node, Script(log: log))
            let (replies, left) = try await node.runProcess { process in
                var replies: [Int] = []
                for number in 0..<100 { replies.append(try await server.call(.note("\(number)"))) }
                return replies
            }
            #expect(replies == Array(repeating: 1, count: 100))
            #expect(log.elements == (0..<100).map { "\($0)" })
            #expect(left == [])
        }
    }

    @Test(
        "GS-10 a deferred reply is given by whoever holds the From, once",
        arguments: ServerKind.allCases)
    func deferredReply(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await kind.spawn(on: node, Script(log: log))
            let isDeferred = Gate()
            async let outcome = node.runProcess { _ in
                try await server.call(.deferReply(isDeferred: isDeferred))
            }
            await isDeferred.wait()
            // Others are served meanwhile.
            try await server.call(.note("meanwhile"))
            try server.cast(.replyToDeferred(42))
            let (reply, left) = try await outcome
            #expect(reply == 42 && left == [])
            try server.cast(.replyToDeferred(43))
            try await server.call(.note("end"))
            #expect(log.elements == ["meanwhile", "replied", "reply dropped", "end"])
        }
    }

    @Test(
        "GS-11 a call that is not answered in time fails, and the server goes on",
        arguments: ServerKind.allCases)
    func timeout(kind: ServerKind) async throws {
        try await withNode { node in
            let server = try await kind.spawn(on: node, options: kind.waitingOptions())
            let deferred = Command.deferReply(isDeferred: Gate())
            #expect(
                await server.failure(of: deferred, timeout: .milliseconds(5))
                    == .timeout(server.pid))
            let (begun, until) = (Gate(), Gate())
            let slow = Command.wait(begun: begun, until: until)
            #expect(
                await server.failure(of: slow, timeout: .milliseconds(5)) == .timeout(server.pid))
            await begun.wait()
            until.open()
            #expect(try await server.call(.note("lives")) == 1)
        }
    }

    @Test("GS-11 a call that is handled on its caller's thread, and for too long, has timed out")
    func lateInline() async throws {
        enum End: CaseIterable { case reply, noReply, stop, fail }
        struct Slow: GenServer {
            init(_: Void, process: ServerProcess) {}

            mutating func handleCall(
                _ end: End, from: From<Int>, process: ServerProcess
            ) throws -> CallResult<Int> {
                let late = process.node.clock.now.advanced(by: .milliseconds(50))
                while process.node.clock.now < late {}
                switch end {
                case .reply: return .reply(1)
                case .noReply: return .noReply
                case .stop: return .stop(.normal, reply: 1)
                case .fail: throw TestError(11)
                }
            }
        }
        try await withNode { node in
            for end in End.allCases {
                let server = try node.spawn(Slow.self)
                await #expect(throws: CallError.timeout(server.pid), "\(end)") {
                    try await server.call(end, timeout: .milliseconds(1))
                }
            }
        }
    }

    @Test(
        "GS-12 the reply to a call that has timed out is never seen",
        arguments: ServerKind.allCases)
    func lateReply(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await kind.spawn(on: node, Script(log: log))
            let (outcome, left) = try await node.runProcess { process in
                let error = await server.failure(
                    of: .deferReply(isDeferred: Gate()), timeout: .milliseconds(5))
                try server.cast(.replyToDeferred(42))
                let next = try await server.call(.note("next"))
                return (error: error, next: next)
            }
            #expect(outcome.error == .timeout(server.pid))
            #expect(outcome.next == 1)
            #expect(log.elements == ["reply dropped", "next"])
            #expect(left == [])
        }
    }

    @Test(
        "GS-13 a call to a server that has ended fails at once", arguments: ServerKind.allCases)
    func deadServer(kind: ServerKind) async throws {
        try await withNode { node in
            let server = try await kind.spawn(on: node)
            try await server.stop()
            let begin = node.clock.now
            let failure = await server.failure(of: .note("x"), timeout: .seconds(1000))
            #expect(failure == .noProcess(server.pid))
            await #expect(throws: CallError.noProcess(server.pid)) {
                try await server.direct(.note("x"))
            }
            #expect(begin.duration(to: node.clock.now) < .seconds(30))
        }
    }

    @Test("GS-14 a name that nobody holds, or a server of another type, gives nobody to call")
    func missingName() async throws {
        try await withNode { node in
            let server = try await ServerKind.plain.spawn(on: node, options: .init(name: "plain"))
            #expect(node.whereis("missing", as: PlainServer.self) == nil)
            #expect(node.whereis("", as: PlainServer.self) == nil)
            #expect(node.whereis("plain", as: WaitingServer.self) == nil)
            #expect(node.whereis("plain", as: Counter.self) == nil)
            let found = try #require(node.whereis("plain", as: PlainServer.self))
            #expect(found.pid == server.pid)
            #expect(try await found.call(.note("x")) == 1)
        }
    }

    @Test("GS-15 a process that calls or stops itself is told at once, instead of waiting")
    func callingSelf() async throws {
        try await withNode { node in
            let log = Log<CallError?>()
            let server = try await ServerKind.waiting.spawn(on: node, options: .init(name: "self"))
            try await server.call(
                .await { process in
                    let own = process.node.whereis("self", as: WaitingServer.self)
                    log.append(await ScriptedRef.waiting(process.ref).failure(of: .note("x")))
                    if let own {
                        log.append(await ScriptedRef.waiting(own).failure(of: .note("x")))
                    }
                    do throws(CallError) { try await process.ref.stop() } catch {
                        log.append(error)
                    }
                })
            let error = CallError.callingSelf(server.pid)
            #expect(log.elements == [error, error, error])
            #expect(try await server.call(.note("lives")) == 1)
        }
    }

    @Test(
        "GS-16 the end of the server, whatever the reason, ends the calls that wait for it",
        arguments: ServerKind.allCases)
    func serverEnds(kind: ServerKind) async throws {
        try await withNode { node in
            for reason in [ExitReason.normal, .shutdown, .shutdown("x"), .custom("gone"), .kill] {
                let server = try await kind.spawn(on: node)
                let isDeferred = Gate()
                async let outcome = node.runProcess { _ in
                    await server.failure(of: .deferReply(isDeferred: isDeferred))
                }
                await isDeferred.wait()
                // Told from outside, as far as that ends a server, or by itself.
                if reason == .normal || reason == .shutdown {
                    try server.cast(.run { _ in throw reason })
                } else {
                    node.exit(server.pid, reason)
                }
                let (error, left) = try await outcome
                #expect(error == .exited(reason == .kill ? .killed : reason))
                #expect(left == [])
            }
        }
    }

    @Test(
        "GS-21 reply and stop: the caller gets the reply, then the server ends with the reason",
        arguments: ServerKind.allCases)
    func replyAndStop(kind: ServerKind) async throws {
        try await withNode { node in
            for isQueued in [false, true] {
                let log = Log<String>()
                let (outcome, left) = try await node.runProcess { process in
                    let (server, ref) = try await kind.spawnMonitored(
                        from: process, Script(log: log))
                    let reply =
                        isQueued
                        ? try await server.sendRequest(.stop(.custom("done"))).receive()
                        : try await server.call(.stop(.custom("done")))
                    let down = try await process.receive() as? MessageDown
                    return (reply: reply, down: down?.reason, isSame: down?.ref == ref)
                }
                #expect(outcome.reply == 1)
                #expect(outcome.down == .custom("done") && outcome.isSame)
                #expect(left == [])
                #expect(log.elements == ["terminate done"])
            }
        }
    }

    @Test(
        "GS-22 a handler that stops the server without a reply fails the call with the reason",
        arguments: ServerKind.allCases)
    func stopWithoutReply(kind: ServerKind) async throws {
        try await withNode { node in
            for reason in [ExitReason.normal, .shutdown, .custom("done"), .error(TestError(1))] {
                let log = Log<String>()
                let server = try await kind.spawn(on: node, Script(log: log))
                #expect(
                    await server.failure(of: .run { _ in throw reason }) == .exited(reason))
                #expect(try await server.exitReason == reason)
                #expect(log.elements == ["terminate \(reason)"])

                let other = try await kind.spawn(on: node)
                await #expect(throws: CallError.exited(reason)) {
                    try await other.sendRequest(.run { _ in throw reason }).receive()
                }
            }
        }
    }

    @Test(
        "GS-23 a cast returns at once; to a server that has ended it hands the message back",
        arguments: ServerKind.allCases)
    func cast(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await kind.spawn(
                on: node, Script(log: log), options: kind.waitingOptions())
            let (begun, until) = (Gate(), Gate())
            try server.cast(.wait(begun: begun, until: until))
            await begun.wait()
            // Nobody waits for the handler.
            try server.cast(.note("cast"))
            #expect(log.elements == [])
            until.open()
            try await server.stop()
            #expect(log.elements == ["cast", "terminate normal"])
            let error = #expect(throws: SendError<Command>.self) { try server.cast(.note("late")) }
            #expect(error?.failure == .processUnknown(server.pid))
            guard case .note("late") = error?.message else { throw TestError(1) }
        }
    }

    @Test("GS-24 a message that handleInfo does not handle is an event, and the server lives")
    func unhandled() async throws {
        let events = Log<Event>()
        try await withNode(problemsLogged(in: events)) { node in
            let plain = try node.spawn(Counter.self, 3)
            let waiting = try await node.spawn(AsyncCounter.self, 4)
            try node.send("what", to: plain.pid)
            try node.send(5, to: waiting.pid)
            #expect(try await plain.call(.value) == 3)
            #expect(try await waiting.call(.value) == 4)
            let unhandled = events.elements.map { event in
                if case .unhandledMessage(let pid, let behaviour, let type) = event {
                    "\(pid) \(behaviour) \(type)"
                } else {
                    "\(event)"
                }
            }
            #expect(
                Set(unhandled) == [
                    "\(plain.pid) Counter String", "\(waiting.pid) AsyncCounter Int",
                ])
            #expect(unhandled.count == 2)
        }
    }

    @Test(
        "GS-26 what a handleInfo throws ends the server; the default does not hide it",
        arguments: ServerKind.allCases)
    func infoThrows(kind: ServerKind) async throws {
        let events = Log<Event>()
        try await withNode(problemsLogged(in: events)) { node in
            let log = Log<String>()
            let script = Script(log: log, onInfo: { _ in throw TestError(26) })
            let server = try await kind.spawn(on: node, script)
            try server.send("x")
            #expect(try await server.exitReason == .error(TestError(26)))
            #expect(log.elements == ["info x", "terminate error(TestError(code: 26))"])
        }
        #expect(events.elements.count == 1)
        #expect(events.elements.first?.crashReport?.lastMessage == "info String")
    }

    @Test(
        "GS-27 a reason that any callback throws is the reason with which the server ends",
        arguments: ServerKind.allCases)
    func reasonThrown(kind: ServerKind) async throws {
        try await withNode { node in
            let reason = ExitReason.custom("status")
            let stop: Script.Step = { _ in throw reason }
            let script = Script(
                onInfo: stop, onContinue: { _, _ in throw reason }, onTimeout: stop)
            let causes: [@Sendable (ScriptedRef) async throws -> Void] = [
                { _ = await $0.failure(of: .run(stop)) },
                { try $0.cast(.run(stop)) },
                { try $0.send("x") },
                { _ = try? await $0.direct(.run(stop)) },
                { try $0.cast(.run { $0.continue(with: "x") }) },
                { try $0.cast(.run { $0.setIdleTimeout(after: .zero) }) },
            ]
            for cause in causes {
                let server = try await kind.spawn(on: node, script)
                try await cause(server)
                #expect(try await server.exitReason == reason)
            }
        }
    }

    @Test(
        "GS-28 send, cast and call reach handleInfo, handleCast and handleCall, in their order",
        arguments: ServerKind.allCases)
    func mapping(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await kind.spawn(on: node, Script(log: log))
            try node.send("sent", to: server.pid)
            try server.cast(.run { _ in log.append("cast") })
            try server.send("sent too")
            let reply = try await server.call(.note("call"))
            #expect(reply == 1)
            #expect(log.elements == ["info sent", "cast", "info sent too", "call"])
        }
    }

    @Test("GS-29 direct, waiting or blocking, reaches handleDirect, with types of its own")
    func direct() async throws {
        try await withNode { node in
            let plain = try node.spawn(Spoken.self)
            let waiting = try await node.spawn(WaitingSpoken.self)
            #expect(try await plain.call(.number) == 1)
            #expect(try await waiting.call(.number) == 1)
            #expect(try await plain.direct(.init(text: "yes")) == "yes!")
            #expect(try await waiting.direct(.init(text: "yes")) == "yes!!")
            let blocking = await node.runBlocking {
                (
                    try? plain.directBlocking(.init(text: "no")),
                    try? waiting.directBlocking(.init(text: "no"))
                )
            }
            #expect(blocking == ("no!", "no!!"))
            // Without types of its own it is a call.
            let scripted = try await ServerKind.plain.spawn(on: node)
            #expect(try await scripted.direct(.note("x")) == 1)
            let scriptedWaiting = try await ServerKind.waiting.spawn(on: node)
            #expect(try await scriptedWaiting.direct(.note("x")) == 1)
        }
    }
}

private enum Question: Sendable { case number }
private struct Text: Sendable { let text: String }

private struct Spoken: GenServer {
    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Question, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> { .reply(1) }

    mutating func handleDirect(
        _ request: Text, from: From<String>, process: ServerProcess
    ) -> CallResult<String> { .reply(request.text + "!") }
}

private struct WaitingSpoken: AsyncGenServer {
    init(_: Void, process: ServerProcess) async {}

    mutating func handleCall(
        _ request: Question, from: From<Int>, process: ServerProcess
    ) async -> CallResult<Int> { .reply(1) }

    mutating func handleDirect(
        _ request: Text, from: From<String>, process: ServerProcess
    ) async -> CallResult<String> {
        await Task.yield()
        return .reply(request.text + "!!")
    }
}
