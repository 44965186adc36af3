//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How an event is registered.
public struct EventOptions: Sendable, Hashable {
    /// How many of the last messages a new subscriber gets, 0 to 1,000,000.
    public var bufferCapacity: Int
    /// Whether the producer is told of the first subscriber and of the end of the last, with a
    /// ``MessageEventStart`` and a ``MessageEventStop``.
    public var notifiesProducer: Bool

    /// Makes event options; by default there is no buffer, and the producer is not told.
    public init(bufferCapacity: Int = 0, notifiesProducer: Bool = false) {
        self.bufferCapacity = bufferCapacity
        self.notifiesProducer = notifiesProducer
    }

    static let bufferCapacityRange = 0...1_000_000
}

/// The right to publish an event. Who registers the event gets it, and may hand it on.
///
/// It is the only way to publish, so nobody else can. It does not keep the event alive: that ends
/// with its producer.
///
/// - Source: the token of Ergo's `RegisterEvent`.
public struct EventToken<Message: Sendable>: Sendable {
    let slot: EventSlot

    /// The name of the event.
    public var event: String { slot.key }

    /// Sends a message to all subscribers. Ergo: `SendEvent`.
    ///
    /// All of them get the messages of an event in the same order, whoever publishes. A message
    /// counts against the bound of a subscriber's mailbox. One that is full does what its policy
    /// says, and does not hold up the others: with the default the subscriber misses this message,
    /// and sees that in ``MessageEvent/number``.
    ///
    /// - Returns: how many mailboxes have taken the message.
    /// - Throws: ``EventError/eventUnknown(_:)`` when the event is over.
    @discardableResult
    public func publish(_ message: Message) throws(EventError) -> Int {
        let (name, clock) = (slot.key, slot.node.clock)
        let delivered = slot.publish { number in
            MessageEvent(event: name, number: number, instant: clock.now, message: message)
        }
        guard let delivered else { throw .eventUnknown(name) }
        return delivered
    }

    /// Ends the event. Its name is free when this returns; subscribers are told with the reason
    /// `.shutdown(EventUnregistered())`. Ergo: `UnregisterEvent`.
    ///
    /// - Throws: ``EventError/eventUnknown(_:)`` when the event is over.
    public func unregister() throws(EventError) {
        guard slot.unregister() else { throw .eventUnknown(slot.key) }
    }
}
