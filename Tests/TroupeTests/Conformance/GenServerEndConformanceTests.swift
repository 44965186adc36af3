//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: end of a GenServer", .timeLimit(.minutes(4)))
struct GenServerEndConformanceTests {
    @Test(
        "GS-38 stop runs terminate with normal and returns when the server is gone",
        arguments: ServerKind.allCases)
    func stop(kind: ServerKind) async throws {
        try await withNode { node in
            for _ in 0..<50 {
                let log = Log<String>()
                let server = try await kind.spawn(
                    on: node, Script(log: log), options: .init(name: "server"))
                // What was sent before is handled before.
                try server.cast(.note("cast"))
                try await server.stop()
                #expect(log.elements == ["cast", "terminate normal"])
                #expect(!node.isAlive(server.pid) && node.whereis("server") == nil)
                #expect(node.count == 0)
                #expect(try await server.exitReason == .normal)
                await #expect(throws: CallError.noProcess(server.pid)) { try await server.stop() }
            }
        }
    }

    @Test("all who stop a server at once are told of its end", arguments: ServerKind.allCases)
    func stopAtOnce(kind: ServerKind) async throws {
        try await withNode { node in
            for _ in 0..<50 {
                let log = Log<String>()
                let server = try await kind.spawn(on: node, Script(log: log))
                let errors = await withTaskGroup(of: CallError?.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            do throws(CallError) {
                                try await server.stop()
                                return node.isAlive(server.pid) ? .cancelled : nil
                            } catch { return error }
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                #expect(errors.allSatisfy { $0 == nil || $0 == .noProcess(server.pid) })
                #expect(errors.contains(nil))
                #expect(log.elements == ["terminate normal"])
            }
        }
    }

    @Test(
        "GS-39 stop with a reason ends the server with it, also one that is suspended",
        arguments: ServerKind.allCases)
    func stopWithReason(kind: ServerKind) async throws {
        try await withNode { node in
            for isSuspended in [false, true] {
                let log = Log<String>()
                let (outcome, left) = try await node.runProcess { process in
                    let (server, ref) = try await kind.spawnMonitored(
                        from: process, Script(log: log))
                    if isSuspended { try await server.suspend() }
                    try await server.stop(.custom("enough"), timeout: .seconds(30))
                    let down = try await process.receive() as? MessageDown
                    return (reason: down?.reason, isSame: down?.ref == ref)
                }
                #expect(outcome.reason == .custom("enough") && outcome.isSame)
                #expect(log.elements == ["terminate enough"])
                #expect(left == [])
            }
        }
    }

    @Test(
        "GS-40 an exit signal ends a server that does not trap, after terminate; a kill at once",
        arguments: ServerKind.allCases)
    func exitSignal(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let one = try await kind.spawn(on: node, Script(log: log))
            node.exit(one.pid, .custom("told"))
            #expect(try await one.exitReason == .custom("told"))
            #expect(log.elements == ["terminate told"])
            let two = try await kind.spawn(on: node, Script(log: log))
            node.exit(two.pid, .kill)
            #expect(try await two.exitReason == .killed)
            // One that is ignored.
            let three = try await kind.spawn(on: node, Script(log: log))
            node.exit(three.pid, .normal)
            #expect(try await three.call(.note("lives")) == 1)
            #expect(log.elements == ["terminate told", "lives"])
        }
    }

    @Test(
        "GS-41 a trapping server gets the exit of a stranger in handleInfo, and lives",
        arguments: ServerKind.allCases)
    func strangersExit(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let script = Script(log: log)
            let server = try await kind.spawn(
                on: node, script, options: .init(trapsExits: true))
            let stranger = try node.spawn { process in
                try process.link(to: server.pid)
                process.exit(server.pid, .custom("sent"))
                process.exit(server.pid, .normal)
                throw TestError(41)
            }
            #expect(try await stranger.exitReason == .error(TestError(41)))
            #expect(try await server.call(.note("lives")) == 1)
            #expect(
                log.elements == [
                    "exit sent", "exit normal", "exit error(TestError(code: 41))", "lives",
                ])
        }
    }

    @Test(
        "GS-42 a trapping server obeys the parent that started it linked",
        arguments: ServerKind.allCases)
    func parentsExit(kind: ServerKind) async throws {
        try await withNode { node in
            for isSent in [false, true] {
                let log = Log<String>()
                let servers = Log<ScriptedRef>()
                let isDone = Gate()
                let parent = try node.spawn { process in
                    let server = try await kind.spawnLinked(
                        from: process, Script(log: log), options: .init(trapsExits: true))
                    servers.append(server)
                    node.exit(server.pid, .custom("stranger"))
                    #expect(await log.wait(for: 1) == ["exit stranger"])
                    if isSent {
                        process.unlink(from: server.pid)
                        process.exit(server.pid, .custom("parent"))
                        await isDone.wait()
                    } else {
                        throw ExitReason.custom("parent")
                    }
                }
                let server = await servers.wait(for: 1)[0]
                #expect(try await server.exitReason == .custom("parent"))
                #expect(log.elements == ["exit stranger", "terminate parent"])
                isDone.open()
                _ = try await parent.exitReason
            }
        }
    }

    @Test(
        "GS-43 what terminate throws replaces the reason", arguments: ServerKind.allCases)
    func terminateThrows(kind: ServerKind) async throws {
        try await withNode { node in
            let errors: [(any Error & Sendable, ExitReason)] = [
                (TestError(43), .error(TestError(43))),
                (ExitReason.custom("other"), .custom("other")),
            ]
            for (error, reason) in errors {
                let log = Log<String>()
                let script = Script(log: log, onTerminate: { _ in throw error })
                let stopped = try await kind.spawn(on: node, script)
                await #expect(throws: CallError.exited(reason)) {
                    try await stopped.stop(.shutdown)
                }
                #expect(try await stopped.exitReason == reason)
                let stopping = try await kind.spawn(on: node, script)
                let failure = await stopping.failure(of: .run { _ in throw ExitReason.normal })
                #expect(failure == .exited(reason))
                let told = try await kind.spawn(on: node, script)
                node.exit(told.pid, .shutdown)
                #expect(try await told.exitReason == reason)
                #expect(
                    log.elements == [
                        "terminate shutdown", "terminate normal", "terminate shutdown",
                    ])
            }
        }
    }

    @Test("GS-44 a server without terminate ends with the reason that it was given")
    func terminateMissing() async throws {
        try await withNode { node in
            for reason in [ExitReason.normal, .shutdown("x"), .custom("gone")] {
                let plain = try node.spawn(Counter.self, 0)
                try await plain.stop(reason)
                #expect(try await plain.exitReason == reason)
                let waiting = try await node.spawn(AsyncCounter.self, 0)
                try waiting.cast(.exit(reason))
                #expect(try await waiting.exitReason == reason)
            }
        }
    }

    @Test(
        "GS-45 what a handler throws is no return value: it ends the server",
        arguments: ServerKind.allCases)
    func thrownValue(kind: ServerKind) async throws {
        struct NotAnAnswer: Error, Equatable { let reply: Int }
        try await withNode { node in
            let server = try await kind.spawn(on: node)
            let thrown = ExitReason.error(NotAnAnswer(reply: 1))
            let failure = await server.failure(of: .run { _ in throw NotAnAnswer(reply: 1) })
            #expect(failure == .exited(thrown))
            #expect(try await server.exitReason == thrown)
        }
    }

    @Test(
        "GS-46 only an end that is not clean makes a report, with the last message and the state",
        arguments: ServerKind.allCases)
    func report(kind: ServerKind) async throws {
        let events = Log<Event>()
        let log = Log<Pid>()
        try await withNode(problemsLogged(in: events)) { node in
            for reason in [ExitReason.normal, .shutdown, .shutdown("x")] {
                let server = try await kind.spawn(on: node, Script(status: "secret"))
                try server.cast(.run { _ in throw reason })
                #expect(try await server.exitReason == reason)
            }
            let script = Script(status: "as described")
            let one = try await kind.spawn(on: node, script, options: .init(name: "one"))
            try one.cast(.run { _ in throw ExitReason.custom("bad") })
            #expect(try await one.exitReason == .custom("bad"))
            let two = try await kind.spawn(on: node)
            _ = await two.failure(of: .run { _ in throw TestError(46) })
            let three = try await kind.spawn(on: node, script)
            node.exit(three.pid, .custom("told"))
            _ = try await three.exitReason
            for server in [one, two, three] { log.append(server.pid) }
        }
        let reports = events.elements.compactMap(\.crashReport)
        #expect(events.elements.count == 3)
        #expect(reports.map(\.pid) == log.elements)
        #expect(
            reports.map(\.reason) == [.custom("bad"), .error(TestError(46)), .custom("told")])
        #expect(reports.map(\.lastMessage) == ["cast Command.run", "call Command.run", nil])
        #expect(reports.map(\.state) == ["as described", nil, "as described"])
        #expect(reports.map(\.names) == [["one"], [], []])
    }
}
