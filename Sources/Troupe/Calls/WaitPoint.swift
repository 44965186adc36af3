//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Where one task waits until somebody says that it may go on, by the clock of a scheduler.
package final class WaitPoint: Sendable {
    package enum Outcome: Sendable {
        case opened
        case timedOut
        case cancelled
    }

    private let cell = ReplyCell(callee: Pid(node: "wait", id: 0, creation: 1))

    package init() {}

    /// Whoever waits, or will, goes on.
    package func open() { cell.succeed() }

    /// Waits until it is open.
    ///
    /// - Parameter deadline: an instant of the clock; see ``Scheduler/deadline(after:)``.
    package func wait(until deadline: UInt64, on scheduler: Scheduler) async -> Outcome {
        await cell.wait(deadline: deadline, on: scheduler)
        switch cell.withState({ $0.error }) {
        case nil: return .opened
        case .timeout: return .timedOut
        default: return .cancelled
        }
    }
}

extension Scheduler {
    /// The instant of this scheduler's clock that is so far away.
    package func deadline(after span: Duration) -> UInt64 {
        now.addingSaturated(span.clampedNanoseconds)
    }

    /// Whose clock tells how long a test waits: this one's, unless it stands still until
    /// the test moves it.
    package var forWaiting: Scheduler { virtualTime == nil ? self : .default }
}
