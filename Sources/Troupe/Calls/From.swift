//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Who waits for the reply to a call. Whoever holds it can reply, once, from anywhere.
///
/// A handler that returns `.noReply` keeps it, or gives it to another process, and replies later.
///
/// - Source: OTP's `From` and `gen_server:reply/2`.
public struct From<Reply: Sendable>: Sendable {
    @usableFromInline let cell: TypedReplyCell<Reply>

    @inlinable
    init(_ cell: TypedReplyCell<Reply>) {
        self.cell = cell
    }

    /// Replies to the caller.
    ///
    /// - Returns: whether this was the reply. False when there was one before, or when the caller
    ///   has given up; then nothing happens.
    @inlinable
    @discardableResult
    public func reply(_ reply: Reply) -> Bool {
        cell.acknowledge(reply)
    }
}

/// A place for one reply that travels inside a message, so that each message can have a reply type
/// of its own. Made by ``ServerRef/ask(timeout:_:)``.
///
/// ```swift
/// enum Cast: Sendable { case increment(by: Int, replyTo: ReplyTo<Int>) }
/// let value = try await counter.ask { .increment(by: 1, replyTo: $0) }
/// ```
public struct ReplyTo<Reply: Sendable>: Sendable {
    @usableFromInline let cell: TypedReplyCell<Reply>

    @inlinable
    init(_ cell: TypedReplyCell<Reply>) {
        self.cell = cell
    }

    /// Replies to the one who asks.
    ///
    /// - Returns: whether this was the reply. False when there was one before, or when the asker
    ///   has given up; then nothing happens.
    @inlinable
    @discardableResult
    public func reply(_ reply: Reply) -> Bool {
        cell.acknowledge(reply)
    }
}

/// What a handler answers to a call.
///
/// - Source: the return values of OTP's `handle_call/3`.
public enum CallResult<Reply: Sendable>: Sendable {
    /// The reply.
    case reply(Reply)
    /// None now; somebody who holds the ``From`` will reply later.
    case noReply
    /// The reply, after which the server stops with this reason.
    case stop(ExitReason, reply: Reply)
}
