//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing
import TroupeTesting

/// How many seeds there are for each program.
enum SeedCount {
    /// `TROUPE_SIMULATION_SEEDS`, else 200.
    static let race = fromEnvironment ?? 200
    /// For programs that take far longer: a tenth of that, else 50.
    static let model = fromEnvironment.map { max($0 / 10, 1) } ?? 50

    /// `TROUPE_SIMULATION_PART`, else 0: with 1 the seeds are those that come after the first so many,
    /// and so on. The test library keeps something of each error that is thrown, and looks through it:
    /// four processes are much faster than one with four times as many seeds.
    static let part = UInt64(integer("TROUPE_SIMULATION_PART") ?? 0)

    private static let fromEnvironment = integer("TROUPE_SIMULATION_SEEDS")

    private static func integer(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }
}

/// How a program is simulated: each of the ways finds what the others find late.
enum SimulatedWay: CaseIterable, Sendable {
    case random, randomWithDelays, priorities, prioritiesWithDelays

    /// Whether messages and signals are held up on their way.
    var delays: Bool { self == .randomWithDelays || self == .prioritiesWithDelays }

    func options(_ options: SimulationOptions) -> SimulationOptions {
        var options = options
        switch self {
        case .random, .randomWithDelays: options.strategy = .random
        // About as long as these programs are.
        case .priorities, .prioritiesWithDelays:
            options.strategy = .priorities(changes: 3, steps: 60)
        }
        if delays { options.faults.append(.delay(probability: 0.3)) }
        return options
    }
}

/// Simulates a program with the seeds that have found something in it before, and then with as many
/// as are wanted, which are divided among the ways.
///
/// - Returns: how many runs there were, and how many steps they took.
@discardableResult
func explore(
    _ program: SimulatedProgram, seeds count: Int = SeedCount.race,
    ways: [SimulatedWay] = SimulatedWay.allCases, options: SimulationOptions = SimulationOptions(),
    _ body: @escaping @Sendable (Simulation, SimulatedWay) async throws -> Void
) async throws -> (runs: Int, steps: Int) {
    for regression in RegressionSeed.all where regression.program == program {
        try await withSimulation(
            seed: regression.seed, options: regression.way.options(options)
        ) { try await body($0, regression.way) }
    }
    var (runs, steps) = (0, 0)
    for (index, way) in ways.enumerated() {
        let share = UInt64(max(1, (count + ways.count - 1 - index) / ways.count))
        let first = SeedCount.part * share + 1
        do {
            let report = try await TroupeTesting.explore(
                seeds: first...(first + share - 1), options: way.options(options)
            ) { try await body($0, way) }
            runs += report.runs
            steps += report.steps
        } catch {
            Issue.record("simulated in the way \(way)")
            throw error
        }
    }
    return (runs, steps)
}

/// Simulates a small program in every interleaving that it has; there must not be too many.
///
/// - Parameter delays: how many messages and signals may be held up in a run.
@discardableResult
func exploreAll(
    runMax: Int = 20_000, delays: Int = 0,
    _ body: @escaping @Sendable (Simulation, SimulatedWay) async throws -> Void
) async throws -> SimulationReport {
    var options = SimulationOptions()
    if delays > 0 { options.faults = [.delay(probability: 0.5, limit: delays)] }
    let way = delays > 0 ? SimulatedWay.randomWithDelays : .random
    let report = try await exploreExhaustively(runMax: runMax, options: options) {
        try await body($0, way)
    }
    #expect(report.isComplete, "\(report.runs) runs")
    return report
}

/// Simulates a program twice with the same seed, and compares what has happened.
func expectSameTrace(
    seed: UInt64, options: SimulationOptions = SimulationOptions(),
    _ body: @escaping @Sendable (Simulation) async throws -> Void
) async throws {
    var traces: [String] = []
    for _ in 0..<2 {
        traces.append(
            try await withSimulation(seed: seed, options: options) { simulation in
                try await body(simulation)
                return simulation.trace.description
            })
    }
    #expect(traces[0] == traces[1])
}
