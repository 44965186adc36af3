//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Troupe

/// A program's world under simulation, as the body of ``withSimulation(seed:options:_:)`` sees it.
///
/// What the body does itself, such as calling servers, is part of the simulation.
public final class Simulation: Sendable {
    private let run: SimulationRun

    /// The seed of this run.
    public let seed: UInt64

    init(_ run: SimulationRun, seed: UInt64) {
        self.run = run
        self.seed = seed
    }

    /// Makes a node whose processes are part of the simulation. It is stopped when the body is over.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - environment: see `NodeOptions`.
    ///   - processCountMax: see `NodeOptions`.
    ///   - events: is told of what happens, besides the simulation itself.
    /// - Throws: `NodeError`.
    public func node(
        _ name: String = "node", environment: Environment = Environment(),
        processCountMax: Int = 1 << 20, events: any EventSink = NoEvents()
    ) throws(NodeError) -> Node {
        try run.makeNode(name, environment, processCountMax, events)
    }

    /// How much time has passed, by the simulation's clock.
    public var now: Duration {
        .nanoseconds(Int64(run.scheduler.clock - SimulatedScheduler.beginning))
    }

    /// Lets the body wait. Time passes as soon as nothing else can happen, so this takes no longer
    /// than what happens meanwhile.
    ///
    /// - Throws: `CancellationError` when the simulation has failed meanwhile.
    public func sleep(for duration: Duration) async throws {
        try await run.scheduler.sleep(for: duration)
    }

    /// Lets the body wait until nothing can happen any more without time passing: all messages that
    /// could be handled have been handled.
    public func settle() async { await run.settle() }

    /// Demands that something is true after every step from now on.
    ///
    /// - Parameters:
    ///   - name: what it is, for the report.
    ///   - holds: is called between steps, on the simulation's thread; it may look at nodes, but not
    ///     wait.
    public func invariant(_ name: String, _ holds: @escaping @Sendable () -> Bool) {
        run.add(invariant: name, holds)
    }

    /// A random number of the program's own. It belongs to the run: the same seed gives the same.
    public func random(in range: Range<Int>) -> Int {
        range.lowerBound + run.number(below: range.count)
    }

    /// What has happened so far.
    public var trace: SimulationTrace { run.trace }

    /// Writes a line into the trace.
    public func log(_ text: String) { run.say(text) }
}
