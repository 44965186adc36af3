//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A registered event.
final class EventSlot: AnyKeySlot, KeySlot, Attachment, @unchecked Sendable {
    // Unchecked: constants and a lock.

    let key: String
    let node: Node
    let messageType: Any.Type
    let options: EventOptions
    /// The producer; nil when the node has registered the event.
    let producer: ProcessCell?
    /// Under which the event is attached to its producer.
    let producerID: UInt64

    /// Rank 0: the lock of a process may be taken within it, never the other way round. Held while a
    /// message is put into the mailboxes of all subscribers, so that these get the messages in one
    /// order.
    private let state: Lock<EventState<ProcessCell, any Sendable>>

    init(
        _ name: String, hash: Int, _ messageType: Any.Type, _ options: EventOptions, on node: Node,
        producer: ProcessCell?
    ) {
        self.key = name
        self.node = node
        self.messageType = messageType
        self.options = options
        self.producer = producer
        self.producerID = node.makeReference().id
        self.state = Lock(EventState(bufferCapacity: options.bufferCapacity))
        super.init(hash: hash)
    }

    // MARK: - The producer

    /// - Parameter make: makes the message with this number.
    /// - Returns: how many mailboxes have taken the message; nil when the event is over.
    func publish(_ make: (UInt64) -> any Sendable) -> Int? {
        var message: (any Sendable)?
        var evicted: (any Sendable)?
        var deliveries: [(cell: ProcessCell, result: PutResult, delivery: Delivery)] = []
        let isOver = state.withLock { state in
            if state.isOver { return true }
            let made = make(state.nextNumber)
            message = made
            evicted = state.published(made)
            deliveries.reserveCapacity(state.subscribers.count)
            for subscriber in state.subscribers.entries {
                let cell = subscriber.holder
                var delivery = Delivery()
                let result = withUnsafeMutablePointer(to: &delivery) {
                    cell.behaviour(cell, .enqueue(made, $0))
                }
                deliveries.append((cell, result, delivery))
            }
            return false
        }
        // The last reference goes here, not within the lock.
        _ = evicted
        guard !isOver, let message else { return nil }
        var delivered = 0
        for (cell, result, delivery) in deliveries {
            delivery.perform(for: cell)
            switch result {
            case .accepted: delivered += 1
            case .full: _ = cell.overflowed(message)
            case .gone: break
            }
        }
        return delivered
    }

    /// - Returns: false when the event is over.
    func unregister() -> Bool {
        guard let farewell = close() else { return false }
        producer?.detach(producerID)
        farewell(.shutdown(EventUnregistered()))
        return true
    }

    /// Frees the name; from now on nobody publishes or subscribes.
    ///
    /// - Returns: what tells the subscribers; nil when the event is over.
    private func close() -> (@Sendable (ExitReason) -> Void)? {
        guard let ended = state.withLock({ $0.ended() }) else { return nil }
        node.eventTable.remove(self)
        let name = key
        return { reason in
            for subscriber in ended.subscribers {
                subscriber.holder.receiveEnd(
                    of: name, reason: reason, form: subscriber.value, subscription: subscriber.id)
            }
        }
    }

    func holderEnds(_ id: UInt64, _ holder: ProcessCell) -> (@Sendable (ExitReason) -> Void)? {
        if id == producerID { return close() }
        unsubscribe(id, holder)
        return nil
    }

    // MARK: - Subscribers

    /// - Returns: the buffer.
    func subscribe(
        _ cell: ProcessCell, _ form: SubscriptionForm
    ) throws(EventError) -> [any Sendable] {
        var arrivals = Arrivals()
        let result = state.withLock { state -> Result<[any Sendable], EventError> in
            let id = node.makeReference().id
            switch state.subscribed(id, cell, cell.pid, form) {
            case .over: return .failure(.eventUnknown(key))
            case .alreadySubscribed: return .failure(.alreadySubscribed(key))
            case .subscribed(let buffered, let isFirst):
                guard cell.attach(self, id: id) else {
                    _ = state.unsubscribed(id, cell.pid)
                    return .failure(.processUnknown(cell.pid))
                }
                if isFirst { tellProducer(MessageEventStart(event: key), &arrivals) }
                return .success(buffered)
            }
        }
        arrivals.perform()
        return try result.get()
    }

    /// - Returns: whether it was subscribed and the event not over.
    @discardableResult
    func unsubscribe(_ id: UInt64, _ cell: ProcessCell) -> Bool {
        var arrivals = Arrivals()
        let wasSubscribed = state.withLock { state in
            let (wasSubscribed, isLast) = state.unsubscribed(id, cell.pid)
            if isLast { tellProducer(MessageEventStop(event: key), &arrivals) }
            return wasSubscribed
        }
        arrivals.perform()
        return wasSubscribed
    }

    private func tellProducer(_ message: any Sendable, _ arrivals: inout Arrivals) {
        guard options.notifiesProducer, let producer else { return }
        arrivals.append(producer.accept(Notice(message: message)), for: producer)
    }

    /// The subscriptions to this event that a process has: one, or none.
    func subscriptions(of cell: ProcessCell) -> [UInt64] {
        cell.ids(of: self).filter { $0 != producerID }
    }
}

extension ProcessCell {
    /// An event that this process has subscribed to is over.
    fileprivate func receiveEnd(
        of event: String, reason: ExitReason, form: SubscriptionForm, subscription: UInt64
    ) {
        switch form {
        case .monitor:
            let message = MessageEventDown(event: event, reason: reason)
            receive(Notice(message: message, attachment: subscription, isLast: true))
        case .link:
            receiveLinkedEnd(
                subscription, reason: reason,
                message: MessageEventExit(event: event, reason: reason))
        }
    }
}
