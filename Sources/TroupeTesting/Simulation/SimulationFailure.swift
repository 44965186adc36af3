//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A simulation has failed: why, with which seed, and what happened.
public struct SimulationFailure: Error, Sendable, CustomStringConvertible {
    /// Why a simulation has failed.
    @nonexhaustive
    public enum Cause: Sendable, CustomStringConvertible {
        /// The body has thrown.
        case thrown(any Error)
        /// Expectations of Swift Testing were not met, or issues were recorded, by the body.
        case issues([String])
        /// An invariant does not hold.
        case invariant(String)
        /// Nothing can happen any more, and the body waits. With what processes wait for, if a
        /// process waits for something.
        case deadlock([String])
        /// So many steps, and no time has passed. With who took steps last.
        case livelock(steps: Int, [String])
        /// A message was lost.
        case messageLoss(String)
        /// What is left when the nodes have stopped.
        case leak([String])
        /// The simulation took more steps than it may.
        case tooManySteps(Int)
        /// Something has left the simulation: a detached task, a sleep of Swift's own, input or
        /// output. The run cannot be repeated.
        case escape(by: String, String)

        /// What it is, in short: runs with the same kind of failure are taken for the same failure.
        var kind: String {
            switch self {
            case .thrown(let error): "thrown \(type(of: error as Any))"
            case .issues: "issues"
            case .invariant(let name): "invariant \(name)"
            case .deadlock: "deadlock"
            case .livelock: "livelock"
            case .messageLoss: "message loss"
            case .leak: "leak"
            case .tooManySteps: "too many steps"
            case .escape: "escape"
            }
        }

        /// What it is and what is known of it.
        public var description: String {
            switch self {
            case .thrown(let error): "the body has thrown \(error)"
            case .issues(let issues): issues.joined(separator: "\n")
            case .invariant(let name): "the invariant does not hold: \(name)"
            case .deadlock(let waits):
                "deadlock: nothing can happen any more, and the body waits"
                    + waits.map { "\n  " + $0 }.joined()
            case .livelock(let steps, let actors):
                "livelock: \(steps) steps, and no time has passed; who took steps last: "
                    + actors.joined(separator: ", ")
            case .messageLoss(let what): "a message was lost: \(what)"
            case .leak(let what):
                "left over when the nodes had stopped: " + what.joined(separator: ", ")
            case .tooManySteps(let count): "not over after \(count) steps"
            case .escape(let who, let what):
                "\(who) has left the simulation: \(what). What is not an operation of Troupe, such "
                    + "as a sleep of Task, a detached task or input and output, cannot be simulated"
            }
        }
    }

    /// Why.
    public let cause: Cause
    /// The seed with which it fails.
    public let seed: UInt64
    /// The strategy with which it fails with that seed.
    public let strategy: SimulationStrategy
    /// The shortest schedule found that fails in the same way.
    public let schedule: SimulationSchedule
    /// What happened in the run with that schedule.
    public let trace: SimulationTrace
    /// How many steps the first run that failed took, and how many the shortest one took.
    public let steps: (first: Int, shortest: Int)
    /// How many runs were made to find it.
    public let shrinkingRuns: Int

    /// The report, with at most the first and the last 100 entries of the trace.
    public var description: String {
        """
        \(cause)
        seed \(seed), strategy \(strategy); \(steps.shortest) steps (\(steps.first) before \
        \(shrinkingRuns) runs to find a shorter schedule)
        schedule: \(schedule)
        \(trace.text(keeping: 100))
        """
    }
}

/// The decisions that make a run of a simulation what it is. As text it fits on a line of a test.
public struct SimulationSchedule: Sendable, Hashable, LosslessStringConvertible {
    /// The decisions that are not 0, by their position.
    let decisions: [Int: Int]

    init(_ values: [Int]) {
        decisions = Dictionary(
            uniqueKeysWithValues: values.enumerated().filter { $0.element != 0 }
                .map { ($0.offset, $0.element) })
    }

    /// Reads what ``description`` wrote; nil for other text.
    public init?(_ description: String) {
        var decisions: [Int: Int] = [:]
        for part in description.split(separator: " ") where part != "-" {
            let numbers = part.split(separator: ":").map { Int($0) }
            guard numbers.count == 2, let position = numbers[0], let value = numbers[1],
                position >= 0, value > 0
            else { return nil }
            decisions[position] = value
        }
        self.decisions = decisions
    }

    /// Position and value of each decision that is not the tame one: `3:1 17:2`; `-` for none.
    public var description: String {
        if decisions.isEmpty { return "-" }
        return decisions.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }
            .joined(separator: " ")
    }
}
