//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Testing

/// Runs a test once for every seed, until it fails; see `seeds(_:)`.
public struct SeedsTrait: TestTrait, TestScoping {
    let seeds: ClosedRange<Int>

    /// Runs the test.
    public func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        for seed in seeds {
            try await SimulationSeed.$current.withValue(UInt64(bitPattern: Int64(seed))) {
                try await function()
            }
        }
    }
}

extension Trait where Self == SeedsTrait {
    /// Runs the test once for every seed: `withSimulation` without a seed takes it from here. The
    /// first seed with which it throws ends the test.
    public static func seeds(_ seeds: ClosedRange<Int>) -> Self { Self(seeds: seeds) }
}
