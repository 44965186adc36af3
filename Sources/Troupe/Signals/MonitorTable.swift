//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How long the alias of a monitor works; see ``ProcessContext/monitor(_:alias:tag:)``.
///
/// - Source: the options of OTP's `monitor/3`.
public enum MonitorAlias: Sendable, Hashable {
    /// Until ``ProcessContext/removeAlias(_:)``. OTP: `explicit_unalias`.
    case explicitUnalias
    /// Until the monitor is removed or its DOWN has arrived. OTP: `demonitor`.
    case demonitor
    /// As ``demonitor``; besides, the first message through the alias removes both, so that no DOWN
    /// follows a reply. OTP: `reply_demonitor`.
    case replyDemonitor
}

/// The monitors that one process holds, as a pure table.
///
/// An entry stays until the DOWN is *taken*, not only until it arrives: so a monitor that is removed
/// while its DOWN waits in the mailbox takes the DOWN with it.
///
/// A *plain* monitor, as most are, watches a process by its pid and has neither a tag nor an alias. All
/// that its DOWN says is known where the process ends, so nobody looks into the table when it arrives:
/// it stays armed until the DOWN is taken.
///
/// Targets are known by their ids, which are not 0: who watches a process does not keep what is left of
/// it, and to move an entry when the table grows writes to no process.
struct MonitorTable: Sendable {
    /// What is known of a monitor: two words, as most watch a process by its pid and nothing else.
    fileprivate struct Entry: Sendable {
        /// 0 when there never was a target, or the monitor has fired.
        var target: UInt64
        /// Nil when the monitor is plain, and when it has fired.
        var special: Special?

        static var fired: Entry { Entry(target: 0, special: nil) }

        var phase: Phase { special?.phase ?? (target == 0 ? .fired : .armed) }
        var removesAlias: Bool { special?.alias.map { $0 != .explicitUnalias } ?? false }
    }

    /// Of a monitor that is not the most common kind, what stays until it fires.
    fileprivate final class Special: Sendable {
        let object: MonitoredObject
        let tag: (any Sendable)?
        let alias: MonitorAlias?
        /// Never `fired`.
        let phase: Phase
        /// The DOWN that was held back.
        let down: (reason: ExitReason, result: (any Sendable)?)?

        init(object: MonitoredObject, tag: (any Sendable)?, alias: MonitorAlias?) {
            (self.object, self.tag, self.alias) = (object, tag, alias)
            (self.phase, self.down) = (.armed, nil)
        }

        /// The same monitor in another phase.
        init(
            _ other: Special, _ phase: Phase,
            down: (reason: ExitReason, result: (any Sendable)?)? = nil
        ) {
            (self.object, self.tag, self.alias) = (other.object, other.tag, other.alias)
            (self.phase, self.down) = (phase, down)
        }
    }

    fileprivate enum Phase: Sendable {
        /// The target lives, or its DOWN is on its way. Can transition to: `fired`, `replying`,
        /// gone.
        case armed
        /// A message through the alias is being delivered; if it arrives, the monitor is gone. Can
        /// transition to: `armed`, `replyingAfterDown`, gone.
        case replying
        /// As `replying`, and a DOWN has arrived meanwhile. Can transition to: `fired`, gone.
        case replyingAfterDown
        /// The DOWN is in the mailbox; never of a plain monitor. Can transition to: gone.
        case fired
    }

    private var entries = IDTable<Entry>()

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }
    /// What is watched, in the order in which the monitors were made.
    ///
    /// - Parameter pid: gives the pid of a target unless it has ended.
    func objects(_ pid: (_ target: UInt64) -> Pid?) -> [MonitoredObject] {
        entries.sorted { $0.key < $1.key }.compactMap { _, entry in
            guard entry.target != 0, let pid = pid(entry.target) else { return nil }
            return entry.special?.object ?? .pid(pid)
        }
    }

    /// A monitor is made.
    ///
    /// - Parameter target: 0 when there is none.
    /// - Returns: whether it is plain.
    @discardableResult
    mutating func monitored(
        _ id: UInt64, _ target: UInt64, as object: MonitoredObject, tag: (any Sendable)?,
        alias: MonitorAlias?
    ) -> Bool {
        if target != 0, tag == nil, alias == nil, case .pid = object {
            entries[id] = Entry(target: target, special: nil)
            return true
        }
        entries[id] = Entry(
            target: target, special: Special(object: object, tag: tag, alias: alias))
        return false
    }

    enum DemonitorAction {
        /// There is no such monitor, or its DOWN was taken.
        case none
        /// It was armed: the target, if that is not 0, is to forget it. If it is plain it may have fired
        /// all the same, which the target knows; the DOWN will be passed over.
        case disarm(target: UInt64, removesAlias: Bool)
        /// Its DOWN was in the mailbox, and will be passed over.
        case flush
    }

    /// What is left of a monitor that is gone: its tag, for one. Not to be let go with a lock held, as
    /// that may run the user's code.
    struct Remains: Sendable {
        fileprivate var special: Special?

        init() {}
    }

    /// The monitor is removed by its holder.
    ///
    /// - Parameter remains: is set to what is left of it.
    mutating func demonitored(_ id: UInt64, _ remains: inout Remains) -> DemonitorAction {
        guard let entry = entries.removeValue(forKey: id) else { return .none }
        remains.special = entry.special
        switch entry.phase {
        case .armed, .replying:
            return .disarm(target: entry.target, removesAlias: entry.removesAlias)
        case .replyingAfterDown, .fired:
            return .flush
        }
    }

    enum DownAction {
        /// The monitor was removed.
        case ignore
        /// A reply is on its way; the DOWN only comes if that does not arrive.
        case holdBack
        case deliver(FiredMonitor, removesAlias: Bool)
    }

    /// The target of a monitor that is not plain has ended.
    mutating func downArrived(
        _ id: UInt64, _ reason: ExitReason, result: (any Sendable)?
    ) -> DownAction {
        entries.withValue(of: id) { $0.downArrived(id, reason, result) } ?? .ignore
    }

    /// The DOWN is about to be handed to the process.
    ///
    /// - Returns: whether it is still wanted.
    mutating func downTaken(_ id: UInt64) -> Bool {
        entries.removeValue(forKey: id) != nil
    }

    /// A message through the alias of the monitor is about to be delivered.
    mutating func replyBegan(_ id: UInt64) {
        guard let entry = entries[id], let special = entry.special, special.phase == .armed
        else { return }
        entries[id] = Entry(target: entry.target, special: Special(special, .replying))
    }

    enum ReplyAction {
        case none
        /// The reply has arrived and has taken the place of the DOWN.
        case disarm(target: UInt64)
        /// The reply was refused; the alias is as before.
        case restoreAlias
        /// The reply was refused, and the DOWN that was held back comes after all.
        case deliver(ExitReason, result: (any Sendable)?)
    }

    /// The message through the alias was delivered, or refused.
    ///
    /// - Parameter remains: is set to what is left of the monitor, if it is gone.
    mutating func replyEnded(
        _ id: UInt64, wasDelivered: Bool, _ remains: inout Remains
    ) -> ReplyAction {
        guard let entry = entries[id], let special = entry.special else { return .none }
        switch special.phase {
        case .armed, .fired:
            return .none
        case .replying where wasDelivered, .replyingAfterDown where wasDelivered:
            entries[id] = nil
            remains.special = special
            return .disarm(target: entry.target)
        case .replying:
            entries[id] = Entry(target: entry.target, special: Special(special, .armed))
            return .restoreAlias
        case .replyingAfterDown:
            entries[id] = Entry(target: entry.target, special: Special(special, .armed))
            guard let down = special.down else { return .none }
            return .deliver(down.reason, result: down.result)
        }
    }

    /// The process has ended. The table is empty then.
    ///
    /// - Parameter disarm: is given every target that is to forget a monitor.
    mutating func ended(_ disarm: (_ id: UInt64, _ target: UInt64) -> Void) {
        entries.removeAll { id, entry in
            if entry.target != 0 { disarm(id, entry.target) }
        }
    }
}

extension MonitorTable.Entry {
    fileprivate mutating func downArrived(
        _ id: UInt64, _ reason: ExitReason, _ result: (any Sendable)?
    ) -> MonitorTable.DownAction {
        guard let special else { return .ignore }
        switch special.phase {
        case .armed:
            defer { self = .fired }
            let fired = FiredMonitor(
                id: id, reason: reason, result: result, tag: special.tag, object: special.object)
            return .deliver(fired, removesAlias: removesAlias)
        case .replying:
            // Only a monitor with an alias is ever replied to.
            self = MonitorTable.Entry(
                target: 0,
                special: MonitorTable.Special(
                    special, .replyingAfterDown, down: (reason, result)))
            return .holdBack
        case .replyingAfterDown, .fired:
            return .ignore
        }
    }
}

/// A monitor that has fired, as long as its DOWN is not taken: the message is made then, and not with
/// the lock of the process held. Most of them take little room.
struct FiredMonitor: Sendable {
    let id: UInt64
    let reason: ExitReason
    private let content: Content

    private enum Content: Sendable {
        /// A process was watched by its pid.
        case pid(Pid)
        case other(Details)
    }

    private final class Details: Sendable {
        let object: MonitoredObject
        let result: (any Sendable)?
        let tag: (any Sendable)?

        init(_ object: MonitoredObject, _ result: (any Sendable)?, _ tag: (any Sendable)?) {
            (self.object, self.result, self.tag) = (object, result, tag)
        }
    }

    /// A plain monitor of a process that has returned nothing.
    init(id: UInt64, target: Pid, reason: ExitReason) {
        self.id = id
        self.reason = reason
        self.content = .pid(target)
    }

    init(
        id: UInt64, reason: ExitReason, result: (any Sendable)?, tag: (any Sendable)?,
        object: MonitoredObject
    ) {
        self.id = id
        self.reason = reason
        self.content = .other(Details(object, result, tag))
    }

    /// The DOWN.
    ///
    /// - Parameters:
    ///   - nodeName: the node on which the monitor was made.
    ///   - creation: which life of that node.
    func message(on nodeName: NodeName, creation: UInt32) -> MessageDown {
        let reference = Reference(nodeName: nodeName, creation: creation, id: id)
        switch content {
        case .pid(let pid):
            return MessageDown(
                ref: MonitorRef(reference: reference), object: .pid(pid), reason: reason,
                result: nil, tag: nil)
        case .other(let details):
            return MessageDown(
                ref: MonitorRef(reference: reference), object: details.object, reason: reason,
                result: details.result, tag: details.tag)
        }
    }
}
