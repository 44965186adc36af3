//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: races of supervisors", .timeLimit(.minutes(4)))
struct SupervisorRaceConformanceTests {
    /// A supervisor that starts `a`, and then a child whose `init` waits until the gate opens or it
    /// is told to end.
    private func blocked(_ log: Log<String>, _ isStarting: Gate) -> SupervisorSpec {
        SupervisorSpec {
            ChildSpec.worker("a", log)
            ChildSpec(
                Waiter.self,
                Waiter.Argument(onInit: { process in
                    isStarting.open()
                    try await process.sleep(for: .seconds(600))
                }), id: "b")
        }
    }

    @Test("RACE-18 a supervisor that is told to end while it starts a child leaves none behind")
    func endWhileStarting() async throws {
        for reason in [ExitReason.shutdown, .custom("stop"), .kill] {
            for isNested in [false, true] {
                try await withNode { node in
                    let (log, isStarting) = (Log<String>(), Gate())
                    let inner = blocked(log, isStarting)
                    let spec =
                        isNested
                        ? SupervisorSpec {
                            ChildSpec.worker("z", log)
                            ChildSpec.supervisor("inner", inner)
                        } : inner
                    let starter = try node.spawn { process in
                        _ = try await process.spawnLinked(Supervisor.self, spec)
                    }
                    await isStarting.wait()
                    node.exit(starter.pid, reason)
                    let end = try await starter.exitReason
                    #expect(end == (reason == .kill ? .killed : reason))
                    await waitWhile { node.count > 0 }
                    let ends = log.elements.filter { $0.hasPrefix("-") }
                    // In reverse order, and in order: nobody was killed.
                    #expect(ends == (isNested ? ["-a shutdown", "-z shutdown"] : ["-a shutdown"]))
                }
            }
        }
    }

    @Test("RACE-18 a supervisor that ends itself in its own init ends its children in order")
    func lifetimeOver() async throws {
        try await withNode { node in
            let (log, isStarting, token) = (Log<String>(), Gate(), LifetimeToken())
            let task = Task {
                try await node.spawn(
                    Supervisor.self, blocked(log, isStarting),
                    options: .init(lifetime: .token(token)))
            }
            await isStarting.wait()
            token.cancel()
            await #expect(throws: SpawnError.self) { try await task.value }
            #expect(log.elements == ["+a", "-a shutdown"])
            #expect(node.count == 0)
        }
    }

    @Test(
        "RACE-20 a child that has unlinked itself, or dies at the same time, is ended all the same")
    func naughtyChildren() async throws {
        try await withNode { node in
            for round in 0..<50 {
                let supervisor = try await node.spawn(
                    Supervisor.self,
                    SupervisorSpec(limit: .plenty) {
                        ChildSpec("unlinked") { process in
                            if let parent = process.parent { process.unlink(from: parent) }
                            _ = try await process.receive()
                        }
                        ChildSpec.worker("dying")
                    })
                let pids = try await supervisor.pids(of: ["unlinked", "dying"])
                if round.isMultiple(of: 2) {
                    for pid in pids { node.exit(pid, .custom("at once")) }
                    try await supervisor.terminateChild("unlinked")
                    try await supervisor.terminateChild("dying")
                    #expect(try await supervisor.countChildren().active == 0)
                }
                try await supervisor.stop()
                #expect(pids.allSatisfy { !node.isAlive($0) })
                await waitWhile { node.count > 0 }
            }
        }
    }

    @Test(
        "RACE-22 a child that fails to start again and again: the supervisor answers, and can end")
    func failingLoop() async throws {
        try await withNode { node in
            for end in ["terminate", "stop"] {
                let attempts = Count()
                let supervisor = try await node.spawn(
                    Supervisor.self,
                    SupervisorSpec(limit: RestartLimit(1_000_000, within: .seconds(1))) {
                        ChildSpec.worker("failing") { _ in
                            if attempts.add() > 0 { throw TestError(22) }
                        }
                    })
                node.kill(try await supervisor.pid(of: "failing"))
                await waitWhile { attempts.value < 50 }
                #expect(try await supervisor.status(of: "failing") == .restarting)
                #expect(
                    try await supervisor.countChildren()
                        == ChildCount(specs: 1, active: 0, supervisors: 0, workers: 1))
                if end == "terminate" {
                    try await supervisor.terminateChild("failing")
                    let count = attempts.value
                    #expect(try await supervisor.status(of: "failing") == .stopped)
                    // Whatever was on its way has come before the answers to these.
                    for _ in 0..<100 { _ = try await supervisor.whichChildren() }
                    #expect(attempts.value == count)
                }
                try await supervisor.stop()
            }
        }
    }

    @Test("RACE-23 significant children that end together: one shutdown, each is ended once")
    func significantTogether() async throws {
        try await withNode { node in
            for mode in [AutoShutdown.anySignificant, .allSignificant] {
                for _ in 0..<50 {
                    let log = Log<String>()
                    let supervisor = try await node.spawn(
                        Supervisor.self,
                        SupervisorSpec(autoShutdown: mode) {
                            ChildSpec.worker("a", log, restart: .transient, isSignificant: true)
                            ChildSpec.worker("b", log, restart: .temporary, isSignificant: true)
                            ChildSpec.worker("c", log)
                        })
                    let pids = try await supervisor.pids(of: ["a", "b"])
                    await withTaskGroup { group in
                        for pid in pids {
                            group.addTask { try? node.send(ExitReason.normal, to: pid) }
                        }
                    }
                    #expect(try await supervisor.exitReason == .shutdown)
                    let ends = log.elements.filter { $0.hasPrefix("-") }.map { $0.prefix(2) }
                    #expect(ends.sorted() == ["-a", "-b", "-c"])
                    #expect(node.count == 0)
                }
            }
        }
    }

    @Test("a supervisor that is killed comes back though its children have names, 100 times")
    func killedWithNames() async throws {
        let reports = Log<SupervisorReport>()
        let events = EventHandler([.supervisorReport]) { event in
            if case .supervisor(let report) = event { reports.append(report) }
        }
        try await withNode(NodeOptions(events: events)) { node in
            let root = try await node.spawn(
                Supervisor.self,
                SupervisorSpec(limit: .plenty) {
                    ChildSpec.supervisor("inner") {
                        for number in 0..<10 {
                            ChildSpec(Counter.self, 0, name: "counter \(number)")
                            ChildSpec(AsyncCounter.self, 0, name: "async \(number)")
                        }
                    }
                })
            for _ in 0..<100 {
                let inner = try await root.pid(of: "inner")
                let supervisor = try #require(node.server(Supervisor.self, at: inner))
                node.kill(inner)
                // All signals have been sent then, so the root restarts it before it answers.
                _ = try await supervisor.exitReason
                #expect(try await root.pid(of: "inner") != inner)
            }
            let failures = reports.elements.filter {
                if case .startFailed = $0.occurrence { true } else { false }
            }
            #expect(failures.isEmpty)
        }
    }
}
