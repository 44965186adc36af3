//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: start of a GenServer", .timeLimit(.minutes(4)))
struct GenServerStartConformanceTests {
    @Test(
        "GS-01 init runs in the new process; a link or a monitor is there only if asked for",
        arguments: ServerKind.allCases)
    func start(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<Pid>()
            let script = Script(onInit: { log.append($0.pid) })
            let (checks, left) = try await node.runProcess { process in
                let single = try await kind.spawn(from: process, script)
                let linked = try await kind.spawnLinked(from: process, script)
                let (monitored, ref) = try await kind.spawnMonitored(from: process, script)
                let links = process.links
                try single.cast(.run { log.append($0.pid) })
                try await single.call(.run { log.append($0.pid) })

                // The end of each: unnoticed, an EXIT, a DOWN.
                for server in [single, linked, monitored] {
                    process.exit(server.pid, .custom("end"))
                    _ = try await server.exitReason
                }
                let exit = try await process.receive(timeout: .zero) as? MessageExit
                let down = try await process.receive(timeout: .zero) as? MessageDown
                return (
                    pids: [single.pid, linked.pid, monitored.pid], ref: ref, links: links,
                    exit: exit, down: down, parent: process.pid
                )
            }
            let pids = checks.pids
            #expect(log.elements == [pids[0], pids[1], pids[2], pids[0], pids[0]])
            #expect(Set(pids + [checks.parent]).count == 4)
            #expect(checks.links == [pids[1]])
            #expect(checks.exit == MessageExit(from: pids[1], reason: .custom("end")))
            #expect(checks.down?.ref == checks.ref && checks.down?.reason == .custom("end"))
            #expect(checks.down?.object == .pid(pids[2]))
            #expect(left == [])
        }
    }

    @Test(
        "GS-02 an init that asks to be ignored is no crash, in any variant of start",
        arguments: ServerKind.allCases)
    func ignored(kind: ServerKind) async throws {
        let events = Log<Event>()
        try await withNode(problemsLogged(in: events)) { node in
            let script = Script(onInit: { _ in throw IgnoreStart() })
            let options = ProcessOptions(name: "ignored")
            let (errors, left) = try await node.runProcess { process in
                [
                    await spawnFailure { () throws(SpawnError) in
                        try await kind.spawn(on: node, script, options: options)
                    },
                    await spawnFailure { () throws(SpawnError) in
                        try await kind.spawn(from: process, script, options: options)
                    },
                    await spawnFailure { () throws(SpawnError) in
                        try await kind.spawnLinked(from: process, script, options: options)
                    },
                    await spawnFailure { () throws(SpawnError) in
                        try await kind.spawnMonitored(from: process, script, options: options)
                    },
                ]
            }
            #expect(errors.map { $0?.isIgnored } == [true, true, true, true])
            #expect(left == [])
            #expect(node.whereis("ignored") == nil && node.count == 0)
        }
        #expect(events.elements.isEmpty)
    }

    @Test(
        "GS-03 an init that refuses: the reason is returned, the name is free, nothing remains",
        arguments: ServerKind.allCases)
    func refused(kind: ServerKind) async throws {
        let events = Log<Event>()
        try await withNode(problemsLogged(in: events)) { node in
            let options = ProcessOptions(name: "server")
            let log = Log<String>()
            let reasons = [
                ExitReason.custom("no"), .error(TestError(3)), .shutdown("no"), .shutdown, .normal,
            ]
            for reason in reasons {
                let script = Script(log: log, onInit: { _ in throw reason })
                let error = await spawnFailure { () throws(SpawnError) in
                    try await kind.spawn(on: node, script, options: options)
                }
                #expect(error?.initReason == reason)
                #expect(node.whereis("server") == nil)
                #expect(node.processes.isEmpty && node.count == 0)
            }
            // There was no state yet that `terminate` could clean up.
            #expect(log.elements == [])
            _ = try await kind.spawn(on: node, options: options)
        }
        // A clean reason is quiet; another one is a crash.
        let reports = events.elements.compactMap(\.crashReport)
        #expect(reports.map(\.reason) == [.custom("no"), .error(TestError(3))])
        #expect(reports.map(\.lastMessage) == ["init", "init"])
    }

    @Test(
        "GS-05 what init throws is what the starter is told",
        arguments: ServerKind.allCases)
    func initThrows(kind: ServerKind) async throws {
        try await withNode { node in
            let errors: [any Error & Sendable] = [TestError(7), ExitReason.custom("exit")]
            var reasons: [ExitReason?] = []
            for error in errors {
                let failure = await spawnFailure { () throws(SpawnError) in
                    try await kind.spawn(on: node, Script(onInit: { _ in throw error }))
                }
                reasons.append(failure?.initReason)
            }
            #expect(reasons == [.error(TestError(7)), .custom("exit")])
        }
    }

    @Test(
        "GS-06 an init slower than the start timeout fails the start and is killed",
        arguments: ServerKind.allCases)
    func initTooSlow(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let script = Script(
                log: log,
                onInit: {
                    switch kind {
                    case .plain: spin(for: .milliseconds(4), on: $0.node)
                    case .waiting: while !Task.isCancelled {}
                    }
                    log.append("init returns")
                })
            let options = ProcessOptions(name: "slow", startTimeout: .milliseconds(2))
            let error = await spawnFailure { () throws(SpawnError) in
                try await kind.spawn(on: node, script, options: options)
            }
            guard case .startTimeout(.milliseconds(2)) = error else {
                throw TestError(1)
            }
            #expect(node.whereis("slow") == nil)
            // One that gets no thread for a second is left behind, and ends later.
            #expect(node.processes == [])
            await waitWhile { node.count > 0 }
            // It was killed, so nothing but init has run; perhaps not even that has begun in time.
            #expect(kind == .plain ? log.elements.count == 1 : log.elements.count <= 1)
            // One that is fast enough is started.
            let fast = try await kind.spawn(
                on: node, options: .init(name: "slow", startTimeout: .seconds(30)))
            #expect(try await fast.call(.note("lives")) == 1)
        }
    }

    @Test("an init that waits is interrupted when the start timeout has come")
    func waitingInitTooSlow() async throws {
        struct Sleepy: AsyncGenServer {
            init(_ log: Log<String>, process: ServerProcess) async throws {
                do {
                    try await process.sleep(for: .seconds(1000))
                } catch {
                    log.append("\(error)")
                    throw error
                }
            }
        }
        try await withNode { node in
            let log = Log<String>()
            let error = await spawnFailure { () throws(SpawnError) in
                try await node.spawn(
                    Sleepy.self, log, options: .init(startTimeout: .milliseconds(20)))
            }
            #expect(error?.isStartTimeout == true)
            // Unless it has not even begun in time.
            #expect(log.elements == ["killed"] || log.elements == [])
            // One that gets no thread for a second is left behind, and ends later.
            #expect(node.processes == [])
            await waitWhile { node.count > 0 }
        }
    }

    @Test("an init that does not return when the start times out is left behind")
    func initDoesNotReturn() async throws {
        try await withNode { node in
            let (begun, until) = (Gate(), Gate())
            let log = Log<String>()
            let script = Script(log: log, initWaits: (begun, until))
            let options = ProcessOptions(name: "slow", startTimeout: .milliseconds(20))
            let (outcome, left) = try await node.runProcess { process in
                let error = await spawnFailure { () throws(SpawnError) in
                    try await ServerKind.waiting.spawnLinked(
                        from: process, script, options: options)
                }
                return (error: error, links: process.links, processes: node.processes, process.pid)
            }
            #expect(outcome.error?.isStartTimeout == true)
            #expect(outcome.links == [] && left == [])
            #expect(outcome.processes == [outcome.3] && node.whereis("slow") == nil)
            // When it returns after all, it ends.
            until.open()
            await waitWhile { node.count > 0 }
            #expect(log.elements == [])
        }
    }

    @Test(
        "GS-08 a taken name fails the start with its holder, and init does not run",
        arguments: ServerKind.allCases)
    func nameTaken(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let script = Script(onInit: { _ in log.append("init") })
            let options = ProcessOptions(name: "server")
            let first = try await kind.spawn(on: node, script, options: options)
            let (error, left) = try await node.runProcess { process in
                await spawnFailure { () throws(SpawnError) in
                    try await kind.spawnLinked(from: process, script, options: options)
                }
            }
            guard case .nameTaken("server", let holder) = error else { throw TestError(1) }
            #expect(holder == first.pid)
            #expect(left == [])
            #expect(log.elements == ["init"])
            #expect(node.processes == [first.pid] && node.whereis("server") == first.pid)
        }
    }

    @Test(
        "PLIB-01 a start returns only when init has, with and without a link",
        arguments: ServerKind.allCases, [false, true])
    func startWaits(kind: ServerKind, isLinked: Bool) async throws {
        try await withNode { node in
            let (begun, until) = (Gate(), Gate())
            let log = Log<String>()
            let script = Script(
                initWaits: (begun, until), onInit: { _ in log.append("init returns") })
            let starter = try node.spawn(options: .init(ownThread: true)) { process in
                log.append("start")
                if isLinked {
                    _ = try await kind.spawnLinked(from: process, script)
                } else {
                    _ = try await kind.spawn(from: process, script)
                }
                log.append("start returns")
            }
            await begun.wait()
            for _ in 0..<100 { await Task.yield() }
            #expect(log.elements == ["start"])
            until.open()
            #expect(try await starter.exitReason == .normal)
            #expect(log.elements == ["start", "init returns", "start returns"])
        }
    }

    @Test(
        "PLIB-02 a process that ends before its init has returned fails the start, linked or not",
        arguments: ServerKind.allCases)
    func endsInInit(kind: ServerKind) async throws {
        try await withNode { node in
            let crash = Script(onInit: { _ in throw TestError(2) })
            let kill = Script(onInit: { $0.exit($0.pid, .kill) })
            let exit = Script(onInit: { $0.exit($0.pid, .custom("told")) })
            let (reasons, left) = try await node.runProcess { process in
                var reasons: [ExitReason?] = []
                for script in [crash, kill, exit] {
                    let single = await spawnFailure { () throws(SpawnError) in
                        try await kind.spawn(from: process, script)
                    }
                    let linked = await spawnFailure { () throws(SpawnError) in
                        try await kind.spawnLinked(from: process, script)
                    }
                    reasons += [single?.initReason, linked?.initReason]
                }
                return reasons
            }
            #expect(
                reasons == [
                    .error(TestError(2)), .error(TestError(2)), .killed, .killed, .custom("told"),
                    .custom("told"),
                ])
            #expect(left == [])
            #expect(node.count == 0)
        }
    }

    @Test(
        "PLIB-03 a failed start leaves the starter neither an EXIT nor a DOWN",
        arguments: ServerKind.allCases)
    func failedStartIsQuiet(kind: ServerKind) async throws {
        try await withNode { node in
            let script = Script(onInit: { _ in throw TestError(3) })
            let (links, left) = try await node.runProcess { process in
                for _ in 0..<50 {
                    let linked = await spawnFailure { () throws(SpawnError) in
                        try await kind.spawnLinked(from: process, script)
                    }
                    let monitored = await spawnFailure { () throws(SpawnError) in
                        try await kind.spawnMonitored(from: process, script)
                    }
                    #expect(linked?.initReason == .error(TestError(3)))
                    #expect(monitored?.initReason == .error(TestError(3)))
                }
                return process.links
            }
            #expect(links == [] && left == [])
        }
    }

    @Test(
        "PLIB-04 when a start times out the process is dead, and the starter has no EXIT",
        arguments: ServerKind.allCases)
    func startTimeout(kind: ServerKind) async throws {
        try await withNode { node in
            let (survivors, left) = try await node.runProcess { process in
                var survivors: [Pid] = []
                // Init takes about as long as it may, so it returns before, at and after that.
                for round in 0..<300 {
                    let pids = Log<Pid>()
                    let length = Duration.microseconds(900 + 20 * (round % 30))
                    let script = Script(
                        onInit: {
                            pids.append($0.pid)
                            spin(for: length, on: $0.node)
                        })
                    let options = ProcessOptions(name: "slow", startTimeout: .milliseconds(1))
                    do {
                        let server = try await kind.spawnLinked(
                            from: process, script, options: options)
                        #expect(process.links == [server.pid])
                        process.unlink(from: server.pid)
                        try await server.stop()
                    } catch let error as SpawnError {
                        #expect(error.isStartTimeout)
                        #expect(process.links == [])
                        #expect(process.node.whereis("slow") == nil)
                        survivors += pids.elements.filter(process.node.isAlive)
                    }
                }
                return survivors
            }
            #expect(survivors == [] && left == [])
            #expect(node.count == 0)
        }
    }
}
