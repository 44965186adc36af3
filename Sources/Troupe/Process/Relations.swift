//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What connects a process with others. Only touched with the lock of the process held.
///
/// Most processes have few of these things or none, so they are made when the first is needed.
final class Relations: @unchecked Sendable {
    // Unchecked: reachable only through the process's core, or, when that has ended, by one thread.
    // Nor is exclusivity checked for what is touched often: no access to a field runs code that
    // would come back to it.

    @exclusivity(unchecked) var links = LinkTable<ProcessCell>()
    /// Monitors that this process holds.
    @exclusivity(unchecked) var monitors = MonitorTable<ProcessCell>()
    /// Monitors that watch this process, by reference.
    @exclusivity(unchecked) var monitoredBy = IDTable<ProcessCell>()
    @exclusivity(unchecked) var names: [String] = []
    var label: String?
    var aliases: [UInt64: AliasUse] = [:]
    /// For whom a task works, the nearest first.
    var callers: [Pid] = []
    /// Timers to cancel when this process ends, by reference.
    @exclusivity(unchecked) var timers = IDTable<OwnedTimer>()
    /// What this process has in registries, groups and events, by reference.
    var attachments: [UInt64: any Attachment] = [:]
    /// Calls that a handler has taken without replying yet.
    var deferredCalls: [ObjectIdentifier: ReplyCell] = [:]
    /// Requests to others whose response shall come as a message, by reference.
    var requests: [UInt64: ReplyCell] = [:]
    /// Signals that have become messages, in order.
    @exclusivity(unchecked) var signals = SignalQueue()
    /// What the server has told itself to do before its next message.
    var continuations: [any Sendable] = []
    /// What the server does when nothing comes.
    var idleTimer: IdleTimer?
    /// Who watches what the server handles.
    var observer: ServerObserver?
    /// Senders that wait for room, in order. While there is one, the mailbox is full.
    var sendWaiters = SendWaiterQueue()
    /// What this process waits for.
    @exclusivity(unchecked) var waits: [Wait] = []
    /// What the body has returned, for monitors.
    var result: (any Sendable)?

    /// Something that a process waits for, other than a message.
    enum Wait: Sendable {
        case call(ReplyCell)
        case room(Pid)
        case sleep
    }

    /// The call that this process waits for, if that is the only one: a process that waits for
    /// several at once may need only one of them.
    var onlyCall: ReplyCell? {
        var found: ReplyCell?
        for case .call(let call) in waits {
            if found != nil { return nil }
            found = call
        }
        return found
    }

    /// Whether something besides messages needs a look before the next message is handled.
    var needsAttention: Bool {
        !signals.isEmpty || !sendWaiters.isEmpty || !continuations.isEmpty || observer != nil
            || idleTimer?.timeout.isImmediate ?? false
    }

    /// Whether there is something for the process to do besides messages.
    var hasWork: Bool {
        !signals.isEmpty || !continuations.isEmpty || idleTimer?.timeout.isImmediate ?? false
    }
}

/// What a process uses an alias for.
enum AliasUse: Sendable {
    /// For any number of messages, or for one.
    case plain(isOneReply: Bool)
    /// Together with the monitor that has the same reference.
    case monitor(MonitorAlias)

    /// Whether the first message through the alias removes it.
    var isOneReply: Bool {
        switch self {
        case .plain(let isOneReply): isOneReply
        case .monitor(let alias): alias == .replyDemonitor
        }
    }
}
