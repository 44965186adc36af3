//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension Node {
    /// Registers an event that no process produces: it lasts until it is unregistered or the node stops.
    ///
    /// - Parameters:
    ///   - name: 1 to 255 Unicode scalars; events have names of their own, apart from processes.
    ///   - type: what is published.
    ///   - options: the rest. Nobody is notified.
    /// - Returns: the right to publish.
    /// - Throws: ``EventError`` — `.eventTaken`, `.nameInvalid`, `.bufferCapacityInvalid`,
    ///   `.nodeStopped`.
    /// - Source: Ergo's `Node.RegisterEvent`.
    public func registerEvent<Message: Sendable>(
        _ name: String, of type: Message.Type, options: EventOptions = EventOptions()
    ) throws(EventError) -> EventToken<Message> {
        try registerEvent(name, type, options, producer: nil)
    }

    /// The names of all events, those of processes too, in order.
    public var events: [String] { eventTable.all.map(\.key).sorted() }

    func registerEvent<Message: Sendable>(
        _ name: String, _ type: Message.Type, _ options: EventOptions, producer: ProcessCell?
    ) throws(EventError) -> EventToken<Message> {
        guard NameRegistry.isValid(name) else { throw .nameInvalid(name) }
        guard EventOptions.bufferCapacityRange.contains(options.bufferCapacity) else {
            throw .bufferCapacityInvalid(options.bufferCapacity)
        }
        let (slot, isNew) = eventTable.find(name) {
            EventSlot(name, hash: $0, type, options, on: self, producer: producer)
        }
        guard isNew else { throw .eventTaken(name) }
        if let producer, !producer.attach(slot, id: slot.producerID) {
            _ = slot.unregister()
            throw .processUnknown(producer.pid)
        }
        // Looked at after the event is in the table: a node that stops clears that.
        if hasStopped {
            _ = slot.unregister()
            throw .nodeStopped(node: self.name)
        }
        return EventToken(slot: slot)
    }
}

extension ProcessContext {
    /// Registers an event whose producer is this process: it ends with this process.
    ///
    /// - Parameters:
    ///   - name: 1 to 255 Unicode scalars; events have names of their own, apart from processes.
    ///   - type: what is published.
    ///   - options: the rest.
    /// - Returns: the right to publish, for this process or whom it trusts.
    /// - Throws: ``EventError`` — `.eventTaken`, `.nameInvalid`, `.bufferCapacityInvalid`.
    /// - Source: Ergo's `RegisterEvent`.
    public func registerEvent<Message: Sendable>(
        _ name: String, of type: Message.Type, options: EventOptions = EventOptions()
    ) throws(EventError) -> EventToken<Message> {
        try cell.node.registerEvent(name, type, options, producer: cell)
    }

    /// Subscribes to an event: everything that is published from now on arrives as a
    /// ``MessageEvent``.
    ///
    /// When the event is over, this process gets a ``MessageEventDown``. If it is linked, it gets an
    /// exit signal instead, with the reason of the producer: it ends, or gets a
    /// ``MessageEventExit`` if it traps exits. As with other links, the reason `.normal` does
    /// nothing to one that does not trap.
    ///
    /// A process may subscribe to an event of its own.
    ///
    /// - Parameters:
    ///   - event: the name of the event.
    ///   - type: what is published.
    ///   - linked: whether the end of the event is an exit signal.
    /// - Returns: the last messages before, the oldest first; at most as many as the buffer of the
    ///   event holds. None of them comes as a message too.
    /// - Throws: ``EventError`` — `.eventUnknown`, `.typeMismatch`, `.alreadySubscribed`.
    /// - Source: Ergo's `MonitorEvent` and `LinkEvent`.
    @discardableResult
    public func subscribe<Message: Sendable>(
        to event: String, of type: Message.Type, linked: Bool = false
    ) throws(EventError) -> [MessageEvent<Message>] {
        guard let slot = cell.node.eventTable.find(event) else { throw .eventUnknown(event) }
        guard slot.messageType == type else {
            throw .typeMismatch(event, published: "\(slot.messageType)")
        }
        return try slot.subscribe(cell, linked ? .link : .monitor)
            .compactMap { $0 as? MessageEvent<Message> }
    }

    /// Ends a subscription of this process. When this returns nothing is published to it any more,
    /// and the end of the event is not seen, even if it was in the mailbox. Messages that are in the
    /// mailbox stay.
    ///
    /// - Returns: whether this process was subscribed, and the event not over.
    /// - Source: Ergo's `DemonitorEvent` and `UnlinkEvent`.
    @discardableResult
    public func unsubscribe(from event: String) -> Bool {
        var wasSubscribed = false
        for case (let id, let slot as EventSlot) in cell.attachments where slot.key == event {
            guard slot.subscriptions(of: cell).contains(id) else { continue }
            cell.detach(id)
            if slot.unsubscribe(id, cell) { wasSubscribed = true }
        }
        return wasSubscribed
    }
}
