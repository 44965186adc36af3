//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A part of the mailbox of a closure process: what a listener claims.
///
/// Nothing is copied or forwarded: a message of a channel waits in the mailbox, is counted against
/// its bound, and stays there when nobody takes it. So a listener that nobody drains fills the
/// mailbox, and then the mailbox's policy holds.
///
/// A channel is a sequence: `for try await order in orders { … }` ends when it is closed, and throws
/// when the process is told to end.
///
/// - Source: Wippy's channels of `process.listen`.
public struct Channel<Element: Sendable>: AsyncSequence {
    let cell: ClosureCell
    /// Nil for the inbox.
    let listener: Int?
    let element: @Sendable (ReceiveQueue.Entry.Content) -> Element?

    /// Whether the channel claims messages.
    public var isOpen: Bool { listener.map { cell.received.isOpen($0) } ?? true }

    /// Waits for the next message of the channel.
    ///
    /// - Returns: nil when the channel is closed.
    /// - Throws: ``ExitReason`` when the process has been told to end.
    public func receive() async throws(ExitReason) -> Element? {
        try await cell.receive(self, deadline: nil)
    }

    /// Waits for the next message of the channel, but not for ever.
    ///
    /// - Parameter timeout: zero looks without waiting.
    /// - Returns: nil when none has come in time, or the channel is closed.
    /// - Throws: ``ExitReason`` when the process has been told to end.
    public func receive(timeout: Duration) async throws(ExitReason) -> Element? {
        try await cell.receive(self, deadline: cell.deadline(after: timeout))
    }

    /// Claims no more messages. Those that have waited, and those still to come, go to the inbox or
    /// to a channel that is opened later: nothing is lost. The inbox cannot be closed.
    public func close() {
        if let listener { cell.received.close(listener) }
    }

    /// Makes the iterator, which takes messages out of the channel.
    public func makeAsyncIterator() -> Iterator { Iterator(channel: self) }

    /// Takes the messages of a channel.
    public struct Iterator: AsyncIteratorProtocol {
        let channel: Channel

        /// The next message; nil when the channel is closed.
        public mutating func next() async throws(ExitReason) -> Element? {
            try await channel.receive()
        }

        /// The next message; nil when the channel is closed.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(ExitReason) -> Element? {
            try await channel.receive()
        }
    }
}

@available(*, unavailable, message: "only the process itself may use it")
extension Channel: Sendable {}

extension Process {
    /// Listens to a topic: messages about it that carry a payload of this type come through a
    /// channel from now on, instead of `receive`. Also those that have come before and wait.
    ///
    /// Of two channels that claim the same message, the one that was opened first gets it. A message
    /// about the topic with another payload goes to the ``inbox``.
    ///
    /// - Source: Wippy's `process.listen`.
    public func listen<Payload: Sendable>(
        _ topic: String, of type: Payload.Type
    ) -> Channel<Payload> {
        closure.open { content in
            guard case .message(let message) = content, let message = message as? TopicMessage,
                message.topic == topic
            else { return nil }
            return message.payload as? Payload
        }
    }

    /// Listens to a topic, whatever the payload: the channel gives whole messages.
    ///
    /// - Source: Wippy's `process.listen` with `message = true`.
    public func listen(_ topic: String) -> Channel<TopicMessage> {
        closure.open { content in
            guard case .message(let message) = content, let message = message as? TopicMessage,
                message.topic == topic
            else { return nil }
            return message
        }
    }

    /// Listens to ends: EXITs and DOWNs come through a channel from now on, instead of `receive`.
    ///
    /// - Source: Wippy's `process.events`.
    public func listenForEvents() -> Channel<ProcessEvent> {
        closure.open { content in
            guard case .signal(let received) = content else { return nil }
            return switch received.signal {
            case .down: (received.message as? MessageDown).map { .down($0) }
            case .exit(let exit, _): .exit(exit)
            case .response, .notice, .request: nil
            }
        }
    }

    /// Everything that no channel claims: the same as `receive`, as a channel.
    ///
    /// - Source: Wippy's `process.inbox`.
    public var inbox: Channel<any Sendable> {
        Channel(cell: closure, listener: nil) { content in
            switch content {
            case .message(let message): message
            case .signal(let received): received.message
            }
        }
    }
}

/// An end that a process is told of.
public enum ProcessEvent: Sendable {
    /// A monitored process has ended.
    case down(MessageDown)
    /// An exit signal was trapped.
    case exit(MessageExit)
}
