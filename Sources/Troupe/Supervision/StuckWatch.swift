//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Finds processes that do not come back from a message, from what can be seen of them outside.
struct StuckWatch: Sendable {
    /// Asks the supervisor to look at its children.
    struct Look: Sendable {}

    let limit: Duration
    /// Whom it has found, with the number of messages that they had taken then: each is reported
    /// once for each message.
    private var found: [Pid: UInt64] = [:]

    init(limit: Duration) {
        self.limit = limit
    }

    /// Begins to look at children regularly.
    ///
    /// - Parameter limit: how long a message may take; nil for as long as it likes.
    /// - Throws: ``TimerError`` when the limit is too long.
    static func start(
        _ limit: Duration?, _ process: some ProcessContext
    ) throws(TimerError) -> StuckWatch? {
        guard let limit else { return nil }
        try process.send(Look(), every: max(limit / 2, .milliseconds(1)))
        return StuckWatch(limit: limit)
    }

    /// Looks at a child, and reports it if it is stuck.
    mutating func report(_ pid: Pid, child: String?, _ process: some ProcessContext) {
        guard let info = process.node.info(pid), isStuck(info) else { return }
        process.report(info.stuck, child: child, pid)
        // Those that have ended are cleared away, each time that their number has doubled.
        if found.count >= 16, found.count.nonzeroBitCount == 1 {
            found = found.filter { process.node.isAlive($0.key) }
        }
    }

    /// Whether the process is stuck, and that is news.
    mutating func isStuck(_ info: ProcessSnapshot) -> Bool {
        switch info.activity {
        case .handling, .terminating:
            guard info.activityAge >= limit else { break }
            return found.updateValue(info.messagesHandled, forKey: info.pid) != info.messagesHandled
        // The body of a closure process may run for as long as it likes.
        case .starting, .waiting, .runnable, .running: break
        }
        found[info.pid] = nil
        return false
    }
}
