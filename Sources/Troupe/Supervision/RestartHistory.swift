//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How a child has failed so far: what its next back-off and its own budget depend on.
struct RestartHistory: Sendable {
    private let backoff: RestartBackoff?
    private var budget: RestartWindow?
    /// How often it has failed in a row.
    private var failures = 0

    init(_ recovery: ChildRecovery) {
        backoff = recovery.backoff
        budget = recovery.budget.map { RestartWindow($0) }
    }

    /// Takes note of a failure.
    ///
    /// - Parameters:
    ///   - uptime: how long it had run; nil when it did not even start.
    ///   - random: 0 to 1.
    /// - Returns: how long to wait before the next attempt.
    mutating func delayAfterFailure(uptime: Duration?, random: @autoclosure () -> Double)
        -> Duration
    {
        guard let backoff else { return .zero }
        if let uptime, uptime >= backoff.resetAfter { failures = 0 }
        defer { failures += 1 }
        return backoff.delay(after: failures, random: random())
    }

    /// Takes note of a restart, if the child has a budget of its own.
    ///
    /// - Returns: whether it is within the budget; nil when there is none.
    mutating func recordInBudget(at now: NodeClock.Instant) -> Bool? {
        budget?.record(at: now)
    }
}
