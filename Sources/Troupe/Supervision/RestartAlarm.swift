//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Wakes a supervisor when a child is to be started again.
///
/// What is due stands in the supervisor's state and is looked at with every message, so nothing is
/// lost when the alarm finds the mailbox full: then there are messages to handle, and after each the
/// alarm is set anew.
struct RestartAlarm {
    /// The message that wakes it.
    struct Ring: Sendable {
        fileprivate let number: Int
    }

    /// The number of the last ring that was asked for. Those before may still come.
    private var number = 0
    private var instant: NodeClock.Instant?
    /// Nil while the ring is in the mailbox already.
    private var timer: TimerRef?

    mutating func rang(_ ring: Ring) {
        if ring.number == number { forget() }
    }

    /// Sees to it that the supervisor is woken by then; nil for not at all.
    mutating func set(for due: NodeClock.Instant?, _ process: some ProcessContext) {
        let now = process.node.clock.now
        if let due, let instant, instant <= due, timer == nil || instant > now { return }
        // A timer whose time has come may have found no room.
        timer?.cancel()
        forget()
        guard let due else { return }
        number += 1
        let ring = Ring(number: number)
        if due > now {
            timer = try? process.send(ring, at: due)
            if timer != nil { instant = due }
        } else if (try? process.send(ring, to: process.pid)) != nil {
            instant = due
        }
    }

    private mutating func forget() {
        instant = nil
        timer = nil
    }
}
