//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Something that has happened on a node and that an operator may want to know.
///
/// Events name processes and types; they never carry what users' messages contain.
@nonexhaustive
public enum Event: Sendable {
    /// A process was started; its behaviour is the type of its server, or `closure`.
    case spawned(Pid, behaviour: String)
    /// A process has ended.
    case exited(Pid, reason: ExitReason)
    /// A process has ended with a reason that is not clean.
    case crashed(CrashReport)
    /// A message was dropped because a mailbox was full.
    case messageDropped(Pid, policy: OverflowPolicy, droppedSoFar: UInt64)
    /// Messages that a process has left unread reached nobody, in spite of its ``Leftovers``: the
    /// process that they were handed to did not take them, or the ``KeptMailbox`` had no room; or
    /// they were kept for a process of another type than this one.
    case leftoversDropped(Pid, count: Int)
    /// A server got a message that its `handleInfo` does not handle.
    case unhandledMessage(Pid, behaviour: String, type: String)
    /// A timer's message found no receiver.
    case undelivered(SendFailure, type: String)
    /// A node that stops had to kill this process, because it did not end within the grace period.
    case killedAtStop(Pid, behaviour: String)
    /// A process did not even end after a kill: one of its callbacks does not return. The node has
    /// stopped without it.
    case abandonedAtStop(Pid, behaviour: String)
    /// A supervisor has something to say of a child.
    case supervisor(SupervisorReport)
    /// An application has started; with its master, the group leader of its processes.
    case applicationStarted(String, master: Pid)
    /// An application that ran has stopped or ended.
    case applicationExited(ApplicationExit)

    /// The kind of the event.
    public var kind: EventKind {
        switch self {
        case .spawned: .spawned
        case .exited: .exited
        case .crashed: .crashed
        case .messageDropped, .leftoversDropped: .messageDropped
        case .unhandledMessage: .unhandledMessage
        case .undelivered: .undelivered
        case .killedAtStop: .killedAtStop
        case .abandonedAtStop: .abandonedAtStop
        case .supervisor(let report): report.occurrence.isProgress ? .progress : .supervisorReport
        case .applicationStarted: .applicationStarted
        case .applicationExited: .applicationExited
        }
    }
}

/// Kinds of events, as a set: what a sink wants to be told. Others cost nothing.
public struct EventKind: OptionSet, Sendable, Hashable {
    /// One bit per kind.
    public let rawValue: UInt32

    /// Makes a set of kinds from its bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Processes that start.
    public static let spawned = EventKind(rawValue: 1 << 0)
    /// Processes that end.
    public static let exited = EventKind(rawValue: 1 << 1)
    /// Processes that crash.
    public static let crashed = EventKind(rawValue: 1 << 2)
    /// Messages that are dropped.
    public static let messageDropped = EventKind(rawValue: 1 << 3)
    /// Messages that nobody handles.
    public static let unhandledMessage = EventKind(rawValue: 1 << 4)
    /// Messages of timers that reach nobody.
    public static let undelivered = EventKind(rawValue: 1 << 5)
    /// Processes that a stopping node has to kill.
    public static let killedAtStop = EventKind(rawValue: 1 << 6)
    /// Processes that a stopping node has to leave behind.
    public static let abandonedAtStop = EventKind(rawValue: 1 << 7)
    /// Applications that start.
    public static let applicationStarted = EventKind(rawValue: 1 << 12)
    /// Applications that stop or end.
    public static let applicationExited = EventKind(rawValue: 1 << 13)

    /// Children that have failed, and supervisors that could not help it.
    public static let supervisorReport = EventKind(rawValue: 1 << 8)
    /// Children that were started.
    public static let progress = EventKind(rawValue: 1 << 9)

    /// What tells of trouble: everything but starts, and ends of processes.
    public static let problems: EventKind = [
        .crashed, .messageDropped, .unhandledMessage, .undelivered, .killedAtStop, .abandonedAtStop,
        .supervisorReport, .applicationExited,
    ]
    /// Everything.
    public static let all: EventKind = [
        .problems, .spawned, .exited, .progress, .applicationStarted,
    ]
}

/// What is known of a crash.
///
/// - Source: OTP's crash reports (`proc_lib`). The messages are left out, and the state unless the
///   server describes it: they may hold what does not belong into a log.
public struct CrashReport: Sendable {
    /// Who crashed.
    public let pid: Pid
    /// On which node.
    public let node: String
    /// The names it had.
    public let names: [String]
    /// Its label; see ``ProcessContext/setLabel(_:)``.
    public let label: String?
    /// The type of its server, or `closure`.
    public let behaviour: String
    /// Why.
    public let reason: ExitReason
    /// What it was handling: the kind and type of the message and, for an enum, its case. Nil when
    /// it was told to end from outside.
    public let lastMessage: String?
    /// What the server's ``ServerProtocol/formatStatus()`` says of its state; nil without one.
    public let state: String?
    /// Who spawned it; nil for the node.
    public let parent: Pid?
    /// Whom it was linked to, and who is told now.
    public let links: [Pid]
}
