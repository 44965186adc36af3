//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Gathers the outcomes of many calls for one who waits for any of them: the tokens of the calls, in
/// the order in which their outcomes came.
final class ReplyInbox: ReplyObserver, TimerTarget {
    private struct State: Sendable {
        var tokens: [Int] = []
        /// How many of the tokens were taken.
        var taken = 0
        var waiter: UnsafeContinuation<Void, Never>?

        mutating func popFirst() -> Int? {
            guard taken < tokens.count else { return nil }
            defer {
                taken += 1
                if taken == tokens.count { (tokens, taken) = ([], 0) }
            }
            return tokens[taken]
        }

        mutating func wake() -> UnsafeContinuation<Void, Never>? {
            defer { waiter = nil }
            return waiter
        }
    }

    /// Ranks after the lock of a ``ReplyCell``.
    private let state = Lock(State())

    func replyArrived(token: Int) {
        let waiter = state.withLock { state in
            state.tokens.append(token)
            return state.wake()
        }
        waiter?.resume()
    }

    func timerFired() { wake() }

    private func wake() {
        state.withLock { $0.wake() }?.resume()
    }

    /// Takes the next token; waits for one until the deadline.
    ///
    /// - Returns: nil when there was none in time.
    /// - Throws: ``CallError/cancelled`` when the task is cancelled.
    func next(deadline: UInt64, on node: Node) async throws(CallError) -> Int? {
        if let token = state.withLock({ $0.popFirst() }) { return token }
        guard deadline > node.scheduler.now else { return nil }
        let timer =
            deadline < TimerWheel<any TimerTarget>.latestDeadline
            ? node.timers.schedule(at: deadline, self) : nil
        defer { if let timer { node.timers.cancel(timer) } }
        while true {
            node.scheduler.willSuspend()
            await withTaskCancellationHandler {
                await withUnsafeContinuation { continuation in
                    let mustWait = state.withLock { state in
                        guard state.taken == state.tokens.count, !Task.isCancelled,
                            node.scheduler.now < deadline
                        else { return false }
                        state.waiter = continuation
                        return true
                    }
                    if !mustWait { continuation.resume() }
                }
            } onCancel: {
                self.wake()
            }
            if let token = state.withLock({ $0.popFirst() }) { return token }
            if Task.isCancelled { throw .cancelled }
            if node.scheduler.now >= deadline { return nil }
        }
    }

    /// Waits for the next token, however long it takes.
    func nextIgnoringCancellation(on scheduler: Scheduler) async {
        while state.withLock({ $0.popFirst() }) == nil {
            scheduler.willSuspend()
            await withUnsafeContinuation { continuation in
                let mustWait = state.withLock { state in
                    guard state.taken == state.tokens.count else { return false }
                    state.waiter = continuation
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        }
    }
}
