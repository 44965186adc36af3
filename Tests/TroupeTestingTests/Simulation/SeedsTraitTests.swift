//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

private let seedsSeen = Journal<UInt64>()

@Suite("Seeds", .serialized)
struct SeedsTraitTests {
    @Test("a test runs once for every seed of its trait", .seeds(3...12))
    func seeds() async throws {
        try await withSimulation { simulation in seedsSeen.append(simulation.seed) }
    }

    @Test("those were all of them")
    func allOfThem() {
        // The test before may not be among those that are run.
        #expect(
            seedsSeen.entries == Array(3...12 as ClosedRange<UInt64>) || seedsSeen.entries.isEmpty)
    }

    @Test("a seed that is given goes first", .seeds(1...3))
    func explicitSeed() async throws {
        try await withSimulation(seed: 99) { simulation in #expect(simulation.seed == 99) }
    }
}
