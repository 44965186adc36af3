//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Wakes a supervisor when a child is to be started again.
///
/// What is due stands in the supervisor's state and is looked at with every message, so nothing is
/// lost when the alarm finds the mailbox full: then there are messages to handle.
struct RestartAlarm {
    /// The message that wakes it.
    struct Ring: Sendable {}

    private var instant: NodeClock.Instant?
    private var timer: TimerRef?

    mutating func rang() {
        instant = nil
        timer = nil
    }

    /// Sees to it that the supervisor is woken by then; nil for not at all.
    mutating func set(for due: NodeClock.Instant?, _ process: some ProcessContext) {
        guard let due else {
            if let timer { timer.cancel() }
            return rang()
        }
        if let instant, instant <= due { return }
        if let timer { timer.cancel() }
        instant = due
        timer = nil
        if due > process.node.clock.now {
            timer = try? process.send(Ring(), at: due)
        } else if (try? process.send(Ring(), to: process.pid)) == nil {
            instant = nil
        }
    }
}
