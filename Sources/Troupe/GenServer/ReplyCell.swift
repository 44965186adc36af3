//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The place where the reply to one call is awaited and put: whichever outcome comes first counts.
@usableFromInline
class ReplyCell: TimerTarget, @unchecked Sendable {
    // Unchecked: what subclasses add is protected by `state`.

    @usableFromInline
    enum Waiter: Sendable {
        case task(UnsafeContinuation<Void, Never>)
        case thread(Parker)

        @usableFromInline
        func resume() {
            switch self {
            case .task(let continuation): continuation.resume()
            case .thread(let parker): parker.unpark()
            }
        }
    }

    @usableFromInline
    struct State: Sendable {
        /// Whether there is an outcome; the typed subclass holds the reply.
        @usableFromInline var isDone = false
        @usableFromInline var error: CallError?
        @usableFromInline var waiter: Waiter?
        /// The process that has deferred its reply, and so lists this call.
        @usableFromInline var deferredBy: ProcessCell?
    }

    /// Rank 2: locked alone or within the lock of a process.
    @usableFromInline let state = Lock(State())
    /// The called process.
    @usableFromInline let callee: Pid

    @usableFromInline
    init(callee: Pid) {
        self.callee = callee
    }

    /// The call has failed.
    @usableFromInline
    @discardableResult
    final func fail(_ error: CallError) -> Bool {
        finish { $0.error = error }
    }

    /// Sets the outcome if there is none yet, and resumes the caller.
    @usableFromInline
    @discardableResult
    final func finish(_ outcome: (inout State) -> Void) -> Bool {
        let (isFirst, waiter, deferredBy) = state.withLock {
            state -> (Bool, Waiter?, ProcessCell?) in
            if state.isDone { return (false, nil, nil) }
            state.isDone = true
            outcome(&state)
            defer {
                state.waiter = nil
                state.deferredBy = nil
            }
            return (true, state.waiter, state.deferredBy)
        }
        waiter?.resume()
        if let deferredBy {
            deferredBy.core.withLock { core in
                _ = core.relations?.deferredCalls.removeValue(forKey: ObjectIdentifier(self))
            }
        }
        return isFirst
    }

    @usableFromInline
    func timerFired() {
        fail(.timeout(callee))
    }

    /// Whether somebody may still reply although the called process waits itself.
    final var isDeferredOrDone: Bool {
        state.withLock { $0.isDone || $0.deferredBy != nil }
    }

    /// Waits for the outcome.
    ///
    /// - Parameter isCancellable: whether a cancelled task waits no longer.
    final func wait(
        deadline: UInt64, timers: TimerService, isCancellable: Bool = true
    ) async {
        if state.withLock({ $0.isDone }) { return }
        let timer =
            deadline < TimerWheel<any TimerTarget>.latestDeadline
            ? timers.schedule(at: deadline, self) : nil
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let isDone = state.withLock { state in
                    if state.isDone { return true }
                    state.waiter = .task(continuation)
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            if isCancellable { self.fail(.cancelled) }
        }
        if let timer { timers.cancel(timer) }
    }

    /// Blocks the thread until there is an outcome.
    final func waitBlocking(deadline: UInt64) {
        let parker = Parker()
        let isDone = state.withLock { state in
            if !state.isDone { state.waiter = .thread(parker) }
            return state.isDone
        }
        if isDone { return }
        if deadline >= TimerWheel<any TimerTarget>.latestDeadline {
            parker.park()
        } else if !parker.park(until: deadline) {
            fail(.timeout(callee))
        }
    }
}

/// A ``ReplyCell`` with room for the reply.
@usableFromInline
final class TypedReplyCell<Reply: Sendable>: ReplyCell, @unchecked Sendable {
    // Unchecked: `value` is protected by `state`.

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
        finish { _ in value = reply }
    }

    /// The outcome. To be called after there is one.
    @inlinable
    func take() throws(CallError) -> Reply {
        let (value, error) = state.withLock { state in (self.value, state.error) }
        if let value { return value }
        throw error ?? .timeout(callee)
    }
}

extension ProcessCell {
    /// The running handler has taken a call without replying: whoever holds its `From` may.
    @usableFromInline
    final func deferCall(_ call: ReplyCell) {
        core.withLock { core in
            let isOpen = call.state.withLock { state in
                guard !state.isDone else { return false }
                state.deferredBy = self
                return true
            }
            if isOpen { core.makeRelations().deferredCalls[ObjectIdentifier(call)] = call }
        }
    }

    /// Notes that this process is about to wait for `call`, unless that would close a cycle.
    ///
    /// - Returns: the cycle, beginning with this process.
    @usableFromInline
    final func beginWaiting(for call: ReplyCell, at target: ProcessCell) -> [Pid]? {
        core.withLock { $0.makeRelations().outstandingCalls.append(call) }
        var chain = [pid]
        var next: ProcessCell? = target
        while let current = next {
            if current === self {
                endWaiting(for: call)
                return chain
            }
            chain.append(current.pid)
            // A process that waits for several calls at once may need only one of them.
            let call = current.core.withLock { core in
                core.relations.flatMap { relations in
                    relations.outstandingCalls.count == 1 ? relations.outstandingCalls.first : nil
                }
            }
            guard let call, !call.isDeferredOrDone, chain.count < 10_000 else { return nil }
            next = current.node.table.find(call.callee.id)
        }
        return nil
    }

    @usableFromInline
    final func endWaiting(for call: ReplyCell) {
        core.withLock { core in
            core.relations?.outstandingCalls.removeAll { $0 === call }
        }
    }
}
