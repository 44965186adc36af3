//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// The process of a closure: it keeps one runner for life.
final class ClosureCell: ProcessCell, @unchecked Sendable {
    // Unchecked: `batch` and `budget` belong to the body, which is the only one that receives.

    /// Messages that were taken from the mailbox and not received yet.
    private var batch = MessageQueue()
    /// How many messages the body may receive before others get a turn.
    private var budget = ProcessCell.stepBudget

    /// An element of the mailbox: a message in a wrapper, because a bare existential that is passed
    /// to a generic function would be opened, and the queue would get elements of many types.
    private struct Item: Sendable {
        let message: any Sendable
    }

    typealias Body = @Sendable (Process) async throws -> any Sendable

    init(seed: ProcessSeed, body: @escaping Body, result: ResultCell) {
        super.init(seed: seed) { cell, command in
            let cell = unsafeDowncast(cell, to: ClosureCell.self)
            switch command {
            case .step:
                cell.borrowRunner { cell, runner in
                    await unsafeDowncast(cell, to: ClosureCell.self).run(body, result, runner)
                }
                return .accepted
            case .put(let message):
                return cell.put(Item(message: message)) { _ in cell.reportOverflow() }
            case .enqueue(let message, let delivery):
                var dropped: Item?
                let (result, arrival) = cell.enqueue(Item(message: message), dropped: &dropped)
                delivery.pointee.arrival = arrival
                if let dropped {
                    // Kept until then: the user's code may run when it is destroyed.
                    delivery.pointee.afterDrop = {
                        withExtendedLifetime(dropped) { cell.reportOverflow() }
                    }
                }
                return result
            case .append(let message, let queue):
                queue.pointee.append(Item(message: message))
                return .accepted
            case .discard(let queue, _):
                while queue.pointee.popFirst(as: Item.self) != nil {}
                return .accepted
            }
        }
    }

    private func run(_ body: Body, _ result: ResultCell, _ runner: Runner) async {
        var ending = Ending(own: .normal)
        if !begin(runner) {
            do {
                let value = try await body(Process(self))
                core.withLock { core in
                    // Told to end meanwhile: then there is no result, whatever the body returns.
                    guard core.lifecycle.stopReason == nil else { return }
                    core.makeRelations().result = value
                    result.value = value
                }
            } catch {
                if case .error(let error) = ExitReason(thrown: error), node.options.crashesOnError {
                    fatalError(
                        "the body of \(pid) threw \(error) (NodeOptions.crashesOnError is set)")
                }
                ending = Ending(own: ExitReason(thrown: error))
            }
        }
        _ = beginTermination(ending)
        finish(ending, batch: &batch)
    }

    /// - Returns: whether the process was told to end before it began.
    private func begin(_ runner: Runner) -> Bool {
        core.withLock { core in
            core.lifecycle.turnCame()
            core.runner = runner
            return core.lifecycle.stopReason != nil
        }
    }

    // MARK: - Receiving

    private enum Received {
        case message(any Sendable)
        case nothing
        case toldToEnd(ExitReason)
    }

    /// The next message, or nil when the deadline has passed.
    ///
    /// - Throws: the exit reason when the process has been told to end.
    func receive(deadline: UInt64?) async throws(ExitReason) -> (any Sendable)? {
        if budget <= 0 {
            budget = ProcessCell.stepBudget
            await Task.yield()
        }
        while true {
            switch poll() {
            case .message(let message):
                budget -= 1
                return message
            case .toldToEnd(let reason): throw reason
            case .nothing: break
            }
            if let deadline, scheduler.now >= deadline { return nil }
            await park(deadline: deadline)
            budget = ProcessCell.stepBudget
        }
    }

    /// Looks for a message, the fast way first.
    private func poll() -> Received {
        if !attention.load(ordering: .relaxed),
            let item = batch.popFirst(as: Item.self)
        {
            countPopped()
            return .message(item.message)
        }
        switch takeReceivable(&batch) {
        case .stop(let reason):
            return .toldToEnd(reason)
        case .info(let message):
            return .message(message)
        case .messages:
            guard let item = batch.popFirst(as: Item.self) else { return .nothing }
            countPopped()
            return .message(item.message)
        case .oneMessage:
            return popOne(as: Item.self).map { .message($0.message) } ?? .nothing
        case .nothing:
            return .nothing
        }
    }

    private func park(deadline: UInt64?) async {
        let wakeUp = deadline.map { _ in WakeUp(cell: self) }
        var timer: TimerWheelToken?
        if let deadline, let wakeUp { timer = node.timers.schedule(at: deadline, wakeUp) }
        await withUnsafeContinuation { continuation in
            let mayPark = core.withLock { core in
                let hasWork =
                    core.lifecycle.stopReason != nil || !core.queue.isEmpty
                    || core.relations?.hasWork ?? false
                    || wakeUp?.hasFired ?? false
                guard !hasWork else { return false }
                core.lifecycle.parked()
                core.parked = continuation
                return true
            }
            if !mayPark { continuation.resume() }
        }
        if let timer { node.timers.cancel(timer) }
    }

    /// Ends a wait when its deadline has come.
    private final class WakeUp: TimerTarget, @unchecked Sendable {
        // Unchecked: `hasFired` is only touched with the lock of `cell` held.
        let cell: ClosureCell
        var hasFired = false

        init(cell: ClosureCell) {
            self.cell = cell
        }

        func timerFired() {
            let arrival = cell.core.withLock { core -> Arrival in
                hasFired = true
                guard core.lifecycle.phase == .parked else { return .none }
                return core.arrived()
            }
            arrival.perform(for: cell)
        }
    }
}

extension ProcessCell {
    /// What a body that receives gets next.
    enum Receivable {
        case messages, oneMessage, nothing
        case info(any Sendable)
        case stop(ExitReason)
    }

    /// Decides what `receive` returns, and refills the batch if it is empty.
    final func takeReceivable(_ batch: inout MessageQueue) -> Receivable {
        var waiters: [SendWaiter] = []
        let receivable = core.withLock { core -> Receivable in
            if let reason = core.lifecycle.stopReason { return .stop(reason) }
            if let relations = core.relations {
                // A closure process takes no system requests.
                if case .info(let message)? = nextSignal(relations, isSuspended: false) {
                    return .info(message)
                }
                admitWaiters(&core, relations, resuming: &waiters)
                attention.store(relations.needsAttention, ordering: .relaxed)
            }
            if !batch.isEmpty { return .messages }
            if core.queue.isEmpty { return .nothing }
            if core.overflow == .dropOldest { return .oneMessage }
            core.queue.moveAll(to: &batch)
            return .messages
        }
        for waiter in waiters { waiter.resume() }
        return receivable
    }
}

/// Where the value of a closure process is put for those who await it.
final class ResultCell: @unchecked Sendable {
    // Unchecked: `value` is written by the body before the process ends, and read after that.

    var value: (any Sendable)?
}
