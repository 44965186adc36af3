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
    // Unchecked: all variables are only touched with the lock of `cell` held.

    let cell: ProcessCell
    /// Appends the message to the queue of the locked process.
    let append: @Sendable (inout MessageQueue) -> Void
    fileprivate var continuation: UnsafeContinuation<Void, Never>?
    fileprivate var outcome: Outcome?
    /// Where the queue has it; set when it joins.
    fileprivate var ticket = 0

    enum Outcome: Sendable {
        case accepted, gone, timedOut, cancelled
    }

    init(cell: ProcessCell, append: @escaping @Sendable (inout MessageQueue) -> Void) {
        self.cell = cell
        self.append = append
    }

    /// Resumes the sender. To be called without a lock, once, after an outcome was set.
    func resume() {
        let continuation = cell.withCore { _ in
            let continuation = self.continuation
            self.continuation = nil
            return continuation
        }
        continuation?.resume()
    }

    func timerFired() { giveUp(.timedOut) }

    func cancel() { giveUp(.cancelled) }

    private func giveUp(_ outcome: Outcome) {
        let gaveUp = cell.withCore { core in
            guard self.outcome == nil else { return false }
            self.outcome = outcome
            core.relations?.rare?.sendWaiters.remove(self)
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
        cell.scheduler.willSuspend()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let (arrival, isDecided) = cell.withCore { core -> (Arrival, Bool) in
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
                    core.makeRelations().makeRare().sendWaiters.append(self)
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
        return cell.withCore { _ in outcome ?? .gone }
    }
}

extension ProcessCell {
    /// Moves what waiting senders have into the mailbox, as far as there is room.
    final func admitWaiters(
        _ core: inout ProcessCore, _ relations: Relations, resuming: inout [SendWaiter]
    ) {
        guard let rare = relations.rare, !rare.sendWaiters.isEmpty else { return }
        core.poppedSeen = popped.load(ordering: .relaxed)
        while core.accepted - core.poppedSeen < UInt64(core.capacity),
            let waiter = rare.sendWaiters.popFirst()
        {
            waiter.append(&core.queue)
            core.accepted &+= 1
            waiter.outcome = .accepted
            resuming.append(waiter)
        }
    }

    /// Fails all waiting senders of a process that has ended. The lock is held.
    final func dismissWaiters(_ rare: RareRelations) -> [SendWaiter] {
        var waiters: [SendWaiter] = []
        while let waiter = rare.sendWaiters.popFirst() {
            waiter.outcome = .gone
            waiters.append(waiter)
        }
        return waiters
    }
}

/// Senders in the order in which they began to wait. All operations are constant, amortised.
struct SendWaiterQueue: Sendable {
    /// Nil for those who have left before their turn.
    private var entries: [SendWaiter?] = []
    /// How many of the entries are done with, at the front.
    private var first = 0
    /// The ticket of the first entry.
    private var base = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ waiter: SendWaiter) {
        waiter.ticket = base + entries.count
        entries.append(waiter)
        count += 1
    }

    /// Takes one that is in the queue out of it; one that is not stays where it is.
    mutating func remove(_ waiter: SendWaiter) {
        let index = waiter.ticket - base
        guard entries.indices.contains(index), entries[index] === waiter else { return }
        entries[index] = nil
        count -= 1
    }

    mutating func popFirst() -> SendWaiter? {
        while first < entries.count {
            let waiter = entries[first]
            entries[first] = nil
            first += 1
            if first >= 64, first * 2 > entries.count {
                entries.removeFirst(first)
                base += first
                first = 0
            }
            if let waiter {
                count -= 1
                return waiter
            }
        }
        return nil
    }
}
