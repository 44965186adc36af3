//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: ends that race", .timeLimit(.minutes(4)))
struct EndRaceConformanceTests {
    // MARK: - Several causes

    @Test("RACE-06 whatever ends a process at once, all see one and the same reason, once")
    func causes() async throws {
        try await withNode { node in
            for round in 0..<200 {
                let log = Log<String>()
                let victim: Pid
                let exitReason: @Sendable () async throws -> ExitReason?
                let returnNormally: @Sendable () -> Void
                if round % 2 == 0 {
                    let process = try node.spawn { process in
                        // To give back at the end, so that the others have some time.
                        for _ in 0..<100 { _ = process.makeAlias() }
                        _ = try await process.receive()
                    }
                    victim = process.pid
                    exitReason = { try await process.exitReason }
                    returnNormally = { try? process.send("end") }
                } else {
                    let server = try node.spawn(Recorder.self, .init(log))
                    victim = server.pid
                    exitReason = { try await server.exitReason }
                    returnNormally = { try? server.cast { _ in throw ExitReason.normal } }
                }
                let isReady = Gate()
                let watcher = try node.spawn(options: .trapping) { process in
                    try process.link(to: victim)
                    let refs = Set((0..<2).map { _ in process.monitor(victim) })
                    isReady.open()
                    return try await Self.reasons(process, victim, refs)
                }
                await isReady.wait()
                await Self.atOnce([
                    returnNormally, { node.exit(victim, .custom("exit")) }, { node.kill(victim) },
                ])
                let reasons = try await watcher.value
                let reason = try #require(reasons.first)
                #expect(reasons == [reason, reason, reason])
                #expect([.normal, .custom("exit"), .killed].contains(reason))
                #expect(try await exitReason() ?? reason == reason)
                // A kill may come while `terminate` runs, so it may have run before one.
                #expect(log.elements.count <= 1)
                if round % 2 == 1, reason != .killed {
                    #expect(log.elements == ["terminate \(reason)"])
                }
            }
        }
    }

    @Test("RACE-06 a kill counts up to the last moment, for everybody")
    func killAtLast() async throws {
        try await withNode { node in
            let ending = SlowToEnd.Argument()
            let server = try node.spawn(SlowToEnd.self, ending, options: .init(ownThread: true))
            let observer = try await node.observe(server.pid)
            node.exit(server.pid, .custom("first"))
            await ending.isTerminating.wait()
            node.exit(server.pid, .custom("second"))
            node.kill(server.pid)
            ending.gate.open()
            #expect(try await observer.exits() == [MessageExit(from: server.pid, reason: .killed)])
        }
    }

    /// The reasons of one EXIT and one DOWN for each ref, after which there is nothing more.
    private static func reasons(
        _ process: Process, _ victim: Pid, _ refs: Set<MonitorRef>
    ) async throws -> [ExitReason] {
        var reasons: [ExitReason] = []
        var open = refs
        var exits = 0
        while exits == 0 || !open.isEmpty {
            switch try await process.receive() {
            case let exit as MessageExit:
                #expect(exit.from == victim)
                exits += 1
                reasons.append(exit.reason)
            case let down as MessageDown:
                #expect(open.remove(down.ref) != nil)
                #expect(down.result == nil || down.reason == .normal)
                reasons.append(down.reason)
            case let other: Issue.record("unexpected \(type(of: other as Any))")
            }
        }
        #expect(try await process.hasNothing())
        return reasons
    }

    /// Does several things from several tasks, as near to the same time as can be.
    private static func atOnce(_ actions: [@Sendable () -> Void]) async {
        let start = Gate()
        await withTaskGroup(of: Void.self) { group in
            for action in actions.shuffled() {
                group.addTask {
                    await start.wait()
                    action()
                }
            }
            start.open()
        }
    }

    // MARK: - During init

    /// Blocks its thread in `init` until it is let go.
    private struct SlowStart: GenServer {
        struct Argument: Sendable { let started = Gate(), gate = Gate() }
        init(_ argument: Argument, process: ServerProcess) {
            argument.started.open()
            argument.gate.waitBlocking()
        }
    }

    /// Waits in `init`, for the gate or in an operation of the library.
    private struct SlowAsyncStart: AsyncGenServer {
        struct Argument: Sendable {
            let started = Gate(), gate = Gate()
            var sleeps = false
        }
        init(_ argument: Argument, process: ServerProcess) async throws {
            argument.started.open()
            if argument.sleeps { try await process.sleep(for: .seconds(1000)) }
            await argument.gate.wait()
        }
    }

    @Test("RACE-08 a child that is killed in its init is not started, and its name is free")
    func childKilled() async throws {
        try await withNode { node in
            let direct = SlowStart.Argument()
            let starting = try startAndExpectKilled(node) { process in
                _ = try process.spawnLinked(
                    SlowStart.self, direct, options: .init(name: "n", ownThread: true))
            }
            await direct.started.wait()
            node.kill(try #require(node.whereis("n")))
            direct.gate.open()
            try await starting.value
            for sleeps in [false, true] {
                let argument = SlowAsyncStart.Argument(sleeps: sleeps)
                let starting = try startAndExpectKilled(node) { process in
                    _ = try await process.spawnLinked(
                        SlowAsyncStart.self, argument, options: .init(name: "n"))
                }
                await argument.started.wait()
                node.kill(try #require(node.whereis("n")))
                if !sleeps { argument.gate.open() }
                try await starting.value
            }
        }
    }

    /// A process that starts another, which is killed; it is left nothing of it.
    private func startAndExpectKilled(
        _ node: Node, _ start: @escaping @Sendable (Process) async throws -> Void
    ) throws -> ProcessRef<Void> {
        try node.spawn(options: .init(trapsExits: true, ownThread: true)) { process in
            do {
                try await start(process)
                Issue.record("it was started")
            } catch SpawnError.initFailed(let reason) {
                #expect(reason == .killed)
            }
            #expect(process.links.isEmpty && node.whereis("n") == nil && node.count == 1)
            #expect(try await process.hasNothing())
        }
    }

    @Test("RACE-08 when the starter is killed a linked child dies, no child is half there")
    func starterKilled() async throws {
        try await withNode { node in
            // The starter can leave an async init, and takes the child with it, linked or not.
            for (isLinked, sleeps) in [(true, true), (true, false), (false, true), (false, false)] {
                let argument = SlowAsyncStart.Argument(sleeps: sleeps)
                let options = ProcessOptions(name: "n")
                let starter = try node.spawn { process in
                    if isLinked {
                        _ = try await process.spawnLinked(
                            SlowAsyncStart.self, argument, options: options)
                    } else {
                        _ = try await process.spawn(SlowAsyncStart.self, argument, options: options)
                    }
                    while true { _ = try await process.receive() }
                }
                await argument.started.wait()
                node.kill(starter.pid)
                if !sleeps { argument.gate.open() }
                #expect(try await starter.exitReason == .killed)
                #expect(node.whereis("n") == nil && node.count == 0)
            }
            // It waits for a direct one to return; then the child is there for good, or is linked.
            for isLinked in [true, false] {
                let argument = SlowStart.Argument()
                let options = ProcessOptions(name: "n", ownThread: true)
                let starter = try node.spawn(options: .init(ownThread: true)) { process in
                    if isLinked {
                        _ = try process.spawnLinked(SlowStart.self, argument, options: options)
                    } else {
                        _ = try process.spawn(SlowStart.self, argument, options: options)
                    }
                    while true { _ = try await process.receive() }
                }
                await argument.started.wait()
                let child = try #require(node.whereis("n"))
                node.kill(starter.pid)
                argument.gate.open()
                #expect(try await starter.exitReason == .killed)
                if isLinked {
                    while node.isAlive(child) { await Task.yield() }
                    #expect(node.whereis("n") == nil)
                } else {
                    let observer = try await node.observe(child)
                    #expect(node.whereis("n") == child)
                    node.exit(child, .shutdown)
                    let expected = [MessageExit(from: child, reason: .shutdown)]
                    #expect(try await observer.exits() == expected)
                }
            }
        }
    }

    // MARK: - During a call

    /// Answers later.
    private struct Deferring: GenServer {
        enum Call: Sendable { case ask(Gate), whatever }
        enum Cast: Sendable { case reply(Log<Bool>) }

        var callers: [From<Int>] = []

        init(_: Void, process: ServerProcess) {}

        mutating func handleCall(
            _ request: Call, from: From<Int>, process: ServerProcess
        ) -> CallResult<Int> {
            guard case .ask(let isDeferred) = request else { return .reply(2) }
            callers.append(from)
            isDeferred.open()
            return .noReply
        }

        mutating func handleCast(_ message: Cast, process: ServerProcess) {
            switch message {
            case .reply(let log): log.append(callers.removeFirst().reply(1))
            }
        }
    }

    @Test("RACE-15 the reply to a caller that has died goes nowhere, and the server forgets it")
    func callerDies() async throws {
        try await withNode { node in
            let server = try node.spawn(Deferring.self)
            for round in 0..<200 {
                let isDeferred = Gate()
                let caller = try node.spawn { _ in
                    try await server.call(.ask(isDeferred), timeout: .seconds(1000))
                }
                await isDeferred.wait()
                let log = Log<Bool>()
                if round % 2 == 0 {
                    node.kill(caller.pid)
                    let reason = try await caller.exitReason
                    #expect(reason == .killed)
                    #expect(server.cell.deferredCallCount == 0)
                    try server.cast(.reply(log))
                    #expect(await log.wait(for: 1) == [false])
                } else {
                    await Self.atOnce([
                        { node.kill(caller.pid) }, { try? server.cast(.reply(log)) },
                    ])
                    let reason = try await caller.exitReason
                    let wasReplied = await log.wait(for: 1) == [true]
                    #expect(reason == .killed || (reason == .normal && wasReplied))
                }
                #expect(server.cell.deferredCallCount == 0)
                #expect(try await server.call(.whatever) == 2)
            }
        }
    }
}
