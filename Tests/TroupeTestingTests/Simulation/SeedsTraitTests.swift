//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("Seeds")
struct SeedsTraitTests {
    private func run(
        _ trait: SeedsTrait, _ body: @escaping @Sendable (Simulation) async throws -> Void
    ) async throws {
        let test = try #require(Test.current)
        try await trait.provideScope(for: test, testCase: Test.Case.current) {
            try await withSimulation(body)
        }
    }

    @Test("a test runs once for every seed of its trait")
    func seeds() async throws {
        let seen = Journal<UInt64>()
        try await run(.seeds(3...12)) { seen.append($0.seed) }
        #expect(seen.entries == (3...12).map { UInt64($0) })
    }

    @Test("the first seed that fails ends the test")
    func failure() async throws {
        struct Bad: Error {}
        let seen = Journal<UInt64>()
        let failure = try await #require(throws: SimulationFailure.self) {
            try await run(.seeds(3...12)) { simulation in
                seen.append(simulation.seed)
                if simulation.seed == 5 { throw Bad() }
            }
        }
        #expect(failure.seed == 5 && seen.entries.max() == 5)
    }

    @Test("a seed that is given goes first", .seeds(1...3))
    func explicitSeed() async throws {
        try await withSimulation(seed: 99) { simulation in #expect(simulation.seed == 99) }
    }
}
