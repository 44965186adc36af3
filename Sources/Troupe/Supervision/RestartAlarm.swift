//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// Wakes a supervisor when a child is to be started again.
///
/// What is due stands in the supervisor's state and is looked at with every message; after each the
/// alarm is set. So it matters only that a message follows, whichever that is, and nothing is lost when
/// the mailbox has no room for the alarm, or drops it.
struct RestartAlarm {
    /// The message that wakes it.
    struct Ring: Sendable {}

    /// The one that has not rung yet, and when it will.
    private var armed: (timer: TimerRef, instant: NodeClock.Instant)?

    /// Sees to it that the supervisor is woken by then; nil for not at all. To be called at the end of
    /// each message.
    mutating func set(for due: NodeClock.Instant?, _ process: some ProcessContext) {
        let now = process.node.clock.now
        if let due, let armed, armed.instant <= due, armed.instant > now { return }
        armed?.timer.cancel()
        armed = nil
        guard let due else { return }
        if due > now {
            armed = (try? process.send(Ring(), at: due)).map { ($0, due) }
        } else if process.cell.hasEmptyMailbox, (try? process.send(Ring(), to: process.pid)) == nil
        {
            // All the room is for senders who have waited for it, and who may yet give up.
            let soon = now.advanced(by: .milliseconds(1))
            armed = (try? process.send(Ring(), at: soon)).map { ($0, soon) }
        }
    }
}
