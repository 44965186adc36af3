//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Of what connects a process with others, that which few processes have; see ``Relations``.
///
/// Only touched with the lock of the process held.
final class RareRelations: @unchecked Sendable {
    // Unchecked, and without checks of exclusivity, as ``Relations``.

    /// The other hashes of the ``NameTrail``.
    @exclusivity(unchecked) var otherNames: [UInt32] = []
    var label: String?
    @exclusivity(unchecked) var aliases: [UInt64: AliasUse] = [:]
    /// For whom a task works, the nearest first.
    var callers: [Pid] = []
    /// What this process has in registries, groups and events, by reference.
    @exclusivity(unchecked) var attachments: [UInt64: any Attachment] = [:]
    /// Calls that a handler has taken without replying yet.
    @exclusivity(unchecked) var deferredCalls:
        [ObjectIdentifier: (call: ReplyCell, position: UInt64)] = [:]
    /// Requests to others whose response shall come as a message, by reference.
    @exclusivity(unchecked) var requests: [UInt64: ReplyCell] = [:]
    /// What the server has told itself to do before its next message.
    @exclusivity(unchecked) var continuations: [any Sendable] = []
    /// What the server does when nothing comes.
    @exclusivity(unchecked) var idleTimer: IdleTimer?
    /// Who watches what the server handles.
    @exclusivity(unchecked) var observer: ServerObserver?
    /// Shared by processes whose group leader this is.
    @exclusivity(unchecked) var groupTraits: [TraitsTable.Key: ProcessTraits] = [:]
    /// Senders that wait for room, in order.
    @exclusivity(unchecked) var sendWaiters = SendWaiterQueue()

    /// Whether something of this needs a look before the next message is handled.
    var needsAttention: Bool {
        hasWork || !sendWaiters.isEmpty && sendWaiters.isUrgent || observer != nil
    }

    /// Whether there is more to look at, each time that the process takes a batch of messages or has
    /// none any more.
    var isInTheWay: Bool { idleTimer != nil || !sendWaiters.isEmpty }

    /// Whether there is something of this for the process to do.
    var hasWork: Bool { !continuations.isEmpty || idleTimer?.timeout.isImmediate ?? false }
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
