//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Troupe

/// Runs a program under simulation: on one thread, with a clock that stands still while anything can
/// happen, and with every choice of what happens next made from a seed.
///
/// ```swift
/// try await withSimulation(seed: 42) { simulation in
///     let node = try simulation.node()
///     let counter = try node.spawn(Counter.self, 0)
///     …
/// }
/// ```
///
/// The same seed and program make the same run, with the same trace, everywhere. When a run fails it
/// is repeated with fewer and fewer deviations from the orderly schedule, to find a short one that
/// fails in the same way; so the body must not depend on what it has done outside before.
///
/// - Parameters:
///   - seed: nil for that of the test's `.seeds` trait, or else 0.
///   - options: how.
///   - body: the program. It runs as a task of the simulation.
/// - Returns: what the body returns.
/// - Throws: ``SimulationFailure``.
@discardableResult
public func withSimulation<Result: Sendable>(
    seed: UInt64? = nil, options: SimulationOptions = SimulationOptions(),
    _ body: @escaping @Sendable (Simulation) async throws -> Result
) async throws -> Result {
    let seed = seed ?? SimulationSeed.current ?? 0
    let experiment = Experiment(seed: seed, options: options, body: body)
    let (outcome, result) = await experiment.run(
        Decisions(options.strategy, seed: seed), isTracing: true)
    if let result, outcome.failure == nil { return result }
    throw await experiment.failure(outcome)
}

/// Repeats the run with a schedule that a ``SimulationFailure`` has reported.
///
/// - Parameters:
///   - schedule: the schedule. The rest of the options has to be the same as then.
///   - options: how; the strategy does not matter.
///   - body: the program.
/// - Returns: what the body returns, if the program does not fail any more.
/// - Throws: ``SimulationFailure``.
@discardableResult
public func withSimulation<Result: Sendable>(
    replaying schedule: SimulationSchedule, options: SimulationOptions = SimulationOptions(),
    _ body: @escaping @Sendable (Simulation) async throws -> Result
) async throws -> Result {
    var options = options
    options.shrinkingRuns = 0
    let experiment = Experiment(seed: 0, options: options, body: body)
    let (outcome, result) = await experiment.run(Decisions(schedule), isTracing: true)
    if let result, outcome.failure == nil { return result }
    throw await experiment.failure(outcome)
}

/// What an exploration has seen.
public struct SimulationReport: Sendable, Hashable {
    /// How many runs there were.
    public let runs: Int
    /// How many steps they took together.
    public let steps: Int
    /// Whether there are no other interleavings than these.
    public let isComplete: Bool
}

/// Runs a program under simulation once for every seed, until one fails.
///
/// - Returns: how many runs there were; `isComplete` is false.
/// - Throws: ``SimulationFailure`` of the first seed that fails.
@discardableResult
public func explore(
    seeds: ClosedRange<UInt64>, options: SimulationOptions = SimulationOptions(),
    _ body: @escaping @Sendable (Simulation) async throws -> Void
) async throws -> SimulationReport {
    var (runs, steps) = (0, 0)
    for seed in seeds {
        let experiment = Experiment(seed: seed, options: options, body: body)
        let (outcome, _) = await experiment.run(Decisions(options.strategy, seed: seed))
        if outcome.failure != nil { throw await experiment.failure(outcome) }
        runs += 1
        steps += outcome.steps
    }
    return SimulationReport(runs: runs, steps: steps, isComplete: false)
}

/// Runs a small program under simulation in every possible interleaving, and with every fault that
/// the options allow at every point, until one fails or there have been too many runs.
///
/// - Parameters:
///   - runMax: how many runs there may be.
///   - options: how; the strategy does not matter.
///   - body: the program.
/// - Returns: how many interleavings there are, or were tried.
/// - Throws: ``SimulationFailure`` of the first that fails.
@discardableResult
public func exploreExhaustively(
    runMax: Int = 100_000, options: SimulationOptions = SimulationOptions(),
    _ body: @escaping @Sendable (Simulation) async throws -> Void
) async throws -> SimulationReport {
    var (runs, steps) = (0, 0)
    var next: SimulationSchedule? = SimulationSchedule([])
    while let schedule = next {
        if runs >= runMax { return SimulationReport(runs: runs, steps: steps, isComplete: false) }
        let experiment = Experiment(seed: 0, options: options, body: body)
        let (outcome, _) = await experiment.run(Decisions(schedule))
        if outcome.failure != nil { throw await experiment.failure(outcome) }
        runs += 1
        steps += outcome.steps
        next = schedule.successor(of: outcome.decisions)
    }
    return SimulationReport(runs: runs, steps: steps, isComplete: true)
}

extension SimulationSchedule {
    /// The schedule that an exhaustive search tries after a run with these decisions: the last
    /// decision that has another value left takes it, and what came after begins anew.
    func successor(of decisions: [Decisions.Decision]) -> SimulationSchedule? {
        guard let last = decisions.lastIndex(where: { $0.value + 1 < $0.bound }) else { return nil }
        var values = decisions[...last].map(\.value)
        values[last] += 1
        return SimulationSchedule(values)
    }
}

/// The seed of the test that runs, if its `.seeds` trait has set one.
enum SimulationSeed {
    @TaskLocal static var current: UInt64?
}

/// The scheduler of the simulation whose body calls this, for waits that belong to no node.
enum SimulatedBody {
    @TaskLocal static var scheduler: SimulatedScheduler?
}

/// A program and how it is simulated.
struct Experiment<Result: Sendable>: Sendable {
    let seed: UInt64
    let options: SimulationOptions
    let body: @Sendable (Simulation) async throws -> Result

    /// Runs the program once.
    ///
    /// - Parameter isTracing: whether there is to be a trace.
    func run(
        _ decisions: Decisions, isTracing: Bool = false
    ) async -> (SimulationRun.Outcome, Result?) {
        let run = SimulationRun(decisions, options, isTracing: isTracing)
        let result = LockBox<Result?>(nil)
        let seed = seed
        let body = body
        return await collectingIssues { issues in
            let scheduler = run.scheduler
            let task = scheduler.withBodyTask {
                SimulatedBody.$scheduler.withValue(scheduler) {
                    Task(executorPreference: scheduler) {
                        do {
                            let value = try await body(Simulation(run, seed: seed))
                            result.lock.withLock { $0 = value }
                            let problems = issues()
                            run.bodyReturned(problems.isEmpty ? nil : .issues(problems))
                            if problems.isEmpty { await run.finish() }
                        } catch {
                            run.bodyReturned(.thrown(error))
                        }
                        run.end()
                    }
                }
            }
            let outcome = await withCheckedContinuation { continuation in
                SimulatedScheduler.startThread {
                    continuation.resume(returning: run.drive { task.cancel() })
                }
            }
            return (outcome, result.lock.withLock { $0 })
        }
    }

    /// The report on a run that has failed, with the shortest schedule that can be found.
    func failure(_ first: SimulationRun.Outcome) async -> SimulationFailure {
        var shrinker = Shrinker(first)
        while shrinker.attempts < options.shrinkingRuns, let schedule = shrinker.next() {
            let (outcome, _) = await run(Decisions(schedule))
            shrinker.tried(outcome)
        }
        var best = shrinker.best
        if best.trace.entries.isEmpty {
            let schedule = SimulationSchedule(best.decisions.map(\.value))
            let (traced, _) = await run(Decisions(schedule), isTracing: true)
            if traced.failure?.kind == best.failure?.kind { best = traced }
        }
        let failure = SimulationFailure(
            cause: best.failure ?? .tooManySteps(first.steps), seed: seed,
            strategy: options.strategy, schedule: SimulationSchedule(best.decisions.map(\.value)),
            trace: best.trace, steps: (first.steps, best.steps), shrinkingRuns: shrinker.attempts)
        attach(failure)
        return failure
    }
}
