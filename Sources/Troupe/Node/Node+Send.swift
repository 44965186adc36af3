//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension Node {
    /// Sends a message to a process of this node. A server gets it in `handleInfo`.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered.
    public func send<Message: Sendable>(
        _ message: Message, to target: Pid
    ) throws(SendError<Message>) {
        if let failure = sendUntyped(message, to: target) {
            throw SendError(failure, message: message)
        }
    }

    /// Sends a message to whoever a destination names: a pid, a name, an alias.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered.
    public func send<Message: Sendable>(
        _ message: Message, to target: Destination
    ) throws(SendError<Message>) {
        if let failure = sendUntyped(message, to: target) {
            throw SendError(failure, message: message)
        }
    }

    /// Sends a message, and if the mailbox is full waits until there is room for it.
    ///
    /// Senders that wait are served in the order in which they began to. The bound's policy is not
    /// applied to them.
    ///
    /// - Parameters:
    ///   - message: what to send.
    ///   - target: to whom.
    ///   - timeout: how long to wait at most.
    /// - Throws: ``SendError``, with the message, when it was not delivered: `.timeout` when there
    ///   was no room in time, `.cancelled` when the waiting task was cancelled, or what a send
    ///   that does not wait throws.
    public func send<Message: Sendable>(
        _ message: Message, to target: Destination, waitingUpTo timeout: Duration
    ) async throws(SendError<Message>) {
        let cell: ProcessCell
        switch find(target) {
        case .success(let found): cell = found
        case .failure(let failure): throw SendError(failure, message: message)
        }
        if let failure = await cell.sendWaiting(message, upTo: timeout) {
            throw SendError(failure, message: message)
        }
    }

    /// Sends a message after a delay.
    ///
    /// - Returns: the timer, for ``TimerRef/cancel()``. It dies with a receiver that is named by its
    ///   pid, and when the node stops.
    /// - Throws: ``TimerError`` when the delay is negative or too long, or the receiver is named by a
    ///   pid of another node or of an earlier start of this one.
    @discardableResult
    public func send(
        _ message: any Sendable, to target: Destination, after delay: Duration
    ) throws(TimerError) -> TimerRef {
        try MessageTimer.start(message, to: target, on: self, owner: nil, after: delay)
    }

    func find(_ target: Destination) -> Result<ProcessCell, SendFailure> {
        switch target {
        case .pid(let pid):
            switch locate(pid) {
            case .process(let cell): .success(cell)
            case .unknown: .failure(.processUnknown(pid))
            case .incarnation: .failure(.incarnation(pid))
            case .remote: .failure(.noConnection(node: pid.node))
            }
        case .name(let name):
            holder(of: name).map { .success($0) } ?? .failure(.nameUnknown(name))
        case .alias(let alias):
            aliases.find(alias.reference.id).map { .success($0) } ?? .failure(.aliasUnknown(alias))
        }
    }

    func sendUntyped(_ message: any Sendable, to target: Pid) -> SendFailure? {
        switch locate(target) {
        case .process(let cell): cell.deliverUntyped(message)
        case .unknown: .processUnknown(target)
        case .incarnation: .incarnation(target)
        case .remote: .noConnection(node: target.node)
        }
    }

    func sendUntyped(_ message: any Sendable, to target: Destination) -> SendFailure? {
        switch find(target) {
        case .success(let cell):
            if case .alias(let alias) = target { return cell.deliver(message, through: alias) }
            return cell.deliverUntyped(message)
        case .failure(let failure): return failure
        }
    }
}

extension ProcessCell {
    /// Puts an untyped message into the mailbox, or does what the policy says.
    @usableFromInline
    final func deliverUntyped(_ message: any Sendable) -> SendFailure? {
        switch behaviour(self, .put(message)) {
        case .accepted: nil
        case .full: overflowed(message)
        case .gone: .processUnknown(pid)
        }
    }

    /// As ``deliverUntyped(_:)``, handing the message back.
    @usableFromInline
    final func deliver<Message: Sendable>(_ message: Message) throws(SendError<Message>) {
        if let failure = deliverUntyped(message) { throw SendError(failure, message: message) }
    }

    /// The mailbox is full, and its policy is not to drop the oldest message.
    ///
    /// - Parameter message: nil for a call, which is neither dropped in silence nor diverted.
    /// - Returns: what the sender is told.
    @usableFromInline
    final func overflowed(_ message: (any Sendable)?) -> SendFailure? {
        let capacity = traits.mailbox.capacity
        let full = SendFailure.mailboxFull(pid, capacity: capacity)
        switch traits.mailbox.overflow {
        case .reject, .dropOldest:
            return full
        case .dropNewest:
            guard message != nil else { return full }
            withCore { $0.dropped &+= 1 }
            reportOverflow()
            return nil
        case .fallback(let target, let tag):
            guard let message, case .success(let cell) = node.find(target), cell !== self else {
                return full
            }
            let wrapped = MessageFallback(process: pid, tag: tag, message: message)
            // Not its own policy: two processes that divert to each other would go in circles.
            return cell.behaviour(cell, .put(wrapped)) == .accepted ? nil : full
        case .stop:
            receive(
                ExitSignal(kind: .order, reason: .error(MailboxOverflow(capacity: capacity))),
                from: nil)
            return full
        }
    }

    /// Puts a message into the mailbox as soon as there is room.
    final func sendWaiting(_ message: any Sendable, upTo timeout: Duration) async -> SendFailure? {
        await waitForRoom(upTo: timeout) { queue in
            withUnsafeMutablePointer(to: &queue) { queue in
                _ = self.behaviour(self, .append(message, queue))
            }
        }
    }

    /// Waits until `append` has put a message into the mailbox.
    @usableFromInline
    final func waitForRoom(
        upTo timeout: Duration, _ append: @escaping @Sendable (inout MessageQueue) -> Void
    ) async -> SendFailure? {
        let deadline = scheduler.now.addingSaturated(timeout.clampedNanoseconds)
        let sender = CurrentProcess.cell
        sender?.beginWait(.room(pid))
        defer { sender?.endWait() }
        switch await SendWaiter(cell: self, append: append).wait(deadline: deadline) {
        case .accepted: return nil
        case .gone: return .processUnknown(pid)
        case .timedOut: return .timeout(pid)
        case .cancelled: return .cancelled
        }
    }
}
