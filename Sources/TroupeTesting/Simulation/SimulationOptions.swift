//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How a simulation is run.
public struct SimulationOptions: Sendable {
    /// How it is chosen what happens next.
    public var strategy: SimulationStrategy
    /// What goes wrong.
    public var faults: [SimulationFault]
    /// What counts as a failure besides an error that the body throws.
    public var detectors: SimulationDetectors
    /// So many steps without the clock moving are a livelock.
    public var livelockSteps: Int
    /// A simulation that takes more steps has failed.
    public var stepMax: Int
    /// How many runs may be spent on finding a shorter one that fails in the same way; 0 for none.
    public var shrinkingRuns: Int

    /// Makes options.
    public init(
        strategy: SimulationStrategy = .random, faults: [SimulationFault] = [],
        detectors: SimulationDetectors = .default, livelockSteps: Int = 100_000,
        stepMax: Int = 5_000_000, shrinkingRuns: Int = 300
    ) {
        self.strategy = strategy
        self.faults = faults
        self.detectors = detectors
        self.livelockSteps = livelockSteps
        self.stepMax = stepMax
        self.shrinkingRuns = shrinkingRuns
    }
}

/// What a simulation looks for by itself.
public struct SimulationDetectors: OptionSet, Sendable, Hashable {
    /// One bit per detector.
    public let rawValue: UInt8

    /// Makes a set from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Nothing can happen any more, and the body waits.
    public static let deadlock = SimulationDetectors(rawValue: 1)
    /// Much happens, and no time passes.
    public static let livelock = SimulationDetectors(rawValue: 2)
    /// A message that was taken has been dropped because a mailbox was full, a timer's message found
    /// no receiver, or unread messages that were to be handed over reached nobody.
    public static let messageLoss = SimulationDetectors(rawValue: 4)
    /// A process does not end when its node is stopped, or a name, alias or timer outlives it.
    public static let leaks = SimulationDetectors(rawValue: 8)
    /// Processes that were spawned by the node, and not by another process, run on when the body has
    /// returned. Not among the default.
    public static let survivors = SimulationDetectors(rawValue: 16)

    /// All but ``survivors``.
    public static let `default`: SimulationDetectors = [.deadlock, .livelock, .messageLoss, .leaks]
}
