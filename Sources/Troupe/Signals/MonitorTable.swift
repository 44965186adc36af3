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
struct MonitorTable<Peer> {
    fileprivate struct Entry {
        /// Nil when there never was a target, or it has ended.
        var peer: Peer?
        var watch: Watch
        var phase = Phase.armed

        var removesAlias: Bool {
            guard case .special(let special) = watch else { return false }
            return special.alias.map { $0 != .explicitUnalias } ?? false
        }
    }

    /// What is watched and how. Most monitors name a pid and nothing else.
    fileprivate enum Watch: Sendable {
        case pid(Pid)
        case special(Special)

        init(_ object: MonitoredObject, tag: (any Sendable)?, alias: MonitorAlias?) {
            if case .pid(let pid) = object, tag == nil, alias == nil {
                self = .pid(pid)
            } else {
                self = .special(Special(object: object, tag: tag, alias: alias))
            }
        }

        var object: MonitoredObject {
            switch self {
            case .pid(let pid): .pid(pid)
            case .special(let special): special.object
            }
        }

        var tag: (any Sendable)? {
            guard case .special(let special) = self else { return nil }
            return special.tag
        }
    }

    fileprivate final class Special: Sendable {
        let object: MonitoredObject
        let tag: (any Sendable)?
        let alias: MonitorAlias?
        /// The DOWN that was held back.
        let down: (reason: ExitReason, result: (any Sendable)?)?

        init(
            object: MonitoredObject, tag: (any Sendable)?, alias: MonitorAlias?,
            down: (reason: ExitReason, result: (any Sendable)?)? = nil
        ) {
            self.object = object
            self.tag = tag
            self.alias = alias
            self.down = down
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
        /// The DOWN is in the mailbox. Can transition to: gone.
        case fired
    }

    private var entries = IDTable<Entry>()

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }
    /// What is watched, in the order in which the monitors were made.
    var objects: [MonitoredObject] {
        entries.filter { $0.value.peer != nil }.sorted { $0.key < $1.key }.map {
            $0.value.watch.object
        }
    }

    /// A monitor is made.
    mutating func monitored(
        _ id: UInt64, _ peer: Peer?, as object: MonitoredObject, tag: (any Sendable)?,
        alias: MonitorAlias?
    ) {
        entries[id] = Entry(peer: peer, watch: Watch(object, tag: tag, alias: alias))
    }

    enum DemonitorAction {
        /// There is no such monitor, or its DOWN was taken.
        case none
        /// It was armed: the target, if there is one, is to forget it.
        case disarm(Peer?, removesAlias: Bool)
        /// Its DOWN was in the mailbox, and will be passed over.
        case flush
    }

    /// The monitor is removed by its holder.
    mutating func demonitored(_ id: UInt64) -> DemonitorAction {
        guard let entry = entries.removeValue(forKey: id) else { return .none }
        switch entry.phase {
        case .armed, .replying:
            return .disarm(entry.peer, removesAlias: entry.removesAlias)
        case .replyingAfterDown, .fired:
            return .flush
        }
    }

    enum DownAction {
        /// The monitor was removed.
        case ignore
        /// A reply is on its way; the DOWN only comes if that does not arrive.
        case holdBack
        case deliver(MonitoredObject, tag: (any Sendable)?, removesAlias: Bool)
    }

    /// The target has ended.
    mutating func downArrived(
        _ id: UInt64, _ reason: ExitReason, result: (any Sendable)?
    ) -> DownAction {
        guard var entry = entries[id] else { return .ignore }
        entry.peer = nil
        defer { entries[id] = entry }
        switch entry.phase {
        case .armed:
            entry.phase = .fired
            return .deliver(
                entry.watch.object, tag: entry.watch.tag, removesAlias: entry.removesAlias)
        case .replying:
            entry.phase = .replyingAfterDown
            // Only a monitor with an alias is ever replied to.
            if case .special(let special) = entry.watch {
                entry.watch = .special(
                    Special(
                        object: special.object, tag: special.tag, alias: special.alias,
                        down: (reason, result)))
            }
            return .holdBack
        case .replyingAfterDown, .fired:
            return .ignore
        }
    }

    /// The DOWN is about to be handed to the process.
    ///
    /// - Returns: whether it is still wanted.
    mutating func downTaken(_ id: UInt64) -> Bool {
        entries.removeValue(forKey: id) != nil
    }

    /// A message through the alias of the monitor is about to be delivered.
    mutating func replyBegan(_ id: UInt64) {
        guard var entry = entries[id], entry.phase == .armed else { return }
        entry.phase = .replying
        entries[id] = entry
    }

    enum ReplyAction {
        case none
        /// The reply has arrived and has taken the place of the DOWN.
        case disarm(Peer?)
        /// The reply was refused; the alias is as before.
        case restoreAlias
        /// The reply was refused, and the DOWN that was held back comes after all.
        case deliver(ExitReason, result: (any Sendable)?)
    }

    /// The message through the alias was delivered, or refused.
    mutating func replyEnded(_ id: UInt64, wasDelivered: Bool) -> ReplyAction {
        guard var entry = entries[id] else { return .none }
        switch entry.phase {
        case .armed, .fired:
            return .none
        case .replying where wasDelivered, .replyingAfterDown where wasDelivered:
            entries[id] = nil
            return .disarm(entry.peer)
        case .replying:
            entry.phase = .armed
            entries[id] = entry
            return .restoreAlias
        case .replyingAfterDown:
            entry.phase = .armed
            entries[id] = entry
            guard case .special(let special) = entry.watch, let down = special.down else {
                return .none
            }
            return .deliver(down.reason, result: down.result)
        }
    }

    /// The process has ended: every target that is to forget a monitor. The table is empty then.
    mutating func ended() -> [(id: UInt64, peer: Peer)] {
        defer { entries = IDTable() }
        return entries.compactMap { id, entry in entry.peer.map { (id, $0) } }
    }
}

extension MonitorTable: Sendable where Peer: Sendable {}
extension MonitorTable.Entry: Sendable where Peer: Sendable {}
