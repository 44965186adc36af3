//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Where a message goes: to a pid, a registered name, or an alias.
public enum Destination: Hashable, Sendable {
    /// The process with this pid.
    case pid(Pid)
    /// The process that holds this name when the message is sent.
    case name(String)
    /// The owner of this alias.
    case alias(Alias)
}

extension Destination: ExpressibleByStringLiteral {
    /// A literal is a registered name.
    public init(stringLiteral value: String) { self = .name(value) }
}

/// What a process does with a message for which its mailbox has no room.
///
/// It holds for messages: `send`, `cast`, `call` and timers. Signals (exits, DOWN, kill) are never
/// counted against the bound and never lost.
public enum OverflowPolicy: Sendable, Hashable {
    /// The sender gets `.mailboxFull` and its message back. The default.
    case reject
    /// The new message is dropped and the sender is told nothing. A call that is dropped fails
    /// with `.mailboxFull` all the same.
    case dropNewest
    /// The message that has waited longest is dropped to make room. If that is a call, its caller
    /// gets `.mailboxFull`.
    case dropOldest
    /// The new message goes, wrapped in a ``MessageFallback``, to another process of the same node.
    /// Calls are not diverted; they fail with `.mailboxFull`. If the other process cannot take it
    /// either, the sender gets `.mailboxFull`.
    case fallback(Destination, tag: String)
    /// The process stops with the reason `.error(MailboxOverflow)`; the sender gets `.mailboxFull`.
    case stop
}

/// The bound of a mailbox and what happens at it.
public struct MailboxOptions: Sendable, Hashable {
    /// The most messages that may wait, 1 to 2³¹ − 1. The message being handled does not count.
    public var capacity: Int
    /// What happens to one more.
    public var overflow: OverflowPolicy

    /// Makes mailbox options; by default 10,000 messages and ``OverflowPolicy/reject``.
    public init(capacity: Int = 10_000, overflow: OverflowPolicy = .reject) {
        self.capacity = capacity
        self.overflow = overflow
    }

    static let capacityRange = 1...Int(Int32.max)
}

/// Why a process stopped whose policy is ``OverflowPolicy/stop``.
public struct MailboxOverflow: Error, Hashable, CustomStringConvertible {
    /// The bound that was reached.
    public let capacity: Int

    /// Says what happened.
    public var description: String { "the mailbox was full with \(capacity) messages" }
}
