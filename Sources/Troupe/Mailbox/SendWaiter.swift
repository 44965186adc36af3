//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// A sender that waits for room in a mailbox.
///
/// Its message is put into the mailbox by the process itself when there is room, in the order in which
/// the senders began to wait.
///
/// Of a large mailbox it is not every single place that is given away at once: where several senders
/// fill it faster than the process empties it, each message would suspend a task and resume it. Room is
/// given away in portions, or place by place when somebody has waited for some milliseconds. Who sends
/// without waiting gets what those who wait leave over.
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

    /// The time is up; but there may be room that was not given away yet, to those who have waited
    /// longer first.
    func timerFired() {
        var admitted: [SendWaiter] = []
        let arrival = cell.withCore { core -> Arrival in
            guard core.lifecycle.phase != .ended, let relations = core.relations else {
                return .none
            }
            cell.admitWaiters(&core, relations, isDry: true, resuming: &admitted)
            return admitted.isEmpty ? .none : core.arrived()
        }
        arrival.perform(for: cell)
        for waiter in admitted { waiter.resume() }
        giveUp(.timedOut)
    }

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
                switch cell.withCore({ core in join(&core, continuation) }) {
                case .decided(let arrival):
                    arrival.perform(for: cell)
                    continuation.resume()
                case .waits(let isPatienceDue):
                    if isPatienceDue { SendPatience.begin(for: cell) }
                }
            }
        } onCancel: {
            self.cancel()
        }
        if let timer { cell.node.timers.cancel(timer) }
        let (outcome, isPatienceDue) = cell.withCore { core in
            (self.outcome ?? .gone, core.relations?.rare?.sendWaiters.beginPatience() ?? false)
        }
        if isPatienceDue { SendPatience.begin(for: cell) }
        return outcome
    }

    private enum Joining: Sendable {
        case decided(Arrival)
        case waits(isPatienceDue: Bool)
    }

    /// Begins to wait, if there is still nothing but that.
    private func join(
        _ core: inout ProcessCore, _ continuation: UnsafeContinuation<Void, Never>
    ) -> Joining {
        if outcome != nil { return .decided(.none) }
        if core.lifecycle.phase == .ended {
            outcome = .gone
            return .decided(.none)
        }
        if case .open = core.admission(popped: cell.popped) {
            append(&core.queue)
            core.accepted &+= 1
            outcome = .accepted
            return .decided(core.arrived())
        }
        self.continuation = continuation
        let rare = core.makeRelations().makeRare()
        rare.sendWaiters.append(self)
        cell.attention.store(true, ordering: .relaxed)
        return .waits(isPatienceDue: rare.sendWaiters.beginPatience())
    }
}

/// Sees to it that a process which is slow does not let senders wait for a whole portion of room.
private final class SendPatience: TimerTarget, Sendable {
    private let cell: ProcessCell

    /// How long senders leave it to the process when it gives room away.
    private static let span: UInt64 = 5_000_000

    private init(_ cell: ProcessCell) {
        self.cell = cell
    }

    static func begin(for cell: ProcessCell) {
        // In a simulation a portion is one place.
        if cell.traits.isSimulated { return }
        // Nobody cancels it: with senders that wait all the time this is one timer each 5 ms.
        _ = cell.node.timers.schedule(
            at: cell.scheduler.now.addingSaturated(span), SendPatience(cell))
    }

    func timerFired() {
        cell.withCore { core in
            guard let rare = core.relations?.rare, rare.sendWaiters.endPatience() else { return }
            cell.attention.store(true, ordering: .relaxed)
        }
    }
}

extension ProcessCell {
    /// Moves what waiting senders have into the mailbox, when there is enough room.
    ///
    /// - Parameter isDry: there will not be more room unless something comes.
    final func admitWaiters(
        _ core: inout ProcessCore, _ relations: Relations, isDry: Bool, resuming: inout [SendWaiter]
    ) {
        guard let rare = relations.rare, !rare.sendWaiters.isEmpty else { return }
        var room = core.room(popped: popped)
        let portion = min(Int(core.capacity) / 4, traits.stepBudget)
        guard room > 0, isDry || rare.sendWaiters.isUrgent || room >= portion else { return }
        while room > 0, let waiter = rare.sendWaiters.popFirst() {
            waiter.append(&core.queue)
            core.accepted &+= 1
            room -= 1
            waiter.outcome = .accepted
            resuming.append(waiter)
        }
        rare.sendWaiters.wereServed()
        core.lookForRoom(popped: popped)
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
    /// Whether a timer runs that will make it urgent.
    private var isTimed = false
    /// Whether there is to be a look for room after each message.
    private(set) var isUrgent = false

    var isEmpty: Bool { count == 0 }

    mutating func append(_ waiter: SendWaiter) {
        waiter.ticket = base + entries.count
        entries.append(waiter)
        count += 1
    }

    /// One has begun to wait, or some are left.
    ///
    /// - Returns: whether to call ``endPatience()`` in a while; not if that is to be done already, or
    ///   nobody can wait any longer as it is.
    mutating func beginPatience() -> Bool {
        guard !isEmpty, !isTimed, !isUrgent else { return false }
        isTimed = true
        return true
    }

    /// As many were let in as there was room for. They call ``beginPatience()`` for those who are left.
    mutating func wereServed() { isUrgent = false }

    /// Somebody may have waited for long.
    ///
    /// - Returns: whether somebody waits.
    mutating func endPatience() -> Bool {
        isTimed = false
        isUrgent = !isEmpty
        return isUrgent
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
