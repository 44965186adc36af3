//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("Faults that one asks for")
struct FaultTests {
    private func options(_ faults: SimulationFault...) -> SimulationOptions {
        SimulationOptions(faults: faults, shrinkingRuns: 0)
    }

    @Test("a kill, of whom one wants")
    func kill() async throws {
        let options = options(
            .kill(probability: 1) { $0.behaviour == "Tally" && $0.names == ["victim"] })
        try await withSimulation(seed: 1, options: options) { simulation in
            let node = try simulation.node()
            let victim = try node.spawn(Tally.self, 0, options: ProcessOptions(name: "victim"))
            let other = try node.spawn(Tally.self, 7)
            #expect(try await other.call(.count) == 7)
            await #expect(throws: CallError.exited(.killed)) { try await victim.call(.count) }
            #expect(simulation.trace.entries.contains { $0.kind == .fault })
        }
    }

    @Test("a kill at a step hits who takes that step")
    func killAtStep() async throws {
        var reasons: [ExitReason] = []
        for step in 1...12 {
            let faults = options(.kill(atStep: step))
            let reason = try await withSimulation(seed: 1, options: faults) { simulation in
                let node = try simulation.node()
                let process = try node.spawn { process in
                    for _ in 0..<4 { try await process.sleep(for: .seconds(1)) }
                }
                return try await process.exitReason
            }
            reasons.append(reason)
        }
        #expect(reasons.contains(.killed) && reasons.contains(.normal))
    }

    @Test("what is delayed is not reordered within a pair, but between pairs")
    func delay() async throws {
        var orders: Set<[String]> = []
        for seed in 1...50 as ClosedRange<UInt64> {
            let options = SimulationOptions(faults: [.delay(probability: 0.5)])
            let seen = try await withSimulation(seed: seed, options: options) { simulation in
                let node = try simulation.node()
                let reader = try node.spawn { process in
                    var seen: [String] = []
                    while seen.count < 6 {
                        if let text = try await process.receive() as? String { seen.append(text) }
                    }
                    return seen
                }
                for name in ["a", "b"] {
                    try node.spawn { process in
                        for number in 0..<3 { try process.send("\(name)\(number)", to: reader.pid) }
                    }
                }
                return try await reader.value
            }
            for name in ["a", "b"] {
                #expect(seen.filter { $0.hasPrefix(name) } == (0..<3).map { "\(name)\($0)" })
            }
            orders.insert(seen)
        }
        #expect(orders.count > 5)
    }

    @Test("a delay lets one learn of something later than another whom that one tells")
    func causality() async throws {
        // A tells C, then B, who tells C: without delays C always hears A first.
        @Sendable func firstHeard(_ simulation: Simulation) async throws -> String? {
            let node = try simulation.node()
            let c = try node.spawn { process in
                let first = try await process.receive() as? String
                _ = try await process.receive()
                return first
            }
            let b = try node.spawn { process in
                _ = try await process.receive()
                try process.send("b", to: c.pid)
            }
            try node.spawn { process in
                try process.send("a", to: c.pid)
                try process.send("go", to: b.pid)
            }
            return try await c.value
        }
        var heard: Set<String?> = []
        for seed in 1...100 as ClosedRange<UInt64> {
            #expect(try await withSimulation(seed: seed, firstHeard) == "a")
            let delayed = SimulationOptions(faults: [.delay(probability: 0.3)])
            heard.insert(try await withSimulation(seed: seed, options: delayed, firstHeard))
        }
        #expect(heard == ["a", "b"])
    }

    @Test("an init that fails, and a supervisor that tries again")
    func failInit() async throws {
        let options = options(
            .failInit(probability: 1, limit: 1) { $0.names == ["child"] })
        try await withSimulation(seed: 1, options: options) { simulation in
            let node = try simulation.node()
            await #expect(throws: SpawnError.self) {
                try await node.spawn(
                    Supervisor.self,
                    SupervisorSpec { ChildSpec(Tally.self, 0, name: "child") })
            }
            // Only once.
            let supervisor = try await node.spawn(
                Supervisor.self, SupervisorSpec { ChildSpec(Tally.self, 0, name: "child") })
            #expect(node.whereis("child") != nil)
            try await supervisor.stop()
        }
    }

    @Test("a full mailbox, which the sender sees")
    func fillMailbox() async throws {
        let options = options(.fillMailbox(probability: 1, limit: 1))
        try await withSimulation(seed: 1, options: options) { simulation in
            let tally = try simulation.node().spawn(Tally.self, 0)
            #expect(throws: SendError<Tally.Cast>.self) { try tally.cast(.add(1)) }
            try tally.cast(.add(2))
            #expect(try await tally.call(.count) == 2)
        }
    }

    @Test(
        "what a process sends itself, or a timer, is not refused where nothing waits",
        arguments: [nil, RestartBackoff(from: .seconds(1), upTo: .seconds(1))])
    func fillMailboxOfOneself(backoff: RestartBackoff?) async throws {
        let options = options(
            .fillMailbox(probability: 1, limit: .max) { $0.behaviour == "Supervisor" })
        try await withSimulation(seed: 1, options: options) { simulation in
            let node = try simulation.node()
            let attempts = Journal<Int>()
            let child = ChildSpec.startFunction(
                "child", recovery: ChildRecovery(backoff: backoff)
            ) { starter in
                attempts.append(attempts.entries.count)
                if (2...4).contains(attempts.entries.count) { throw Tally.Failure() }
                let options = ProcessOptions(name: "child")
                return StartedChild(try starter.spawnLinked(Tally.self, 0, options: options).pid)
            }
            let limit = RestartLimit(9, within: .seconds(60))
            let tree = try await node.spawn(
                Supervisor.self, SupervisorSpec(limit: limit, children: [child]))
            let first = try #require(node.whereis("child"))
            node.kill(first)
            try await simulation.sleep(for: .seconds(10))
            #expect(attempts.entries.count == 5 && node.whereis("child") != nil)
            // Others are refused.
            await #expect(throws: SupervisorError.self) { try await tree.whichChildren() }
        }
    }

    @Test("what a process sends itself behind something that waits may be refused")
    func fillMailboxBehindOthers() async throws {
        let options = options(.fillMailbox(probability: 1, limit: 2))
        try await withSimulation(seed: 1, options: options) { simulation in
            let node = try simulation.node()
            let isRefused = try await node.spawn { process in
                try process.send(1, to: process.pid)
                do {
                    try process.send(2, to: process.pid)
                    return false
                } catch { return true }
            }.value
            #expect(isRefused)
        }
    }

    @Test("a timer that is late")
    func lateTimer() async throws {
        let options = options(.lateTimer(probability: 1, by: .seconds(3), limit: 2))
        try await withSimulation(seed: 1, options: options) { simulation in
            try await simulation.sleep(for: .seconds(1))
            #expect(simulation.now == .seconds(7))
        }
    }

    @Test("a handler that takes long: its caller does not wait for ever")
    func hang() async throws {
        let options = options(
            .hang(probability: 1, for: .seconds(10)) { $0.behaviour == "Tally" })
        try await withSimulation(seed: 1, options: options) { simulation in
            let tally = try simulation.node().spawn(Tally.self, 3)
            await #expect(throws: CallError.timeout(tally.pid)) { try await tally.call(.count) }
            #expect(simulation.now == .seconds(5))
            try await simulation.sleep(for: .seconds(6))
            #expect(try await tally.call(.count) == 3)
        }
    }

    @Test("what a process does after it has stood still has the cause that it had before")
    func causeAfterHang() async throws {
        let options = options(.hang(probability: 1, for: .seconds(1)) { $0.behaviour == "Tally" })
        let trace = try await withSimulation(seed: 1, options: options) { simulation in
            let node = try simulation.node()
            let tally = try node.spawn(Tally.self, 0)
            let reader = try node.spawn { process in _ = try await process.receive() }
            try tally.cast(.sendTo(reader.pid))
            try await reader.value
            return simulation.trace
        }
        let cast = try #require(trace.entries.first { $0.what == "cast Cast.sendTo" })
        let sent = try #require(trace.entries.first { $0.what == "String" })
        #expect(sent.time == .seconds(1) && sent.cause == cast.number)
    }
}
