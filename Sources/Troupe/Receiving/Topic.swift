//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A message that says what it is about. Arrives at a listener of its topic, or else as any other
/// message, in `receive` or `handleInfo`.
///
/// - Source: Wippy's messages, which all have a topic.
public struct TopicMessage: Sendable {
    /// Which process has sent it; nil when it was not a process.
    public let sender: Pid?
    /// What it is about.
    public let topic: String
    /// What was sent.
    public let payload: any Sendable
}

extension ProcessContext {
    /// Sends a message about a topic; see ``Process/listen(_:of:)``.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered.
    public func send<Message: Sendable>(
        _ message: Message, to target: Destination, topic: String
    ) throws(SendError<Message>) {
        try cell.node.send(message, to: target, topic: topic, from: pid)
    }
}

extension Node {
    /// Sends a message about a topic; see ``Process/listen(_:of:)``.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered.
    public func send<Message: Sendable>(
        _ message: Message, to target: Destination, topic: String
    ) throws(SendError<Message>) {
        try send(message, to: target, topic: topic, from: nil)
    }

    func send<Message: Sendable>(
        _ message: Message, to target: Destination, topic: String, from sender: Pid?
    ) throws(SendError<Message>) {
        let wrapped = TopicMessage(sender: sender, topic: topic, payload: message)
        if let failure = sendUntyped(wrapped, to: target) {
            throw SendError(failure, message: message)
        }
    }
}
