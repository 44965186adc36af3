//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Troupe

/// How a simulation chooses what happens next.
public struct SimulationStrategy: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: Hashable {
        case random
        case priorities(changes: Int, steps: Int)
        case roundRobin
    }

    private let kind: Kind

    /// Everything that can happen next is as likely. The default.
    public static let random = SimulationStrategy(kind: .random)

    /// Whoever has waited longest goes next: one orderly run, whatever the seed.
    public static let roundRobin = SimulationStrategy(kind: .roundRobin)

    /// Every process gets a random priority, and the one with the highest goes on as long as it can;
    /// at a few random steps the one that would go next gets the lowest.
    ///
    /// Finds bugs that need one process to be held up for long while others go on, which takes
    /// `.random` many seeds. A bug that needs `d` events in a certain order is found with a
    /// probability of at least 1/(n·k^(d-1)) per seed with `d - 1` changes, where n is the number of
    /// processes and k that of steps.
    ///
    /// - Parameters:
    ///   - changes: how often a priority changes.
    ///   - steps: about how many steps the program takes; changes come within them.
    /// - Source: Burckhardt, Kothari, Musuvathi, Nagarakatti, "A Randomized Scheduler with
    ///   Probabilistic Guarantees of Finding Bugs" (PCT), ASPLOS 2010.
    public static func priorities(changes: Int = 2, steps: Int = 200) -> SimulationStrategy {
        SimulationStrategy(kind: .priorities(changes: max(changes, 0), steps: max(steps, 1)))
    }

    /// What it is called, as one would write it.
    public var description: String {
        switch kind {
        case .random: ".random"
        case .roundRobin: ".roundRobin"
        case .priorities(let changes, let steps):
            ".priorities(changes: \(changes), steps: \(steps))"
        }
    }

    func makeChooser(_ generator: inout SplitMix64) -> any Chooser {
        switch kind {
        case .random: RandomChooser()
        case .roundRobin: FirstChooser()
        case .priorities(let changes, let steps):
            PriorityChooser(changes: changes, steps: steps, &generator)
        }
    }
}

/// Chooses who goes next. A pure value: what it returns follows from what it was given.
protocol Chooser: Sendable {
    /// - Parameter actors: who can go, who has waited longest first; at least two.
    mutating func choose(
        among actors: [SimulatedActor], at step: Int, _ generator: inout SplitMix64
    ) -> Int
}

struct RandomChooser: Chooser {
    func choose(
        among actors: [SimulatedActor], at step: Int, _ generator: inout SplitMix64
    ) -> Int {
        Int(generator.next() % UInt64(actors.count))
    }
}

struct FirstChooser: Chooser {
    func choose(
        among actors: [SimulatedActor], at step: Int, _ generator: inout SplitMix64
    ) -> Int { 0 }
}

/// See ``SimulationStrategy/priorities(changes:steps:)``.
struct PriorityChooser: Chooser {
    private var priorities: [SimulatedActor: UInt64] = [:]
    private let changes: Set<Int>
    /// Below all that are drawn, and lower each time.
    private var lowest = UInt64(1) << 32

    init(changes count: Int, steps: Int, _ generator: inout SplitMix64) {
        changes = Set((0..<count).map { _ in Int(generator.next() % UInt64(steps)) })
    }

    mutating func choose(
        among actors: [SimulatedActor], at step: Int, _ generator: inout SplitMix64
    ) -> Int {
        for actor in actors where priorities[actor] == nil {
            priorities[actor] = generator.next() | 1 << 63
        }
        if changes.contains(step) {
            lowest -= 1
            priorities[actors[highest(of: actors)]] = lowest
        }
        return highest(of: actors)
    }

    private func highest(of actors: [SimulatedActor]) -> Int {
        var best = 0
        for index in actors.indices
        where priorities[actors[index], default: 0] > priorities[actors[best], default: 0] {
            best = index
        }
        return best
    }
}
