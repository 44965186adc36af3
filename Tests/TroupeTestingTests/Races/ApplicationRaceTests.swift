//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("Simulated races of applications", .timeLimit(.minutes(30)))
struct ApplicationRaceTests {
    /// An application whose members are named, send, set timers and spawn while the node stops.
    private struct Busy: Application {
        let spec: ApplicationSpec

        init(_ name: String, needs dependencies: [String]) {
            spec = ApplicationSpec(name: name, dependencies: dependencies)
        }

        mutating func start(process: ApplicationContext) async throws -> Pid {
            let name = "top \(spec.name)"
            let top = try process.spawnLinked(options: .init(name: name)) { process in
                while true { _ = try await process.receive() }
            }
            try process.spawn { member in
                while true {
                    try member.spawn { _ = $0.makeAlias() }
                    try member.send("tick", after: .milliseconds(1))
                    _ = try? member.send("hello", to: .name(name))
                    _ = try await member.receive()
                }
            }
            await pause(1)
            return top.pid
        }
    }

    /// Starts and stops applications at random.
    private static func fuzz(_ simulation: Simulation, _ node: Node) async {
        let names = ["a", "b"]
        for _ in 0..<4 {
            let name = names[simulation.random(in: 0..<2)]
            switch simulation.random(in: 0..<4) {
            case 0: try? await node.applications.start(name)
            case 1: _ = try? await node.applications.ensureAllStarted(name)
            case 2: try? await node.applications.stop(name)
            default: if let pid = node.whereis("top \(name)") { node.kill(pid) }
            }
        }
    }

    @Test("RACE-25 applications and the node start and stop in any order, and nothing is left")
    func applications() async throws {
        try await explore(.applications) { simulation, _ in
            let first = try simulation.node()
            for (name, needs) in [("a", []), ("b", ["a"])] {
                try await first.applications.load(Busy(name, needs: needs))
            }
            let isStopped = simulation.random(in: 0..<2) == 1
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<2 { group.addTask { await Self.fuzz(simulation, first) } }
                if isStopped { group.addTask { await first.stop() } }
            }
            let old = first.processes
            await first.stop()
            #expect(first.count == 0 && first.processes.isEmpty && first.registered.isEmpty)
            #expect(throws: SpawnError.nodeStopped(node: "node")) { try first.spawn(Idler.self) }

            // The same node in another life: whoever had a pid before is not taken for another.
            let second = try simulation.node()
            try second.spawn { _ = try await $0.receive() }
            try second.spawn { process in
                for pid in old {
                    try Violation.unless(!second.isAlive(pid), "\(pid) lives again")
                    var failure: SendFailure?
                    do throws(SendError<Int>) {
                        try process.send(1, to: pid)
                    } catch { failure = error.failure }
                    try Violation.unless(failure == .incarnation(pid), "\(failure as Any)")
                }
            }
            await simulation.settle()
            #expect(second.count == 1)
        }
    }
}
