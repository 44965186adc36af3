//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What waits in the mailbox of a server.
@usableFromInline
enum Envelope<Server: ServerProtocol>: Sendable {
    case call(Server.Call, TypedReplyCell<Server.Reply>)
    case cast(Server.Cast)
    /// A cast that somebody waits for through a ``ReplyTo`` within it.
    case ask(Server.Cast, ReplyCell)
    case direct(Server.Direct, TypedReplyCell<Server.DirectReply>)
    case info(any Sendable)

    /// Fails whoever waits for this message.
    @inlinable
    func fail(_ error: CallError) {
        switch self {
        case .call(_, let reply): reply.fail(error)
        case .ask(_, let reply): reply.fail(error)
        case .direct(_, let reply): reply.fail(error)
        case .cast, .info: break
        }
    }

    /// The call that this message waits to have answered.
    @inlinable
    var awaited: ReplyCell? {
        switch self {
        case .call(_, let reply): reply
        case .ask(_, let reply): reply
        case .direct(_, let reply): reply
        case .cast, .info: nil
        }
    }

    /// The type of the message, for reports.
    @inlinable
    var typeName: String {
        switch self {
        case .call(let message, _): "call \(Self.name(of: message))"
        case .cast(let message), .ask(let message, _): "cast \(Self.name(of: message))"
        case .direct(let message, _): "direct \(Self.name(of: message))"
        case .info(let message): "info \(type(of: message as Any))"
        }
    }

    /// The type of a message and, for an enum, the name of its case; never what it carries.
    @inlinable
    static func name<Message>(of message: Message) -> String {
        caseName(of: message, type: Message.self)
    }
}

/// The type of a message and, for an enum, the name of its case; never what it carries.
@usableFromInline
func caseName(of message: Any, type: Any.Type) -> String {
    let mirror = Mirror(reflecting: message)
    guard mirror.displayStyle == .enum else { return "\(type)" }
    // A case with a payload is a child with the case's name; one without prints as its name.
    return "\(type).\(mirror.children.first?.label ?? "\(message)")"
}

extension ProcessCell {
    /// Destroys what the mailbox of an ended server holds; its callers fail.
    @inlinable
    static func discard<Server: ServerProtocol>(
        _ queue: UnsafeMutablePointer<MessageQueue>, _ reason: ExitReason, of server: Server.Type
    ) {
        while let envelope = queue.pointee.popFirst(as: Envelope<Server>.self) {
            envelope.fail(.exited(reason))
        }
    }

    /// Puts an envelope into the mailbox of a server.
    @inlinable
    final func put<Server: ServerProtocol>(envelope: Envelope<Server>) -> PutResult {
        put(envelope) { dropped in
            dropped.fail(mailboxFull)
            reportOverflow()
        }
    }

    @usableFromInline
    var mailboxFull: CallError { .mailboxFull(pid, capacity: traits.mailbox.capacity) }
}
