//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// A sender that waits for room in a mailbox.
///
/// Its message is put into the mailbox by the process itself as soon as there is room, in the order
/// in which the senders began to wait.
final class SendWaiter: TimerTarget, @unchecked Sendable {
    // Unchecked: `outcome`, `continuation` and `isQueued` are only touched with the lock of `cell`
    // held.

    let cell: ProcessCell
    /// Appends the message to the queue of the locked process.
    let append: @Sendable (inout MessageQueue) -> Void
    fileprivate var continuation: UnsafeContinuation<Void, Never>?
    fileprivate var outcome: Outcome?

    enum Outcome: Sendable {
        case accepted, gone, timedOut, cancelled
    }

    init(cell: ProcessCell, append: @escaping @Sendable (inout MessageQueue) -> Void) {
        self.cell = cell
        self.append = append
    }

    /// Resumes the sender. To be called without a lock, once, after an outcome was set.
    func resume() {
        let continuation = cell.core.withLock { _ in
            let continuation = self.continuation
            self.continuation = nil
            return continuation
        }
        continuation?.resume()
    }

    func timerFired() { giveUp(.timedOut) }

    func cancel() { giveUp(.cancelled) }

    private func giveUp(_ outcome: Outcome) {
        let gaveUp = cell.core.withLock { core in
            guard self.outcome == nil else { return false }
            self.outcome = outcome
            core.relations?.sendWaiters.removeAll { $0 === self }
            return true
        }
        if gaveUp { resume() }
    }

    /// Waits until the message is in the mailbox.
    ///
    /// - Returns: what came of it. Only with `accepted` was the message delivered.
    func wait(deadline: UInt64) async -> Outcome {
        let timer =
            deadline < TimerWheel<any TimerTarget>.latestDeadline
            ? cell.node.timers.schedule(at: deadline, self) : nil
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let (arrival, isDecided) = cell.core.withLock { core -> (Arrival, Bool) in
                    if outcome != nil { return (.none, true) }
                    if core.lifecycle.phase == .ended {
                        outcome = .gone
                        return (.none, true)
                    }
                    if case .open = core.admission(popped: cell.popped) {
                        append(&core.queue)
                        core.accepted &+= 1
                        outcome = .accepted
                        return (core.arrived(), true)
                    }
                    self.continuation = continuation
                    core.makeRelations().sendWaiters.append(self)
                    cell.attention.store(true, ordering: .relaxed)
                    return (.none, false)
                }
                arrival.perform(for: cell)
                if isDecided { continuation.resume() }
            }
        } onCancel: {
            self.cancel()
        }
        if let timer { cell.node.timers.cancel(timer) }
        return cell.core.withLock { _ in outcome ?? .gone }
    }
}

extension ProcessCell {
    /// Moves what waiting senders have into the mailbox, as far as there is room.
    final func admitWaiters(
        _ core: inout ProcessCore, _ relations: Relations, resuming: inout [SendWaiter]
    ) {
        guard !relations.sendWaiters.isEmpty else { return }
        core.poppedSeen = popped.load(ordering: .relaxed)
        let room = Int(UInt64(core.capacity) - (core.accepted - core.poppedSeen))
        let admitted = relations.sendWaiters.prefix(room)
        for waiter in admitted {
            waiter.append(&core.queue)
            core.accepted &+= 1
            waiter.outcome = .accepted
            resuming.append(waiter)
        }
        relations.sendWaiters.removeFirst(admitted.count)
    }

    /// Fails all waiting senders of a process that has ended. The lock is held.
    final func dismissWaiters(_ relations: Relations) -> [SendWaiter] {
        let waiters = relations.sendWaiters
        for waiter in waiters { waiter.outcome = .gone }
        relations.sendWaiters = []
        return waiters
    }
}
