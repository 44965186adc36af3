//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a message was not delivered.
@nonexhaustive
public enum SendFailure: Error, Hashable, Sendable {
    /// There is no such process (any more).
    case processUnknown(Pid)
    /// Nobody holds this name, or for a ``NamedServer`` no server of its type.
    case nameUnknown(String)
    /// The alias was removed, or its owner has ended.
    case aliasUnknown(Alias)
    /// The pid belongs to an earlier life of this node.
    case incarnation(Pid)
    /// The mailbox of the process holds as many messages as it may.
    case mailboxFull(Pid, capacity: Int)
    /// The process is on a node to which there is no connection.
    case noConnection(node: String)
    /// A send that waits for room did not get any before its deadline.
    case timeout(Pid)
    /// The task that waited for room was cancelled.
    case cancelled
}

extension SendFailure: CustomStringConvertible {
    /// What happened, to whom, and what to do about it.
    public var description: String {
        switch self {
        case .processUnknown(let pid):
            "there is no process \(pid); it has ended or never existed"
        case .nameUnknown(let name):
            "no process holds the name \"\(name)\", or none of the expected type; register one, "
                + "or send to a pid"
        case .aliasUnknown(let alias):
            "the alias \(alias) is not active; ask its owner for a new one"
        case .incarnation(let pid):
            "\(pid) belongs to an earlier start of node \"\(pid.node)\"; look the process up again"
        case .mailboxFull(let pid, let capacity):
            "the mailbox of \(pid) is full (\(capacity) messages); retry later, or wait for room"
        case .noConnection(let node):
            "there is no connection to node \"\(node)\""
        case .timeout(let pid):
            "the mailbox of \(pid) stayed full until the deadline"
        case .cancelled:
            "the task was cancelled while it waited for room in a mailbox"
        }
    }
}

/// A message that was not delivered, and why. Nothing of it has reached the receiver.
public struct SendError<Message: Sendable>: Error, CustomStringConvertible {
    /// Why it was not delivered.
    public let failure: SendFailure
    /// The message, as it was given to `send` or `cast`.
    public let message: Message

    @inlinable
    init(_ failure: SendFailure, message: Message) {
        self.failure = failure
        self.message = message
    }

    /// The failure's description; the message does not appear in it.
    public var description: String { "not sent: \(failure)" }
}
