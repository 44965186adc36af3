//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// The place where the reply to one call is awaited and put; the driver of ``CallState``.
@usableFromInline
class ReplyCell: TimerTarget, @unchecked Sendable {
    // Unchecked: the variables, and what subclasses add, are protected by `lock`.

    @usableFromInline
    enum Waiter: Sendable {
        case task(UnsafeContinuation<Void, Never>)
        case thread(Parker)
        case observer(any ReplyObserver, token: Int)
    }

    @usableFromInline typealias State = CallState<Waiter, ProcessCell>

    /// Rank 2: locked alone or within the lock of a process.
    @usableFromInline let lock = LockWord()
    // The lock excludes what the compiler would check for at run time, several times a call.
    @exclusivity(unchecked) private var state = State()
    /// The called process.
    @usableFromInline let callee: Pid
    /// Whether the request was still waiting when the called process ended.
    private var wasDiscarded = false
    /// Whether the reply was given by somebody who was told that it was the first.
    @usableFromInline var wasAcknowledged = false

    @usableFromInline
    init(callee: Pid) {
        self.callee = callee
    }

    /// Runs `body` with the lock held.
    @usableFromInline
    final func withState<Result>(_ body: (inout State) -> Result) -> Result {
        lock.acquire()
        defer { lock.release() }
        return body(&state)
    }

    /// The call has failed.
    @usableFromInline
    @discardableResult
    final func fail(_ error: CallError) -> Bool {
        finish(error) {}
    }

    /// The called process has ended before it took the request out of its mailbox.
    @usableFromInline
    final func discard(_ reason: ExitReason) {
        finish(.exited(reason)) { wasDiscarded = true }
    }

    /// The caller sees that its time is up.
    ///
    /// - Returns: whether the call has failed. Not if somebody was told that the caller has the reply.
    @usableFromInline
    final func expire() -> Bool {
        fail(.timeout(callee)) || withState { _ in !wasAcknowledged }
    }

    /// Whether it is certain that the request has not been handled and will not be.
    final var isUnhandled: Bool {
        withState { state in
            switch state.error {
            case .exited: wasDiscarded
            case .noProcess: true
            default: false
            }
        }
    }

    /// What was waited for has happened; there is nothing to hand over.
    final func succeed() {
        finish(nil) {}
    }

    /// Sets the outcome if there is none yet, and wakes whoever waits.
    ///
    /// - Parameter put: puts the reply where it is found; called with the lock held.
    @usableFromInline
    @discardableResult
    final func finish(_ error: CallError?, _ put: () -> Void) -> Bool {
        let action = withState { state in
            let action = state.finished(error)
            if case .finish = action { put() }
            return action
        }
        guard case .finish(let waiter, let more, let holder) = action else { return false }
        if let waiter { wake(waiter) }
        for waiter in more { wake(waiter) }
        holder?.withCore { core in
            _ = core.relations?.rare?.deferredCalls.removeValue(forKey: ObjectIdentifier(self))
        }
        return true
    }

    private func wake(_ waiter: Waiter) {
        switch waiter {
        case .task(let continuation): continuation.resume()
        case .thread(let parker): parker.unpark()
        case .observer(let observer, let token): observer.replyArrived(token: token)
        }
    }

    @usableFromInline
    func timerFired() {
        fail(.timeout(callee))
    }

    /// Whether somebody may still reply although the called process waits itself.
    final var isDeferredOrDone: Bool { withState { $0.isDeferredOrDone } }

    @usableFromInline
    final var isDone: Bool { withState { $0.isDone } }

    /// Tells `observer` of the outcome; at once, if there is one.
    final func observe(_ observer: any ReplyObserver, token: Int) {
        let isOpen = withState { $0.waitBegan(.observer(observer, token: token)) }
        if !isOpen { observer.replyArrived(token: token) }
    }

    /// Does not tell `observer` any more.
    final func stopTelling(_ observer: any ReplyObserver) {
        withState { state in
            state.waitEnded { waiter in
                if case .observer(let other, _) = waiter { other === observer } else { false }
            }
        }
    }

    /// Makes it the place for the reply to another call. Only who has the only reference may.
    @usableFromInline
    final func forgetCall() {
        state = State()
        wasDiscarded = false
        wasAcknowledged = false
    }

    /// Waits for the outcome.
    ///
    /// - Parameters:
    ///   - isCancellable: whether a cancelled task waits no longer.
    ///   - runner: the one whose own task waits, if that is known; spares a cancellation handler. The
    ///     wait can be cancelled then.
    final func wait(
        deadline: UInt64, on scheduler: Scheduler, isCancellable: Bool = true,
        by runner: Runner? = nil
    ) async {
        if isDone { return }
        let timer =
            deadline < TimerWheel<any TimerTarget>.latestDeadline
            ? scheduler.timers.schedule(at: deadline, self) : nil
        if let runner {
            await runner.wait(for: self)
        } else {
            scheduler.willSuspend()
            await withTaskCancellationHandler {
                await withUnsafeContinuation { resumeWhenDone($0) }
            } onCancel: {
                if isCancellable { self.fail(.cancelled) }
            }
        }
        if let timer { scheduler.timers.cancel(timer) }
    }

    /// Resumes `continuation` when there is an outcome; at once, if there is one.
    final func resumeWhenDone(_ continuation: UnsafeContinuation<Void, Never>) {
        let isOpen = withState { $0.waitBegan(.task(continuation)) }
        if !isOpen { continuation.resume() }
    }

    /// Blocks the thread until there is an outcome.
    final func waitBlocking(deadline: UInt64, on scheduler: Scheduler) {
        let parker = Parker()
        guard withState({ $0.waitBegan(.thread(parker)) }) else { return }
        if deadline >= TimerWheel<any TimerTarget>.latestDeadline {
            parker.park()
        } else if scheduler.virtualTime != nil {
            let timer = scheduler.timers.schedule(at: deadline, self)
            parker.park()
            scheduler.timers.cancel(timer)
        } else if !parker.park(until: deadline) {
            fail(.timeout(callee))
        }
    }
}

/// Somebody who is told of the outcome of a call without waiting for that call alone.
@usableFromInline
protocol ReplyObserver: AnyObject, Sendable {
    /// The call that was observed with this token has an outcome. Called without a lock.
    func replyArrived(token: Int)
}

/// A ``ReplyCell`` with room for the reply.
@usableFromInline
final class TypedReplyCell<Reply: Sendable>: ReplyCell, @unchecked Sendable {
    // Unchecked: `value` is protected by `lock`.

    // As for the state of the call.
    @exclusivity(unchecked)
    @usableFromInline var value: Reply?

    @inlinable
    override init(callee: Pid) {
        self.value = nil
        super.init(callee: callee)
    }

    /// Puts the reply; false if there was an outcome before.
    @inlinable
    @discardableResult
    func complete(_ reply: Reply) -> Bool {
        finish(nil) { value = reply }
    }

    /// As ``complete(_:)``, for one who shall know whether the caller gets it.
    @inlinable
    func acknowledge(_ reply: Reply) -> Bool {
        finish(nil) {
            value = reply
            wasAcknowledged = true
        }
    }

    /// See ``forgetCall()``.
    @inlinable
    func reset() {
        forgetCall()
        value = nil
    }

    /// The outcome. To be called after there is one.
    @inlinable
    func take() throws(CallError) -> Reply {
        // The lock once more, so that what was put before the outcome is seen. Not both in a tuple:
        // in generic code its type would be looked up.
        let error = withState { $0.error }
        if let value { return value }
        throw error ?? .timeout(callee)
    }
}

extension ProcessCell {
    /// The running handler has taken a call without replying: whoever holds its `From` may.
    @usableFromInline
    final func deferCall(_ call: ReplyCell) {
        withCore { core in
            if call.withState({ $0.deferred(by: self) }) {
                core.makeRelations().makeRare().deferredCalls[ObjectIdentifier(call)] =
                    (call, popped.load(ordering: .relaxed))
            }
        }
    }

    /// Notes that this process is about to wait for `call`, unless that would close a cycle.
    ///
    /// - Returns: the cycle, beginning with this process.
    @usableFromInline
    final func beginWaiting(for call: ReplyCell, at target: ProcessCell) -> [Pid]? {
        withCore { $0.makeRelations().waits.append(.call(call)) }
        // Begins with this process; made when the first process turns out to wait itself.
        var chain: [Pid] = []
        var next: ProcessCell? = target
        while let current = next {
            if current === self {
                endWaiting(for: call)
                return chain.isEmpty ? [pid] : chain
            }
            // A process that waits for several calls at once may need only one of them.
            let call = current.withCore { $0.relations?.onlyCall }
            guard let call, !call.isDeferredOrDone, chain.count < 10_000 else { return nil }
            if chain.isEmpty { chain.append(pid) }
            chain.append(current.pid)
            // Of another node nothing is known here, not even whose pid has the same number.
            guard case .process(let callee) = current.node.locate(call.callee) else { return nil }
            next = callee
        }
        return nil
    }

    @usableFromInline
    final func endWaiting(for call: ReplyCell) {
        withCore { core in
            guard let relations = core.relations else { return }
            // Nearly always the only one.
            if case .call(let last)? = relations.waits.last, last === call {
                relations.waits.removeLast()
                return
            }
            relations.waits.removeAll { wait in
                if case .call(let other) = wait { other === call } else { false }
            }
        }
    }
}
