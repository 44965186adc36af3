//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("One seed, one interleaving")
struct DeterminismTests {
    private func trace(
        _ seed: UInt64, options: SimulationOptions = SimulationOptions()
    ) async throws -> String {
        try await withSimulation(seed: seed, options: options) { simulation in
            try await world(try simulation.node("a"), simulation)
            return simulation.trace.description
        }
    }

    @Test("the same seed gives the same trace", arguments: [1, 2, 3, 42] as [UInt64])
    func same(seed: UInt64) async throws {
        let first = try await trace(seed)
        #expect(first.split(separator: "\n").count > 60)
        for _ in 0..<5 { #expect(try await trace(seed) == first) }
    }

    @Test("side by side with others, too")
    func sideBySide() async throws {
        let alone = try await trace(5)
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<10 { group.addTask { try await trace(5) } }
            for try await other in group { #expect(other == alone) }
        }
    }

    @Test("other seeds give other traces")
    func different() async throws {
        var traces: Set<String> = []
        for seed in 1...20 as ClosedRange<UInt64> { traces.insert(try await clients(seed)) }
        #expect(traces.count > 15)
    }

    /// What every machine has to print, and every later version of this library that does not change
    /// how seeds are used.
    @Test("a trace is the same on every machine")
    func golden() async throws {
        #expect(try await clients(3) == Self.golden)
    }

    private func clients(_ seed: UInt64) async throws -> String {
        try await withSimulation(seed: seed) { simulation in
            let node = try simulation.node()
            let tally = try node.spawn(Tally.self, 0)
            let clients = try (0..<5).map { number in
                try node.spawn { process in
                    try await process.sleep(for: .milliseconds(number / 3))
                    try tally.cast(.add(number))
                    return try await tally.call(.count)
                }
            }
            for client in clients { _ = try await client.value }
            simulation.log("over")
            return simulation.trace.description
        }
    }

    private static let golden = """
            0.000 ms    #1  body          starts Tally#64
            0.000 ms    #2  body          starts closure#65
            0.000 ms    #3  body          starts closure#66
            0.000 ms    #4  body          starts closure#67
            0.000 ms    #5  body          starts closure#68
            0.000 ms    #6  body          starts closure#69
            0.000 ms    #7  closure#65 -> Tally#64    cast Cast.add
            0.000 ms    #8  closure#65 -> Tally#64    call Call.count
            0.000 ms    #9  closure#66 -> Tally#64    cast Cast.add
            0.000 ms   #10  closure#66 -> Tally#64    call Call.count
            0.000 ms   #11  Tally#64   -> closure#65  reply  [#8]
            0.000 ms   #12  closure#65    ends: normal  [#11]
            0.000 ms   #13  closure#65 -> body        reply  [#11]
            0.000 ms   #14  closure#67 -> Tally#64    cast Cast.add
            0.000 ms   #15  closure#67 -> Tally#64    call Call.count
            0.000 ms   #16  Tally#64   -> closure#66  reply  [#10]
            0.000 ms   #17  Tally#64   -> closure#67  reply  [#15]
            0.000 ms   #18  closure#67    ends: normal  [#17]
            0.000 ms   #19  closure#66    ends: normal  [#16]
            0.000 ms   #20  closure#66 -> body        reply  [#16]
            1.000 ms   #21  timers     -> closure#68  time
            1.000 ms   #22  closure#68 -> Tally#64    cast Cast.add  [#21]
            1.000 ms   #23  closure#68 -> Tally#64    call Call.count  [#21]
            1.000 ms   #24  Tally#64   -> closure#68  reply  [#23]
            1.000 ms   #25  closure#68    ends: normal  [#24]
            1.000 ms   #26  closure#68 -> body        reply  [#24]
            1.000 ms   #27  timers     -> closure#69  time
            1.000 ms   #28  closure#69 -> Tally#64    cast Cast.add  [#27]
            1.000 ms   #29  closure#69 -> Tally#64    call Call.count  [#27]
            1.000 ms   #30  Tally#64   -> closure#69  reply  [#29]
            1.000 ms   #31  closure#69    ends: normal  [#30]
            1.000 ms   #32  closure#69 -> body        reply  [#30]
            1.000 ms   #33  body          over  [#32]
        """
}
