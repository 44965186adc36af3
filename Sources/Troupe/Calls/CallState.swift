//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// One call as a pure state machine: whichever outcome comes first counts, and whoever waits is told
/// once.
///
/// `Waiter` is somebody to wake, `Holder` the process that has put off its reply.
@usableFromInline
struct CallState<Waiter, Holder> {
    @usableFromInline
    enum Phase {
        /// The request is on its way, or being handled. Can transition to: `deferred`, `done`.
        case open
        /// The handler has returned without a reply; somebody will give it later. Can transition
        /// to: `done`.
        case deferred(by: Holder)
        /// There is an outcome; nil for a reply. Final.
        case done(CallError?)
    }

    @usableFromInline private(set) var phase = Phase.open
    /// Nearly always there is at most one; a second one costs an array.
    private var waiter: Waiter?
    private var moreWaiters: [Waiter] = []

    @usableFromInline
    init() {}

    @usableFromInline
    var isDone: Bool {
        if case .done = phase { true } else { false }
    }

    @usableFromInline
    var error: CallError? {
        if case .done(let error) = phase { error } else { nil }
    }

    /// Whether the reply may come although the called process itself waits.
    var isDeferredOrDone: Bool {
        switch phase {
        case .open: false
        case .deferred, .done: true
        }
    }

    @usableFromInline
    enum FinishAction {
        /// There was an outcome before.
        case ignore
        /// This is the outcome: wake who waits, and let the holder forget the call.
        case finish(Waiter?, more: [Waiter], holder: Holder?)
    }

    /// There is a reply, or an error.
    @usableFromInline
    mutating func finished(_ error: CallError?) -> FinishAction {
        let holder: Holder?
        switch phase {
        case .done: return .ignore
        case .open: holder = nil
        case .deferred(let process): holder = process
        }
        defer {
            phase = .done(error)
            waiter = nil
            moreWaiters = []
        }
        return .finish(waiter, more: moreWaiters, holder: holder)
    }

    /// Somebody begins to wait.
    ///
    /// - Returns: whether there is something to wait for.
    mutating func waitBegan(_ new: Waiter) -> Bool {
        if isDone { return false }
        if waiter == nil { waiter = new } else { moreWaiters.append(new) }
        return true
    }

    /// Somebody waits no longer.
    mutating func waitEnded(_ isGone: (Waiter) -> Bool) {
        if let waiter, isGone(waiter) { self.waiter = moreWaiters.popLast() }
        moreWaiters.removeAll(where: isGone)
    }

    /// The handler has returned without a reply.
    ///
    /// - Returns: whether the holder has to remember the call: not when it is answered already.
    mutating func deferred(by holder: Holder) -> Bool {
        guard case .open = phase else { return false }
        phase = .deferred(by: holder)
        return true
    }
}

extension CallState: Sendable where Waiter: Sendable, Holder: Sendable {}
extension CallState.Phase: Sendable where Waiter: Sendable, Holder: Sendable {}
extension CallState.FinishAction: Sendable where Waiter: Sendable, Holder: Sendable {}
