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
            0.000 ms    #1  body          starts Tally#16
            0.000 ms    #2  body          starts closure#17
            0.000 ms    #3  body          starts closure#18
            0.000 ms    #4  body          starts closure#19
            0.000 ms    #5  body          starts closure#20
            0.000 ms    #6  body          starts closure#21
            0.000 ms    #7  closure#17 -> Tally#16    cast Cast.add
            0.000 ms    #8  closure#17 -> Tally#16    call Call.count
            0.000 ms    #9  closure#18 -> Tally#16    cast Cast.add
            0.000 ms   #10  closure#18 -> Tally#16    call Call.count
            0.000 ms   #11  Tally#16   -> closure#17  reply  [#8]
            0.000 ms   #12  closure#17    ends: normal  [#11]
            0.000 ms   #13  closure#17 -> body        reply  [#11]
            0.000 ms   #14  closure#19 -> Tally#16    cast Cast.add
            0.000 ms   #15  closure#19 -> Tally#16    call Call.count
            0.000 ms   #16  Tally#16   -> closure#18  reply  [#10]
            0.000 ms   #17  Tally#16   -> closure#19  reply  [#15]
            0.000 ms   #18  closure#19    ends: normal  [#17]
            0.000 ms   #19  closure#18    ends: normal  [#16]
            0.000 ms   #20  closure#18 -> body        reply  [#16]
            1.000 ms   #21  timers     -> closure#20  time
            1.000 ms   #22  closure#20 -> Tally#16    cast Cast.add  [#21]
            1.000 ms   #23  closure#20 -> Tally#16    call Call.count  [#21]
            1.000 ms   #24  Tally#16   -> closure#20  reply  [#23]
            1.000 ms   #25  closure#20    ends: normal  [#24]
            1.000 ms   #26  closure#20 -> body        reply  [#24]
            1.000 ms   #27  timers     -> closure#21  time
            1.000 ms   #28  closure#21 -> Tally#16    cast Cast.add  [#27]
            1.000 ms   #29  closure#21 -> Tally#16    call Call.count  [#27]
            1.000 ms   #30  Tally#16   -> closure#21  reply  [#29]
            1.000 ms   #31  closure#21    ends: normal  [#30]
            1.000 ms   #32  closure#21 -> body        reply  [#30]
            1.000 ms   #33  body          over  [#32]
        """
}
