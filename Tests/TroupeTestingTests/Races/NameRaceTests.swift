//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("Simulated races of names", .timeLimit(.minutes(30)))
struct NameRaceTests {
    private enum Sight: CaseIterable { case exit, down, notAlive }

    /// A process that takes the name of another when it sees that one's end, while a third looks the
    /// name up and sends to it.
    private static func nameAtEnd(
        _ simulation: Simulation, _ sight: Sight, others: Int
    ) async throws {
        let node = try simulation.node()
        simulation.invariant("the name leads to nobody who is dead") {
            node.whereis("n").map { node.isAlive($0) } ?? true
        }
        let taker = try node.spawn(options: .trapping) { process in
            let holder = try process.spawnLinked(options: .init(name: "n")) { _ in }
            let ref = process.monitor(holder.pid)
            if sight != .down { process.demonitor(ref) }
            if sight != .exit { process.unlink(from: holder.pid) }
            for _ in 0..<others {
                try process.spawn { other in
                    for _ in 0..<2 {
                        _ = try? other.send("hello", to: .name("n"))
                        await pause(1)
                    }
                }
            }
            switch sight {
            case .exit, .down: _ = try await process.receive()
            case .notAlive:
                for _ in 0..<5 where node.isAlive(holder.pid) { await pause(1) }
                if node.isAlive(holder.pid) { try await process.sleep(for: .milliseconds(1)) }
            }
            try Violation.unless(node.whereis("n") == nil, "somebody has the name")
            try process.register("n")
            try Violation.unless(node.whereis("n") == process.pid, "somebody else has the name")
            // What was sent to the name reaches one of the two, or nobody.
            for message in try await process.rest() {
                try Violation.unless(message as? String == "hello", "unexpected \(message)")
            }
        }
        try await taker.value
    }

    @Test("RACE-10 the name of a process is free for whoever sees its end, and leads to no dead")
    func nameAtEnd() async throws {
        try await explore(.nameAtEnd) { simulation, _ in
            try await Self.nameAtEnd(
                simulation, Sight.allCases[simulation.random(in: 0..<3)], others: 2)
        }
        for sight in Sight.allCases {
            try await exploreAll { simulation, _ in
                try await Self.nameAtEnd(simulation, sight, others: 1)
            }
        }
    }

    private static func twoTakers(_ simulation: Simulation) async throws {
        let node = try simulation.node()
        let holder = try node.spawn(options: .init(name: "n")) { holder in
            _ = try await holder.receive()
        }
        let takers = try (0..<2).map { _ in
            try node.spawn { process in
                let ref = process.monitor(holder.pid)
                let down = try await process.receive() as? MessageDown
                try Violation.unless(down?.ref == ref, "unexpected \(down as Any)")
                do throws(RegistryError) {
                    try process.register("n")
                } catch { return Optional(error) }
                // Till the other has tried, too.
                try await process.sleep(for: .seconds(1))
                return nil
            }
        }
        try holder.send("end")
        let results = [try await takers[0].value, try await takers[1].value]
        let winner = try #require(results.firstIndex(of: nil))
        #expect(results[1 - winner] == .nameTaken("n", by: takers[winner].pid))
    }

    @Test("RACE-10 of two that take the name when they see the end, one gets it")
    func twoTakers() async throws {
        try await explore(.twoTakers) { simulation, _ in try await Self.twoTakers(simulation) }
        try await exploreAll { simulation, _ in try await Self.twoTakers(simulation) }
    }

    @Test("RACE-10 a supervisor starts a child that has a name again, whenever it is killed")
    func namedRestart() async throws {
        try await explore(.namedRestart) { simulation, _ in
            let reports = Journal<SupervisorReport>()
            let events = EventHandler([.supervisorReport, .progress]) { event in
                if case .supervisor(let report) = event { reports.append(report) }
            }
            let node = try simulation.node(events: events)
            simulation.invariant("the name leads to nobody who is dead") {
                node.whereis("n").map { node.isAlive($0) } ?? true
            }
            let supervisor = try await node.spawn(
                Supervisor.self,
                SupervisorSpec(limit: .plenty) {
                    ChildSpec(Idler.self, name: "n")
                    ChildSpec(SlowIdler.self, .init(), name: "slow")
                })
            for name in ["n", "slow"] {
                try node.spawn { process in
                    for _ in 0..<3 {
                        if let pid = node.whereis(name) { process.exit(pid, .kill) }
                        await pause()
                    }
                }
            }
            try await simulation.sleep(for: .seconds(1))
            for report in reports.entries {
                if case .startFailed(let failure) = report.occurrence {
                    // It may be killed in its init, but never finds its name taken.
                    #expect(failure.error as? SpawnError == .initFailed(.killed))
                }
            }
            for id in ["n", "slow"] {
                let child = try await supervisor.whichChild(id)
                #expect(child.pid != nil && child.pid == node.whereis(id))
            }
        }
    }
}
