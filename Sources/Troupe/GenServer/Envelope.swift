//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Synchronization

/// What waits in the mailbox of a server.
@usableFromInline
enum Envelope<Server: ServerProtocol>: MailboxElement {
    case call(Server.Call, TypedReplyCell<Server.Reply>)
    case cast(Server.Cast)
    /// A cast that somebody waits for through a ``ReplyTo`` within it.
    case ask(Server.Cast, ReplyCell)
    case direct(Server.Direct, TypedReplyCell<Server.DirectReply>)
    case info(any Sendable)
    /// What the server has told itself to do; never in a mailbox.
    case continuation(Server.Continue)
    /// The idle timeout; never in a mailbox.
    case timeout

    @inlinable
    func wasDropped(by cell: ProcessCell) {
        fail(cell.mailboxFull)
        cell.reportOverflow()
    }

    /// Fails whoever waits for this message.
    @inlinable
    func fail(_ error: CallError) {
        switch self {
        case .call(_, let reply): reply.fail(error)
        case .ask(_, let reply): reply.fail(error)
        case .direct(_, let reply): reply.fail(error)
        case .cast, .info, .continuation, .timeout: break
        }
    }

    /// The call that this message waits to have answered.
    @inlinable
    var awaited: ReplyCell? {
        switch self {
        case .call(_, let reply): reply
        case .ask(_, let reply): reply
        case .direct(_, let reply): reply
        case .cast, .info, .continuation, .timeout: nil
        }
    }

    /// The kind and type of the message, for reports.
    @inlinable
    var typeName: String {
        switch self {
        case .call: "call \(contentName)"
        case .cast, .ask: "cast \(contentName)"
        case .direct: "direct \(contentName)"
        case .info: "info \(contentName)"
        case .continuation: "continue \(contentName)"
        case .timeout: "timeout"
        }
    }

    /// The type of the message.
    @inlinable
    var contentName: String {
        switch self {
        case .call(let message, _): Self.name(of: message)
        case .cast(let message), .ask(let message, _): Self.name(of: message)
        case .direct(let message, _): Self.name(of: message)
        case .continuation(let message): Self.name(of: message)
        case .info(let message): "\(type(of: message as Any))"
        case .timeout: ""
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
package func caseName(of message: Any, type: Any.Type) -> String {
    // A custom mirror is somebody else's code: that of `UInt64` traps beyond `Int64.max`.
    if message is any CustomReflectable { return "\(type)" }
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
            envelope.awaited?.discard(reason)
        }
    }

    /// Puts an envelope into the mailbox of a server.
    @inlinable
    final func put<Server: ServerProtocol>(envelope: consuming Envelope<Server>) -> PutResult {
        put(envelope)
    }

    /// As ``put(envelope:)``, leaving the rest for when no lock is held.
    @usableFromInline
    final func enqueue<Server: ServerProtocol>(
        envelope: Envelope<Server>, _ delivery: UnsafeMutablePointer<Delivery>
    ) -> PutResult {
        enqueue(envelope, delivery)
    }

    /// The message that a step shall handle.
    @inlinable
    final func envelope<Server: ServerProtocol>(
        of work: SingleWork, _ batch: inout MessageQueue
    ) -> Envelope<Server>? {
        switch work.content {
        case .message:
            let envelope = batch.popFirst(as: Envelope<Server>.self)
            if envelope != nil { countPopped() }
            return envelope
        case .unbatchedMessage: return popOne(as: Envelope<Server>.self)
        case .info(let message): return .info(message)
        case .continuation(let message):
            return (message as? Server.Continue).map { .continuation($0) }
        case .timeout: return .timeout
        }
    }

    /// Says, to those who look from outside, what is being handled.
    @inlinable
    final func note(_ kind: MessageKind) {
        activityKind.store(kind.rawValue, ordering: .relaxed)
    }

    /// Says, to those who look from outside, that a message for `handleInfo` is being handled.
    @inlinable
    final func note(info message: any Sendable) {
        infoType.store(
            UInt(bitPattern: ObjectIdentifier(type(of: message))), ordering: .relaxed)
        note(.info)
    }

    /// Says, to those who look from outside, that the process begins to run.
    @usableFromInline
    final func noteBegin() {
        activitySince.store(coarseNow, ordering: .relaxed)
    }

    @usableFromInline
    var mailboxFull: CallError { .mailboxFull(pid, capacity: traits.mailbox.capacity) }
}
