//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// What is known of one process: a snapshot, taken at once and without asking the process.
///
/// - Source: OTP's `process_info/1`.
public struct ProcessSnapshot: Sendable {
    /// Who it is.
    public let pid: Pid
    /// Its names, in the order in which they were registered.
    public let names: [String]
    /// What it says of itself; see ``ProcessContext/setLabel(_:)``.
    public let label: String?
    /// The type of its server, or `closure`.
    public let behaviour: String
    /// What it does.
    public let activity: ProcessActivity
    /// The type of the message that it handles; nil when it handles none, or when that cannot be
    /// told.
    public let messageType: String?
    /// How long ago it last got something to do. For a process that is busy: how long it has been,
    /// with all messages that it took together.
    public let activityAge: Duration
    /// Whether messages wait because of ``ServerRef/suspend(timeout:)``.
    public let isSuspended: Bool
    /// What a handler or body that is suspended waits for.
    public let waitsOn: [ProcessWait]
    /// How many messages wait in the mailbox.
    public let mailboxCount: Int
    /// How many may.
    public let mailboxCapacity: Int
    /// How many messages were put into the mailbox so far.
    public let messagesIn: UInt64
    /// How many were taken out to be handled.
    public let messagesHandled: UInt64
    /// How many were dropped because the mailbox was full.
    public let messagesDropped: UInt64
    /// The processes that it is linked to.
    public let links: [Pid]
    /// What it monitors.
    public let monitors: [MonitoredObject]
    /// Who monitors it, once for each monitor.
    public let monitoredBy: [Pid]
    /// Its active aliases.
    public let aliases: [Alias]
    /// Whether exits become messages.
    public let trapsExits: Bool
    /// Who spawned it; nil for the node.
    public let parent: Pid?
    /// Its group leader.
    public let groupLeader: Pid?
    /// How long it has existed.
    public let uptime: Duration
}

/// What a process does.
@nonexhaustive
public enum ProcessActivity: Sendable, Hashable {
    /// Its `init` runs.
    case starting
    /// It waits for a message.
    case waiting
    /// It has something to do and waits for a thread.
    case runnable
    /// It handles a message of this kind.
    case handling(MessageKind)
    /// The body of a closure process runs, or waits for something else than a message.
    case running
    /// It is ending: `terminate` runs, or what it holds is given back.
    case terminating
}

/// Which callback a message of a server goes to.
@nonexhaustive
public enum MessageKind: UInt8, Sendable, Hashable {
    /// `handleCall`.
    case call = 1
    /// `handleCast`.
    case cast
    /// `handleInfo`.
    case info
    /// `handleDirect`.
    case direct
    /// `handleContinue`.
    case `continue`
    /// `handleTimeout`.
    case timeout
}

/// What a handler or body waits for, other than a message.
@nonexhaustive
public enum ProcessWait: Sendable, Hashable {
    /// The reply of a process.
    case reply(from: Pid)
    /// Room in the mailbox of a process.
    case room(Pid)
    /// Time to pass.
    case sleep
}

extension Node {
    /// What is known of a process. OTP: `process_info/1`.
    ///
    /// - Returns: nil when there is no such process on this node.
    public func info(_ pid: Pid) -> ProcessSnapshot? {
        guard case .process(let cell) = locate(pid) else { return nil }
        return cell.infoIfAlive
    }
}

extension ProcessContext {
    /// What is known of this process from outside.
    public var info: ProcessSnapshot { cell.info }

    /// Says what this process is for, to those who look at it: in ``ProcessSnapshot`` and crash reports.
    /// OTP: `proc_lib:set_label/1`.
    public func setLabel(_ label: String?) {
        cell.withCore { core in
            if label == nil, core.relations?.rare == nil { return }
            core.makeRelations().makeRare().label = label
        }
    }
}

extension ProcessCell {
    /// ``info``, unless the process has ended.
    final var infoIfAlive: ProcessSnapshot? {
        let hasEnded = withCore { $0.lifecycle.phase == .ended || $0.isClosing }
        return hasEnded ? nil : info
    }

    final var info: ProcessSnapshot {
        let now = scheduler.coarseNow
        func age(_ instant: UInt64) -> Duration {
            Duration.inNanoseconds(now > instant ? now - instant : 0)
        }
        let started = startedAt
        let since = activitySince.load(ordering: .relaxed)
        let seen = withCore { core in
            (
                lifecycle: core.lifecycle, names: core.names,
                ties: core.relations.map { Ties($0) } ?? Ties(),
                accepted: core.accepted, handled: popped.load(ordering: .acquiring),
                dropped: core.dropped, capacity: Int(core.capacity), trapsExits: core.trapsExits,
                dropsOldest: core.overflow == .dropOldest
            )
        }
        // Sorting and copying is done without the lock: a process may have a million links.
        return ProcessSnapshot(
            pid: pid,
            names: node.names.names(on: seen.names, of: id),
            label: seen.ties.label,
            behaviour: traits.typeName,
            activity: activity(seen.lifecycle),
            messageType: messageType(seen.lifecycle),
            activityAge: age(max(since, started)),
            isSuspended: seen.lifecycle.isSuspended,
            waitsOn: seen.ties.waits.map(\.processWait),
            mailboxCount: Int(seen.accepted - seen.handled),
            mailboxCapacity: seen.capacity,
            messagesIn: seen.accepted,
            messagesHandled: seen.handled - (seen.dropsOldest ? seen.dropped : 0),
            messagesDropped: seen.dropped,
            links: seen.ties.links.pids.sorted { $0.id < $1.id },
            monitors: seen.ties.monitors.objects { node.table.find($0)?.pid },
            monitoredBy: seen.ties.monitoredBy.peers.map { $0.pid },
            aliases: seen.ties.aliases.keys.sorted().map { alias(id: $0) },
            trapsExits: seen.trapsExits,
            parent: parentID == 0 ? nil : node.pid(id: parentID),
            groupLeader: traits.groupLeader,
            uptime: age(started))
    }

    /// A copy of what is shown of the relations; it costs nothing until one side changes.
    private struct Ties: Sendable {
        var label: String?
        var waits: [Relations.Wait] = []
        var links = LinkTable<ProcessCell>()
        var monitors = MonitorTable()
        var monitoredBy = WatcherTable<ProcessCell>()
        var aliases: [UInt64: AliasUse] = [:]

        init() {}

        init(_ relations: Relations) {
            (label, waits) = (relations.rare?.label, relations.waits)
            (links, monitors) = (relations.links, relations.monitors)
            (monitoredBy, aliases) = (relations.monitoredBy, relations.rare?.aliases ?? [:])
        }
    }

    private func activity(_ lifecycle: Lifecycle) -> ProcessActivity {
        if lifecycle.isTerminating { return .terminating }
        switch lifecycle.phase {
        case .starting: return .starting
        case .idle, .suspended, .parked: return .waiting
        case .scheduled: return .runnable
        case .running:
            let kind = MessageKind(rawValue: activityKind.load(ordering: .relaxed))
            return kind.map { .handling($0) } ?? .running
        case .ended: return .terminating
        }
    }

    private func messageType(_ lifecycle: Lifecycle) -> String? {
        guard case .handling(let kind) = activity(lifecycle) else { return nil }
        switch kind {
        case .call: return "\(traits.typeName).Call"
        case .cast: return "\(traits.typeName).Cast"
        case .direct: return "\(traits.typeName).Direct"
        case .continue: return "\(traits.typeName).Continue"
        case .timeout: return nil
        case .info:
            let address = infoType.load(ordering: .relaxed)
            // Metadata is never freed, and nothing else is ever stored.
            return address == 0 ? nil : "\(unsafeBitCast(address, to: Any.Type.self))"
        }
    }

    private func alias(id: UInt64) -> Alias {
        Alias(reference: Reference(nodeName: node.nodeName, creation: node.creation, id: id))
    }
}

extension Relations.Wait {
    fileprivate var processWait: ProcessWait {
        switch self {
        case .call(let call): .reply(from: call.callee)
        case .room(let pid): .room(pid)
        case .sleep: .sleep
        }
    }
}
