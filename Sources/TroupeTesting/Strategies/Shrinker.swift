//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Looks for a shorter schedule that fails in the same way, as a pure state machine: says what to try
/// next and is told what came of it.
///
/// It makes decisions tame, many at a time and then fewer and fewer, as delta debugging does.
///
/// - Source: Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002.
struct Shrinker {
    /// The shortest failing run so far.
    private(set) var best: SimulationRun.Outcome
    private(set) var attempts = 0
    private let kind: String?
    /// How many decisions are made tame at a time.
    private var chunk: Int
    /// Where among the decisions that are not tame the next chunk begins.
    private var offset = 0
    private var hasImproved = false

    init(_ first: SimulationRun.Outcome) {
        best = first
        kind = first.failure?.kind
        chunk = max(1, Self.wildPositions(of: first).count)
    }

    /// The next schedule to try; nil when there is nothing left to try.
    mutating func next() -> SimulationSchedule? {
        // A run that cannot be repeated cannot be made shorter.
        if case .escape? = best.failure { return nil }
        let wild = Self.wildPositions(of: best)
        if wild.isEmpty { return nil }
        while offset >= wild.count {
            if chunk == 1, !hasImproved { return nil }
            offset = 0
            hasImproved = false
            chunk = max(1, min(chunk, wild.count) / 2)
        }
        var values = best.decisions.map(\.value)
        for position in wild[offset..<min(offset + chunk, wild.count)] { values[position] = 0 }
        return SimulationSchedule(values)
    }

    /// What came of the schedule that ``next()`` gave last.
    mutating func tried(_ outcome: SimulationRun.Outcome) {
        attempts += 1
        if outcome.failure?.kind == kind, Self.cost(outcome) < Self.cost(best) {
            best = outcome
            hasImproved = true
        } else {
            offset += chunk
        }
    }

    private static func wildPositions(of outcome: SimulationRun.Outcome) -> [Int] {
        outcome.decisions.indices.filter { outcome.decisions[$0].value != 0 }
    }

    /// Fewer faults, then fewer processes, then fewer deviations from the orderly schedule, then
    /// fewer steps.
    private static func cost(_ outcome: SimulationRun.Outcome) -> (Int, Int, Int, Int) {
        (
            outcome.faultCount, outcome.spawnCount, wildPositions(of: outcome).count, outcome.steps
        )
    }
}
