//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The life of a process as a pure state machine: when it is scheduled, when it runs, why it ends.
///
/// Every input is a method; what it returns tells the driver what to do once the lock is released.
@usableFromInline
struct Lifecycle: Sendable {
    @usableFromInline
    enum Phase: UInt8, Sendable {
        /// `init` runs. Messages are kept. Can transition to: `idle` and `scheduled` when it has
        /// returned, `ended` when it threw.
        case starting
        /// Nothing to do, on no queue. Can transition to: `scheduled` when something arrives,
        /// `running` when a caller claims it.
        case idle
        /// On a run queue. Can transition to: `running` when its turn comes.
        case scheduled
        /// One thread or one runner has it. Can transition to: `idle` or `suspended` when it ran dry,
        /// `scheduled` when its budget is used up, `parked` when its body waits, `ended`.
        case running
        /// Idle, and messages do not count: only system requests and orders to end do. Can
        /// transition to: `scheduled` when one of those arrives.
        case suspended
        /// A closure process that waits for a message. Can transition to: `running`.
        case parked
        /// Over. Final.
        case ended
    }

    /// What the driver does with the process after an arrival.
    @usableFromInline
    enum Wake: Sendable {
        case none
        /// Put it on a run queue.
        case schedule
        /// Resume its parked body.
        case resume
    }

    @usableFromInline var phase: Phase = .starting
    /// The reason with which it has been told to end, or has decided to.
    @usableFromInline var stopReason: ExitReason?
    @usableFromInline var isKilled = false
    @usableFromInline var isTerminating = false
    /// Messages shall wait, because somebody has asked for it.
    @usableFromInline var isSuspended = false
    /// Somebody watches what the process handles, so it may only run as it does from a run queue.
    @usableFromInline var isObserved = false

    @inlinable
    init() {}

    /// Something for the process to look at has arrived.
    @inlinable
    mutating func arrived() -> Wake {
        switch phase {
        case .idle:
            phase = .scheduled
            return .schedule
        case .parked:
            phase = .running
            return .resume
        case .starting, .scheduled, .running, .suspended, .ended:
            return .none
        }
    }

    /// A system request or an order has arrived; a suspended process, too, looks at it.
    mutating func signalArrived() -> Wake {
        if phase == .suspended { phase = .idle }
        return arrived()
    }

    /// A caller wants to run the process on its own thread.
    @inlinable
    mutating func claim() -> Bool {
        guard phase == .idle, !isObserved else { return false }
        assert(stopReason == nil && !isSuspended)
        phase = .running
        return true
    }

    /// Its turn has come.
    mutating func turnCame() {
        assert(phase == .scheduled)
        phase = .running
    }

    /// `init` has returned.
    mutating func started(hasWork: Bool) -> Wake {
        assert(phase == .starting)
        phase = .idle
        return hasWork || stopReason != nil ? arrived() : .none
    }

    /// There is nothing left to do.
    mutating func ranDry() {
        assert(phase == .running && stopReason == nil)
        phase = isSuspended ? .suspended : .idle
    }

    /// From now on messages shall wait, or shall not.
    mutating func setSuspended(_ suspended: Bool) {
        assert(phase == .running)
        isSuspended = suspended
    }

    /// Its budget is used up.
    mutating func yielded() {
        assert(phase == .running)
        phase = .scheduled
    }

    /// Its body waits.
    mutating func parked() {
        assert(phase == .running && stopReason == nil)
        phase = .parked
    }

    /// It has been told to end with `reason`.
    ///
    /// The first order counts; only a kill overrides it, up to the very end.
    ///
    /// - Returns: nil when the order changes nothing.
    mutating func stopRequested(_ reason: ExitReason) -> Wake? {
        guard phase != .ended, stopReason == nil else { return nil }
        stopReason = reason
        return signalArrived()
    }

    /// It has been killed.
    ///
    /// - Returns: nil when that changes nothing.
    mutating func killRequested() -> Wake? {
        guard phase != .ended, !isKilled else { return nil }
        isKilled = true
        stopReason = .killed
        return signalArrived()
    }

    /// The reason with which a wait of the process is to fail: what it has been told, unless it is
    /// cleaning up for that very reason.
    var interruption: ExitReason? {
        isKilled || !isTerminating ? stopReason : nil
    }

    /// The end begins: the body has returned, a callback asks for it, or an order is obeyed.
    ///
    /// - Parameter own: the reason that the process itself gives; an order that came before wins.
    /// - Returns: the reason so far, and whether `terminate` is to run.
    mutating func terminationBegan(own: ExitReason?) -> (reason: ExitReason, runsTerminate: Bool) {
        assert(phase == .running || phase == .starting)
        let reason = stopReason ?? own ?? .normal
        stopReason = reason
        isTerminating = true
        return (reason, !isKilled)
    }

    /// The end is reached.
    ///
    /// - Parameter thrown: what `terminate` threw; it replaces the reason, as in OTP.
    /// - Returns: the final reason.
    mutating func ended(thrown: ExitReason?) -> ExitReason {
        let reason: ExitReason = isKilled ? .killed : thrown ?? stopReason ?? .normal
        stopReason = reason
        phase = .ended
        return reason
    }
}
