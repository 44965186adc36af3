//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Synchronization

/// What a process has to do next.
@usableFromInline
enum Work {
    /// Handle the messages of the batch.
    case messages
    /// Handle a signal that has become a message, which nobody watches.
    case info(any Sendable)
    /// Handle one thing that is less common.
    case single(SingleWork)
    /// Carry out a request that looks at the state.
    case inspect(@Sendable (UnsafeMutableRawPointer) -> Void)
    /// End. If nobody has ordered it before, the reason is the one given here.
    case stop(ExitReason?)
    /// Nothing; the process is idle, or back in the run queue, and belongs to nobody here any more.
    case done
}

/// One thing to handle, and who watches.
@usableFromInline
struct SingleWork {
    @usableFromInline
    enum Content {
        /// The first message of the batch.
        case message
        /// The message that is taken from the mailbox with ``ProcessCell/popOne(as:)``.
        case unbatchedMessage
        /// A signal that has become a message: a ``MessageDown``, ``MessageExit`` or
        /// ``MessageResponse``.
        case info(any Sendable)
        /// What the server has told itself to do.
        case continuation(any Sendable)
        /// The idle timeout.
        case timeout
    }

    @usableFromInline let content: Content
    @usableFromInline let observer: ServerObserver?
}

/// What is left to do once the lock of a process is released.
struct Afterwards {
    var waiters: [SendWaiter] = []
    var replies: [TypedReplyCell<Void>] = []

    func perform() {
        for waiter in waiters { waiter.resume() }
        for reply in replies { reply.complete(()) }
    }
}

extension ProcessCore {
    /// Whether all that there can be to do is to handle messages, in batches.
    func hasOnlyMessages(attention: borrowing Atomic<Bool>) -> Bool {
        lifecycle.stopReason == nil && !lifecycle.isSuspended && overflow != .dropOldest
            && (relations == nil
                || !attention.load(ordering: .relaxed) && relations?.rare?.isInTheWay != true)
    }

    /// The process has nothing to do, or shall do nothing. Of the two queues' memory it keeps at
    /// most one small chunk.
    ///
    /// - Returns: as ``ranDry()``.
    @discardableResult
    mutating func becomeIdle(_ batch: inout MessageQueue) -> TimerService.Wake {
        if !batch.isEmpty {
            queue.prepend(&batch)
        } else if queue.head == nil {
            batch.moveAll(to: &queue)
        }
        // A suspended process keeps what has come meanwhile.
        if queue.isEmpty { queue.trim() }
        batch.releaseMemory()
        runner = nil
        return ranDry()
    }

    /// The process has nothing to do.
    ///
    /// - Returns: what to do for its idle timeout when the lock is released.
    mutating func ranDry() -> TimerService.Wake {
        lifecycle.ranDry()
        return relations?.rare?.idleTimer?.ranDry() ?? .none
    }
}

extension ProcessCell {
    /// Decides what the running process does next.
    ///
    /// - Parameters:
    ///   - batch: messages that were taken before. When the answer is about messages it is not
    ///     empty, when it is `.done` it is empty and without memory.
    ///   - hasBudget: whether the process may go on, or shall queue up again.
    ///   - runner: what runs the process. When its turn has just come, this is the one to cancel when
    ///     it is told to end.
    @usableFromInline
    final func takeWork(
        _ batch: inout MessageQueue, hasBudget: Bool, by runner: Runner? = nil
    ) -> Work {
        lock.acquire()
        if core.lifecycle.phase == .scheduled {
            core.lifecycle.turnCame()
            core.runner = runner
        }
        guard hasBudget, core.hasOnlyMessages(attention: attention) else {
            return takeRareWork(&batch, hasBudget: hasBudget)
        }
        if batch.isEmpty {
            if core.queue.isEmpty {
                // Without an idle timeout, or this would be the slow half.
                core.becomeIdle(&batch)
                lock.release()
                return .done
            }
            core.queue.moveAll(to: &batch)
        }
        lock.release()
        return .messages
    }

    /// What was found with the lock held.
    private enum RareWork {
        case work(Work)
        /// To handle the message that the signal is which was taken.
        case signal(observer: ServerObserver?)
        /// Nothing; with what to do for an idle timeout.
        case idle(TimerService.Wake)
        /// To queue up again.
        case submit
    }

    /// The slow half of ``takeWork(_:hasBudget:)``. The lock is held, and released here.
    private func takeRareWork(_ batch: inout MessageQueue, hasBudget: Bool) -> Work {
        var afterwards = Afterwards()
        // Not in what is returned: to look into that would be copies of the signal.
        var taken = TakenSignal()
        let next = findRareWork(&core, &batch, hasBudget: hasBudget, &taken, &afterwards)
        lock.release()
        if !taken.unwanted.isEmpty { taken.unwanted = [] }
        afterwards.perform()
        switch next {
        case .work(let work):
            return work
        case .idle(let timerWake):
            if timerWake != .none { node.timers.perform(timerWake) }
            return .done
        case .signal(let observer):
            guard let message = taken.signal.take()?.message(on: node) else {
                return takeWork(&batch, hasBudget: hasBudget)
            }
            guard let observer else { return .info(message) }
            return .single(SingleWork(content: .info(message), observer: observer))
        case .submit:
            submit()
            return .done
        }
    }

    private func findRareWork(
        _ core: inout ProcessCore, _ batch: inout MessageQueue, hasBudget: Bool,
        _ taken: inout TakenSignal, _ afterwards: inout Afterwards
    ) -> RareWork {
        if core.lifecycle.stopReason != nil { return .work(.stop(nil)) }
        // One without anything to do need not queue up to find that out.
        guard
            hasBudget
                || batch.isEmpty && core.queue.isEmpty
                    && core.relations?.needsAttention != true
        else {
            if batch.isEmpty { batch.releaseMemory() } else { core.queue.prepend(&batch) }
            core.lifecycle.yielded()
            core.runner = nil
            return .submit
        }
        let relations = core.relations
        if let relations,
            let work = takeSpecialWork(&core, relations, &taken, &afterwards)
        {
            return work
        }
        let isBatchEmpty = batch.isEmpty
        if isBatchEmpty && core.queue.isEmpty || core.lifecycle.isSuspended {
            return .idle(core.becomeIdle(&batch))
        }
        if let relations { beginCallback(relations) }
        if isBatchEmpty, core.overflow != .dropOldest { core.queue.moveAll(to: &batch) }
        let content: SingleWork.Content = batch.isEmpty ? .unbatchedMessage : .message
        let observer = relations?.rare?.observer
        if observer == nil, case .message = content { return .work(.messages) }
        return .work(.single(SingleWork(content: content, observer: observer)))
    }

    /// What goes before messages: what the server has told itself to do, its timeout, signals.
    private func takeSpecialWork(
        _ core: inout ProcessCore, _ relations: Relations, _ taken: inout TakenSignal,
        _ afterwards: inout Afterwards
    ) -> RareWork? {
        func single(_ content: SingleWork.Content) -> RareWork {
            .work(.single(SingleWork(content: content, observer: relations.rare?.observer)))
        }
        if let rare = relations.rare, !rare.continuations.isEmpty {
            let message = rare.continuations.removeFirst()
            beginCallback(relations)
            return single(.continuation(message))
        }
        loop: while true {
            // Looked at again after each request: it may have come while the server was suspended.
            if !core.lifecycle.isSuspended, relations.rare?.idleTimer?.timeout.take() ?? false {
                attention.store(relations.needsAttention, ordering: .relaxed)
                return single(.timeout)
            }
            let request: SystemRequest
            switch takeSignal(relations, isSuspended: core.lifecycle.isSuspended, &taken) {
            case .nothing: break loop
            case .request(let next): request = next
            case .taken:
                beginCallback(relations)
                return .signal(observer: relations.rare?.observer)
            }
            switch request.kind {
            case .setSuspended(let suspended, let reply):
                core.lifecycle.setSuspended(suspended)
                afterwards.replies.append(reply)
            case .stop(let reason):
                return .work(.stop(reason))
            case .inspect(let body):
                return .work(.inspect(body))
            }
        }
        admitWaiters(
            &core, relations, isDry: core.lifecycle.isSuspended, resuming: &afterwards.waiters)
        attention.store(relations.needsAttention, ordering: .relaxed)
        return nil
    }

    /// A callback is about to run that counts as something having come.
    private func beginCallback(_ relations: Relations) {
        relations.rare?.idleTimer?.callbackBegan()
        attention.store(relations.needsAttention, ordering: .relaxed)
    }

    /// A signal that becomes a message.
    private struct TakenSignal {
        var signal: SignalQueue.Signal?
        /// Signals that came before it and that nobody wants any more. Not to be let go with the lock
        /// held: what they carry may run the user's code when it is destroyed.
        var unwanted: [SignalQueue.Signal] = []
    }

    private enum NextSignal {
        case nothing
        case request(SystemRequest)
        /// One that becomes a message.
        case taken
    }

    /// Takes the next signal whose turn has come and that is still wanted.
    ///
    /// - Parameter taken: is set when it becomes a message.
    private func takeSignal(
        _ relations: Relations, isSuspended: Bool, _ taken: inout TakenSignal
    ) -> NextSignal {
        if isSuspended {
            return relations.signals.popFirstRequest().map { .request($0) } ?? .nothing
        }
        let popped = popped.load(ordering: .relaxed)
        while true {
            // Demonitored, or abandoned, meanwhile: as if it had never come.
            if let down = relations.signals.firstDown(popped: popped) {
                // Asked before it is taken: a copy of it costs more than the rest.
                let isWanted = relations.monitors.downTaken(down)
                let signal = relations.signals.popFirst(popped: popped)
                if isWanted {
                    taken.signal = signal
                    return .taken
                }
                if let signal { taken.unwanted.append(signal) }
            } else {
                guard let signal = relations.signals.popFirst(popped: popped) else {
                    return .nothing
                }
                if case .request(let request) = signal { return .request(request) }
                if isWantedStill(signal, relations) {
                    taken.signal = signal
                    return .taken
                }
                taken.unwanted.append(signal)
            }
        }
    }

    /// Whether a signal that is about to be handed to the process is still wanted. The lock is held.
    final func isWantedStill(_ signal: SignalQueue.Signal, _ relations: Relations) -> Bool {
        switch signal {
        case .exit, .request: true
        case .down(let fired): relations.monitors.downTaken(fired.id)
        case .response(let response):
            relations.rare?.requests.removeValue(forKey: response.request.reference.id) != nil
        case .notice(let notice): isWantedStill(notice, relations)
        }
    }

    private func isWantedStill(_ notice: Notice, _ relations: Relations) -> Bool {
        if notice.attachment == 0 { return true }
        // Detached meanwhile: as if it had never come.
        guard let rare = relations.rare, rare.attachments[notice.attachment] != nil else {
            return false
        }
        if notice.isLast { rare.attachments[notice.attachment] = nil }
        return true
    }

    /// Takes the oldest message of a mailbox that drops the oldest.
    @inlinable
    final func popOne<E: Sendable>(as type: E.Type) -> E? {
        withCore { core in
            let element = core.queue.popFirst(as: E.self)
            if element != nil { countPopped() }
            return element
        }
    }

    /// Notes that the running process has taken a message out of the mailbox.
    @inlinable
    final func countPopped() {
        popped.store(popped.load(ordering: .relaxed) &+ 1, ordering: .releasing)
    }

    /// `init` has returned: the process can be scheduled.
    @usableFromInline
    final func started() {
        let arrival = withCore { core in
            let hasWork =
                !core.queue.isEmpty || core.relations?.hasWork ?? false
                || core.relations?.rare?.idleTimer != nil
            return core.arrival(for: core.lifecycle.started(hasWork: hasWork))
        }
        arrival.perform(for: self)
    }
}
