//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Counts restarts within a period of time.
///
/// It remembers no more than it needs, and the oldest are forgotten one by one, so that a restart
/// costs the same however many there have been.
///
/// - Source: `intensity` and `period` of OTP's supervisors.
struct RestartWindow: Sendable {
    /// The limit from the next restart on.
    var limit: RestartLimit
    /// When restarts happened, the oldest first; those before `first` are over.
    private var times: [NodeClock.Instant] = []
    private var first = 0

    init(_ limit: RestartLimit) {
        self.limit = limit
    }

    /// How many restarts the period holds, as of the last one.
    var count: Int { times.count - first }

    /// Takes note of a restart.
    ///
    /// - Returns: whether it is within the limit.
    mutating func record(at now: NodeClock.Instant) -> Bool {
        while first < times.count, times[first].advanced(by: limit.period) < now { first += 1 }
        if first > 16, first * 2 > times.count {
            times.removeFirst(first)
            first = 0
        }
        times.append(now)
        return count <= limit.count
    }
}
