//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Troupe

/// Something that goes wrong in a simulation because one has asked for it.
///
/// Faults happen while the body runs, not while the nodes are stopped afterwards. Each happens at
/// most as often as its limit says.
public struct SimulationFault: Sendable {
    enum Kind: Sendable {
        case killAtStep(Int)
        case kill(Double)
        case delay(Double)
        case failInit(Double, any Error)
        case fillMailbox(Double)
        case lateTimer(Double, Duration)
        case hang(Double, Duration)
    }

    /// A process, as faults choose among them.
    public struct Target: Sendable {
        /// The process.
        public let pid: Pid
        /// The type of its server, or `closure`.
        public let behaviour: String
        /// The names it had when it was started.
        public let names: [String]
    }

    let kind: Kind
    let limit: Int
    let isWanted: @Sendable (Target) -> Bool

    /// Kills the process that takes the step with this number, before it does.
    public static func kill(
        atStep step: Int, where isWanted: @escaping @Sendable (Target) -> Bool = { _ in true }
    ) -> SimulationFault {
        SimulationFault(kind: .killAtStep(step), limit: 1, isWanted: isWanted)
    }

    /// Kills a process that is about to take a step, with this probability for each step.
    public static func kill(
        probability: Double, limit: Int = 1,
        where isWanted: @escaping @Sendable (Target) -> Bool = { _ in true }
    ) -> SimulationFault {
        SimulationFault(kind: .kill(probability), limit: limit, isWanted: isWanted)
    }

    /// Holds up what is sent to a process: it arrives later, perhaps after what others send. What one
    /// process sends to another never changes its order. Orders of a node to end are not held up.
    ///
    /// Between processes of one node nothing is held up otherwise, so that what a process learns it
    /// learns before everybody who learns of it through that process. Between nodes one cannot rely
    /// on that.
    public static func delay(
        probability: Double, limit: Int = .max,
        to isWanted: @escaping @Sendable (Target) -> Bool = { _ in true }
    ) -> SimulationFault {
        SimulationFault(kind: .delay(probability), limit: limit, isWanted: isWanted)
    }

    /// Lets `init` fail with this error before it has begun.
    public static func failInit(
        probability: Double, limit: Int = 1, error: any Error = SimulatedInitFailure(),
        where isWanted: @escaping @Sendable (Target) -> Bool = { _ in true }
    ) -> SimulationFault {
        SimulationFault(kind: .failInit(probability, error), limit: limit, isWanted: isWanted)
    }

    /// Refuses a message as if the mailbox were full. Not that of a timer, or one that a process sends
    /// itself, if nothing waits there: they can rely on that.
    public static func fillMailbox(
        probability: Double, limit: Int = 1,
        where isWanted: @escaping @Sendable (Target) -> Bool = { _ in true }
    ) -> SimulationFault {
        SimulationFault(kind: .fillMailbox(probability), limit: limit, isWanted: isWanted)
    }

    /// Puts a timer off that is due.
    public static func lateTimer(
        probability: Double, by delay: Duration, limit: Int = .max
    ) -> SimulationFault {
        SimulationFault(
            kind: .lateTimer(probability, delay), limit: limit, isWanted: { _ in true })
    }

    /// Lets a process stand still for a while instead of taking a step, as a handler does that takes
    /// long.
    public static func hang(
        probability: Double, for duration: Duration, limit: Int = 1,
        where isWanted: @escaping @Sendable (Target) -> Bool = { _ in true }
    ) -> SimulationFault {
        SimulationFault(kind: .hang(probability, duration), limit: limit, isWanted: isWanted)
    }
}

/// The error with which `init` fails when a simulation wants it to.
public struct SimulatedInitFailure: Error, Hashable, CustomStringConvertible {
    /// Makes the error.
    public init() {}
    /// Says where it comes from.
    public var description: String { "the simulation let init fail" }
}
