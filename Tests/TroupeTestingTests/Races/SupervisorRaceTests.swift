//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("Simulated races of supervisors", .timeLimit(.minutes(30)))
struct SupervisorRaceTests {
    // MARK: - Children

    /// A server that writes down when it starts (`+id`) and when it ends (`-id reason`), and ends with
    /// whatever `ExitReason` it is sent.
    private struct Worker: GenServer {
        struct Argument: Sendable {
            let id: String
            let journal: Journal<String>
        }

        let argument: Argument

        init(_ argument: Argument, process: ServerProcess) {
            self.argument = argument
            argument.journal.append("+\(argument.id)")
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
            if let reason = message as? ExitReason { throw reason }
        }

        mutating func terminate(reason: ExitReason, process: ServerProcess) {
            argument.journal.append("-\(argument.id) \(reason)")
        }
    }

    /// Takes long to start: until it is told to end.
    private struct Blocked: AsyncGenServer {
        init(_: Void, process: ServerProcess) async throws {
            try await process.sleep(for: .seconds(600))
        }
    }

    private static func worker(
        _ id: String, _ journal: Journal<String>, restart: Restart = .permanent,
        isSignificant: Bool = false
    ) -> ChildSpec {
        ChildSpec(
            Worker.self, .init(id: id, journal: journal), id: id, restart: restart,
            isSignificant: isSignificant)
    }

    // MARK: - An end while a child starts

    private static func endWhileStarting(
        _ simulation: Simulation, _ reason: ExitReason, isNested: Bool
    ) async throws {
        let node = try simulation.node()
        let journal = Journal<String>()
        let inner = SupervisorSpec {
            worker("a", journal)
            worker("b", journal)
            ChildSpec(Blocked.self)
        }
        let spec =
            isNested
            ? SupervisorSpec {
                worker("z", journal)
                ChildSpec.supervisor("inner", inner)
            } : inner
        let starter = try node.spawn { process in
            _ = try await process.spawnLinked(Supervisor.self, spec)
        }
        try node.spawn { process in
            await pause(3)
            process.exit(starter.pid, reason)
        }
        let end = try await starter.exitReason
        #expect(end == (reason == .kill ? .killed : reason))
        await simulation.settle()
        #expect(node.count == 0)
        let starts = journal.entries.filter { $0.hasPrefix("+") }.map { $0.dropFirst() }
        let ends = journal.entries.filter { $0.hasPrefix("-") }.map { $0.dropFirst() }
        // All that have started, in reverse order, and in order: nobody was killed.
        #expect(ends == starts.reversed().map { "\($0) shutdown" })
    }

    @Test("RACE-18 a supervisor that is told to end while it starts a child leaves none behind")
    func endWhileStarting() async throws {
        try await explore(.endWhileStarting) { simulation, _ in
            let reasons = [ExitReason.shutdown, .custom("stop"), .kill]
            try await Self.endWhileStarting(
                simulation, reasons[simulation.random(in: 0..<3)],
                isNested: simulation.random(in: 0..<2) == 1)
        }
        try await exploreAll { simulation, _ in
            try await Self.endWhileStarting(simulation, .shutdown, isNested: false)
        }
    }

    @Test("RACE-18 when a supervisor is killed while it starts a child, all die by their links")
    func killWhileStarting() async throws {
        try await explore(.killWhileStarting) { simulation, _ in
            let node = try simulation.node()
            let journal = Journal<String>()
            let starter = try node.spawn { process in
                _ = try await process.spawnLinked(
                    Supervisor.self,
                    SupervisorSpec {
                        Self.worker("a", journal)
                        ChildSpec.supervisor("inner") {
                            Self.worker("b", journal)
                            ChildSpec(Blocked.self)
                        }
                    }, options: .init(name: "supervisor"))
            }
            try node.spawn { process in
                await pause(3)
                if let supervisor = node.whereis("supervisor") {
                    process.exit(supervisor, .kill)
                } else {
                    process.exit(starter.pid, .kill)
                }
            }
            _ = try await starter.exitReason
            try await simulation.sleep(for: .seconds(10))
            #expect(node.count == 0)
        }
    }

    // MARK: - Children that end by themselves

    private static func naughtyChildren(
        _ simulation: Simulation, stops: Bool, dying: Bool
    ) async throws {
        let node = try simulation.node()
        let started = Journal<Pid>()
        let supervisor = try await node.spawn(
            Supervisor.self,
            SupervisorSpec(limit: .plenty) {
                ChildSpec("unlinked", options: .trapping) { process in
                    started.append(process.pid)
                    await pause(1)
                    if let parent = process.parent { process.unlink(from: parent) }
                    await pause(1)
                    throw ExitReason.custom("naughty")
                }
                if dying { ChildSpec(Idler.self, id: "dying") }
            })
        if dying, let pid = try await supervisor.whichChild("dying").pid {
            started.append(pid)
            try node.spawn { $0.exit(pid, .custom("at once")) }
        }
        if stops {
            try await supervisor.stop()
        } else {
            for id in dying ? ["unlinked", "dying"] : ["unlinked"] {
                try await supervisor.terminateChild(id)
            }
            let count = try await supervisor.countChildren()
            #expect(count.active == 0)
            await simulation.settle()
            let later = try await supervisor.countChildren()
            #expect(later.active == 0)
            try await supervisor.stop()
        }
        await simulation.settle()
        #expect(started.entries.allSatisfy { !node.isAlive($0) })
        #expect(node.count == 0)
    }

    @Test(
        "RACE-20 a child that has unlinked itself, or dies at the same time, is ended all the same")
    func naughtyChildren() async throws {
        try await explore(.naughtyChildren) { simulation, _ in
            try await Self.naughtyChildren(
                simulation, stops: simulation.random(in: 0..<2) == 1, dying: true)
        }
        for stops in [false, true] {
            try await exploreAll { simulation, _ in
                try await Self.naughtyChildren(simulation, stops: stops, dying: false)
            }
        }
    }

    // MARK: - A child that fails to start

    /// Fails to start but for the first time and the last.
    private struct Failing: GenServer {
        struct Failure: Error, Hashable {}
        static let failures = 30

        init(_ attempts: Journal<Void>, process: ServerProcess) throws {
            let count = attempts.entries.count
            attempts.append(())
            if count > 0, count < Self.failures { throw Failure() }
        }
    }

    private static func failingLoop(_ simulation: Simulation, terminates: Bool) async throws {
        let node = try simulation.node()
        let attempts = Journal<Void>()
        let supervisor = try await node.spawn(
            Supervisor.self,
            SupervisorSpec(limit: .plenty) {
                ChildSpec(Failing.self, attempts, id: "failing")
                ChildSpec(Idler.self, id: "other")
            })
        let child = try await supervisor.whichChild("failing")
        try node.spawnKiller(of: try #require(child.pid))
        await pause(simulation.random(in: 0..<20))
        let count = try await supervisor.countChildren()
        #expect(count.specs == 2 && count.workers == 2 && count.active >= 1)
        let all = try await supervisor.whichChildren()
        #expect(all.map(\.id) == ["other", "failing"])
        if terminates {
            try await supervisor.terminateChild("failing")
            let count = attempts.entries.count
            let stopped = try await supervisor.whichChild("failing")
            #expect(stopped.status == .stopped)
            try await simulation.sleep(for: .seconds(1))
            #expect(attempts.entries.count == count)
        }
        try await supervisor.stop()
        let last = attempts.entries.count
        try await simulation.sleep(for: .seconds(1))
        #expect(attempts.entries.count == last)
        #expect(node.count == 0)
    }

    @Test(
        "RACE-22 a child that fails to start again and again: the supervisor answers, and can end")
    func failingLoop() async throws {
        try await explore(.failingLoop) { simulation, _ in
            try await Self.failingLoop(
                simulation, terminates: simulation.random(in: 0..<2) == 1)
        }
    }

    // MARK: - Automatic shutdown

    private static func significantTogether(
        _ simulation: Simulation, _ mode: AutoShutdown
    ) async throws {
        let node = try simulation.node()
        let journal = Journal<String>()
        let supervisor = try await node.spawn(
            Supervisor.self,
            SupervisorSpec(autoShutdown: mode) {
                worker("a", journal, restart: .transient, isSignificant: true)
                worker("b", journal, restart: .temporary, isSignificant: true)
                worker("c", journal)
            })
        var pids: [Pid] = []
        for id in ["a", "b"] { pids.append(try #require(try await supervisor.whichChild(id).pid)) }
        for pid in pids { try node.spawn { _ = try? $0.send(ExitReason.normal, to: pid) } }
        let reason = try await supervisor.exitReason
        #expect(reason == .shutdown)
        await simulation.settle()
        #expect(node.count == 0)
        let ends = journal.entries.filter { $0.hasPrefix("-") }.map { $0.prefix(2) }
        #expect(ends.sorted() == ["-a", "-b", "-c"])
    }

    @Test("RACE-23 significant children that end together: one shutdown, each is ended once")
    func significantTogether() async throws {
        try await explore(.significantTogether) { simulation, _ in
            try await Self.significantTogether(
                simulation, [.anySignificant, .allSignificant][simulation.random(in: 0..<2)])
        }
    }

    @Test("the delays of a back-off are random, and the same in every run of a seed")
    func backoff() async throws {
        try await expectSameTrace(seed: 1) { simulation in
            let node = try simulation.node()
            let recovery = ChildRecovery(
                backoff: RestartBackoff(from: .milliseconds(10), upTo: .seconds(1), jitter: 0.5))
            let supervisor = try await node.spawn(
                Supervisor.self,
                SupervisorSpec(limit: .plenty) {
                    ChildSpec(Idler.self, id: "child", recovery: recovery)
                })
            for _ in 0..<4 {
                let child = try await supervisor.whichChild("child")
                node.kill(try #require(child.pid))
                try await simulation.sleep(for: .seconds(1))
            }
        }
    }
}
