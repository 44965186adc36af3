//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Troupe

/// Every decision of one run, in order: who goes next, whether a fault happens, what a random number
/// of the program is. A run that is given the same decisions is the same run.
///
/// A decision is a number below a bound. 0 is always the tame one: who has waited longest goes next,
/// no fault happens.
struct Decisions: Sendable {
    struct Decision: Sendable, Equatable {
        let bound: Int
        let value: Int
    }

    /// Where decisions come from.
    private enum Source: Sendable {
        case chooser(any Chooser, SplitMix64)
        /// What is written down, by position; else 0.
        case script([Int: Int])
    }

    private var source: Source
    private(set) var made: [Decision] = []

    init(_ strategy: SimulationStrategy, seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        source = .chooser(strategy.makeChooser(&generator), generator)
    }

    init(_ schedule: SimulationSchedule) {
        source = .script(schedule.decisions)
    }

    /// Who goes next.
    mutating func next(among actors: [SimulatedActor], at step: Int) -> Int {
        // No decision where there is no choice.
        guard actors.count > 1 else { return 0 }
        return decide(actors.count) { chooser, generator in
            chooser.choose(among: actors, at: step, &generator)
        }
    }

    /// Whether something happens that does with this probability.
    mutating func happens(probability: Double) -> Bool {
        if probability <= 0 { return false }
        return decide(2) { _, generator in
            Double(generator.next() >> 11) / Double(1 << 53) < probability ? 1 : 0
        } == 1
    }

    /// A number below `bound`.
    mutating func number(below bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        return decide(bound) { _, generator in Int(generator.next() % UInt64(bound)) }
    }

    private mutating func decide(
        _ bound: Int, _ choose: (inout any Chooser, inout SplitMix64) -> Int
    ) -> Int {
        let value: Int
        switch source {
        case .chooser(var chooser, var generator):
            value = choose(&chooser, &generator)
            source = .chooser(chooser, generator)
        case .script(let script):
            let written = script[made.count] ?? 0
            value = written < bound ? written : 0
        }
        made.append(Decision(bound: bound, value: value))
        return value
    }
}

/// SplitMix64: the same numbers for the same seed on every machine.
struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
