//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import TroupeTesting

@testable import FindTheBug

@Suite("Bugs that real threads do not show")
struct FindTheBugTests {
    @Test("a simulation finds them within 1,000 seeds", arguments: Bug.all.map(\.name))
    func found(_ name: String) async throws {
        let bug = try #require(Bug.all.first { $0.name == name })
        let failure = try #require(try await bug.convict(seeds: 1...1_000))
        guard case .thrown(let error) = failure.cause, error is BugFound else {
            Issue.record("something else was found: \(failure)")
            return
        }
        // The report is enough to see it again.
        let again = try await #require(throws: SimulationFailure.self) {
            try await withSimulation(replaying: failure.schedule, options: bug.options) {
                try await bug.program($0.node())
            }
        }
        #expect(again.trace == failure.trace)
    }

    @Test("real threads pass them practically always", arguments: Bug.all.map(\.name))
    func passed(_ name: String) async throws {
        let bug = try #require(Bug.all.first { $0.name == name })
        // Whoever runs other things beside the tests may make one of them show.
        #expect(try await bug.passesOnRealThreads(of: 1_000) >= 990)
    }
}
