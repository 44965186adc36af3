//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// When a server is told that nothing has come, as a pure state machine.
///
/// Instants and spans are in nanoseconds of the node's clock.
struct IdleTimeout: Sendable {
    enum Rule: Sendable, Equatable {
        /// Whenever nothing has come for so long.
        case after(UInt64)
        /// At this instant, once, unless something comes before.
        case at(UInt64)
    }

    enum Phase: Sendable, Equatable {
        /// A callback runs. Can transition to: `waiting` when the server runs dry, `spent` when the
        /// timeout is taken at once.
        case armed
        /// Nothing to do until this instant. Can transition to: `armed` or `spent` when a message
        /// comes, `due` when the instant does.
        case waiting(until: UInt64)
        /// The instant has come. Can transition to: `spent` when the timeout is taken.
        case due
        /// The timeout was taken, or what came before it has cancelled it. Can transition to:
        /// `armed` when a message comes.
        case spent
    }

    let rule: Rule
    private(set) var phase = Phase.armed

    init(_ rule: Rule) {
        self.rule = rule
    }

    /// Whether the timeout comes before a message that waits already: it has no length.
    var isImmediate: Bool { phase == .armed && (rule == .after(0) || rule == .at(0)) }

    /// A callback other than that of the timeout is about to run.
    mutating func callbackBegan() {
        switch rule {
        case .after: phase = .armed
        case .at: phase = .spent
        }
    }

    /// A call has run on the thread of its caller, who had found the server idle.
    mutating func claimedCallRan() {
        // While a server is idle its timeout is never armed: so the call has set it anew.
        if phase != .armed { callbackBegan() }
    }

    /// The server has nothing to do.
    ///
    /// - Returns: when to look at the clock.
    mutating func ranDry(now: UInt64) -> UInt64? {
        switch phase {
        case .armed:
            let deadline =
                switch rule {
                case .after(let span): now.addingSaturated(span)
                case .at(let instant): instant
                }
            phase = .waiting(until: deadline)
            return deadline
        case .waiting(let deadline):
            return deadline
        case .due, .spent:
            return nil
        }
    }

    enum TimerAction: Equatable {
        case none
        /// Look again then.
        case wait(until: UInt64)
        /// Schedule the server.
        case schedule
    }

    /// A timer for the server has fired; there may have been work since it was set.
    mutating func timerFired(now: UInt64) -> TimerAction {
        guard case .waiting(let deadline) = phase else { return .none }
        if now < deadline { return .wait(until: deadline) }
        phase = .due
        return .schedule
    }

    /// The server looks for something to do.
    ///
    /// - Returns: whether the timeout is what it shall do.
    mutating func take() -> Bool {
        guard phase == .due || isImmediate else { return false }
        phase = .spent
        return true
    }
}

/// The driver of ``IdleTimeout``. Only touched with the lock of the process held.
final class IdleTimer: TimerTarget, @unchecked Sendable {
    // Unchecked: the variables are protected by the lock of `cell`.

    var timeout: IdleTimeout
    /// The armed timer and its deadline, which may be earlier than it need be: a message does not
    /// cancel it, it finds out by itself when it fires.
    private var timer: (token: TimerToken, deadline: UInt64)?
    private let cell: ProcessCell

    init(_ rule: IdleTimeout.Rule, of cell: ProcessCell) {
        self.timeout = IdleTimeout(rule)
        self.cell = cell
    }

    func callbackBegan() { timeout.callbackBegan() }

    func claimedCallRan() { timeout.claimedCallRan() }

    /// The process has nothing to do.
    ///
    /// - Returns: what to do for the timer when the lock of the process is released.
    func ranDry() -> TimerService.Wake {
        timeout.ranDry(now: cell.scheduler.now).map { setTimer($0) } ?? .none
    }

    private func setTimer(_ deadline: UInt64) -> TimerService.Wake {
        guard deadline < TimerWheel<any TimerTarget>.latestDeadline else { return .none }
        if let timer {
            if timer.deadline <= deadline { return .none }
            cell.node.timers.cancel(timer.token)
        }
        let (token, wake) = cell.node.timers.scheduleLocked(at: deadline, self)
        timer = (token, deadline)
        return wake
    }

    func cancel() {
        if let timer { cell.node.timers.cancel(timer.token) }
        timer = nil
    }

    func timerFired() {
        var wake = TimerService.Wake.none
        let arrival = cell.withCore { core -> Arrival in
            timer = nil
            guard core.relations?.rare?.idleTimer === self else { return .none }
            switch timeout.timerFired(now: cell.scheduler.now) {
            case .none: return .none
            case .wait(let deadline):
                wake = setTimer(deadline)
                return .none
            case .schedule: return core.arrived()
            }
        }
        cell.node.timers.perform(wake)
        arrival.perform(for: cell)
    }
}

extension ServerContext {
    /// Asks for `handleTimeout` whenever nothing has come for this long.
    ///
    /// It is called once for each such pause, not again until a message has come. It holds until it
    /// is set anew; system requests do not count as messages. With zero it is called after every
    /// other callback, before the messages that wait.
    ///
    /// - Parameter span: nil for no timeout; negative counts as zero.
    /// - Source: the timeout in the return values of OTP's `gen_server`, which holds only until the
    ///   next callback.
    public func setIdleTimeout(after span: Duration?) {
        cell.setIdleTimeout(span.map { .after($0.clampedNanoseconds) })
    }

    /// Asks for `handleTimeout` at an instant, once, unless a message comes before.
    ///
    /// - Source: the absolute timeout of OTP's `gen_statem`.
    public func setIdleTimeout(at instant: NodeClock.Instant) {
        let isPast = instant.nanoseconds <= cell.scheduler.now
        cell.setIdleTimeout(.at(isPast ? 0 : instant.nanoseconds))
    }

    /// Asks for `handleContinue`, after this callback and before anything else.
    ///
    /// Use it in `init` for what need not be done before the starter goes on, or to cut long work
    /// into pieces: between two of them signals are obeyed and other processes get a turn. Several
    /// are handled in the order in which they were asked for.
    ///
    /// - Source: `{continue, Term}` of OTP's `gen_server`.
    public func `continue`(with message: Server.Continue) {
        cell.continueLater(with: message)
    }
}

extension ProcessCell {
    func setIdleTimeout(_ rule: IdleTimeout.Rule?) {
        withCore { core in
            if rule == nil, core.relations?.rare == nil { return }
            let rare = core.makeRelations().makeRare()
            rare.idleTimer?.cancel()
            rare.idleTimer = rule.map { IdleTimer($0, of: self) }
            // Whether the timeout comes first is decided when the callback has returned.
            attention.store(true, ordering: .relaxed)
        }
    }

    func continueLater(with message: any Sendable) {
        withCore { core in
            core.makeRelations().makeRare().continuations.append(message)
            attention.store(true, ordering: .relaxed)
        }
    }
}
