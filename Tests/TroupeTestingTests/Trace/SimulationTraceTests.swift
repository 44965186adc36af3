//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("Traces")
struct SimulationTraceTests {
    @Test("say who sent what to whom, when, and because of what")
    func entries() async throws {
        let trace = try await withSimulation(seed: 1) { simulation in
            let node = try simulation.node()
            let tally = try node.spawn(Tally.self, 0, options: ProcessOptions(name: "tally"))
            let reader = try node.spawn { process in _ = try await process.receive() }
            try await simulation.sleep(for: .milliseconds(1_500))
            try tally.cast(.sendTo(reader.pid))
            try await reader.value
            return simulation.trace
        }
        let cast = try #require(trace.entries.first { $0.what == "cast Cast.sendTo" })
        #expect(cast.from == "body" && cast.to == "tally#64" && cast.time == .milliseconds(1_500))
        let sent = try #require(trace.entries.first { $0.what == "String" })
        #expect(sent.from == "tally#64" && sent.to == "closure#65" && sent.cause == cast.number)
        #expect(trace.participants == ["body", "timers", "tally#64", "closure#65"])
        #expect(trace.description.contains("1500.000 ms"))
    }

    @Test("as a sequence diagram: what Mermaid would misread is escaped")
    func mermaid() async throws {
        let diagram = try await withSimulation(seed: 1) { simulation in
            let node = try simulation.node()
            let tally = try node.spawn(Tally.self, 0)
            _ = try await tally.call(.count)
            simulation.log("a;b#c:d\ne")
            return simulation.trace.mermaid
        }
        #expect(
            diagram == """
                sequenceDiagram
                    participant p0 as body
                    participant p1 as Tally#35;64
                    Note over p0: #1 starts Tally#35;64
                    p0->>p1: #2 call Call.count
                    p1-->>p0: #3 reply
                    Note over p0: #4 a#59;b#35;c#58;d<br/>e

                """)
    }

    @Test("very long ones keep their beginning and their end")
    func long() async throws {
        let trace = try await withSimulation(seed: 1) { simulation in
            for number in 1...50_000 { simulation.log("\(number)") }
            return simulation.trace
        }
        #expect(trace.entries.first?.what == "1")
        #expect(trace.entries.last?.what == "50000")
        #expect(trace.entries.count == 20_000 && trace.omittedCount == 30_000)
    }
}
