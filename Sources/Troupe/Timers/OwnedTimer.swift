//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A timer that belongs to processes, or else to the node: it is disarmed when one of them ends.
class OwnedTimer: TimerTarget, @unchecked Sendable {
    // Unchecked: `state` has its lock; what subclasses add belongs to the timer thread.

    private struct State: Sendable {
        var token: TimerWheelToken?
        var isCancelled = false
        /// A timer that repeats does what it is for, and will then be armed again.
        var isFiring = false
    }

    let id: UInt64
    let node: Node
    private let holders: [ProcessCell]
    private let repeats: Bool
    /// A leaf, but for the timer service's own lock.
    private let state = Lock(State())

    /// - Parameter holders: the processes that the timer dies with.
    init(id: UInt64, node: Node, holders: [ProcessCell], repeats: Bool = false) {
        self.repeats = repeats
        self.id = id
        self.node = node
        self.holders = holders
    }

    /// Arms the timer for the first time.
    final func start(at deadline: UInt64) {
        arm(at: deadline)
        if holders.isEmpty, !node.own(self) { _ = cancel() }
        for holder in holders {
            let isOpen = holder.core.withLock { core in
                guard core.lifecycle.phase != .ended, !core.isClosing else { return false }
                core.makeRelations().timers[id] = self
                return true
            }
            if !isOpen { _ = cancel() }
        }
        // It may have fired before it was listed.
        if state.withLock({ $0.token == nil }) { leaveHolders() }
    }

    final func arm(at deadline: UInt64) {
        state.withLock { state in
            state.isFiring = false
            guard !state.isCancelled else { return }
            state.token = node.timers.schedule(at: deadline, self)
        }
    }

    /// Disarms the timer for good.
    ///
    /// - Returns: how long it still had to run; nil when it has fired or was cancelled before.
    final func cancel() -> Duration? {
        let deadline = state.withLock { state -> UInt64? in
            defer {
                state.token = nil
                state.isCancelled = true
            }
            if state.isFiring, !state.isCancelled { return 0 }
            // One that the service has taken out to fire will find that it is cancelled.
            return state.token.map { node.timers.cancel($0)?.deadline ?? 0 }
        }
        guard let deadline else { return nil }
        leaveHolders()
        return Self.remaining(until: deadline, now: node.scheduler.now)
    }

    /// How long the timer still has to run; nil when it has fired or was cancelled.
    final var remaining: Duration? {
        let deadline = state.withLock { $0.token.flatMap { node.timers.deadline(of: $0) } }
        return deadline.map { Self.remaining(until: $0, now: node.scheduler.now) }
    }

    private static func remaining(until deadline: UInt64, now: UInt64) -> Duration {
        Duration.inNanoseconds(deadline > now ? deadline - now : 0)
    }

    final func timerFired() {
        let isCancelled = state.withLock { state in
            state.token = nil
            state.isFiring = repeats
            return state.isCancelled
        }
        if isCancelled { return }
        if let next = fire() { arm(at: next) } else { leaveHolders() }
    }

    /// Does what the timer is for.
    ///
    /// - Returns: when to fire again.
    func fire() -> UInt64? { nil }

    private func leaveHolders() {
        if holders.isEmpty { node.disown(self) }
        for holder in holders {
            holder.core.withLock { core in
                _ = core.relations?.timers.removeValue(forKey: id)
            }
        }
    }
}
