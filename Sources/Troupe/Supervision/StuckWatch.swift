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
