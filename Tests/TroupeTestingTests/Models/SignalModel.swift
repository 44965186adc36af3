//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// The rules of links, monitors and exits as plain values: is told what processes do, and says
/// whether what comes of it is allowed.
///
/// If signals arrive at once there is always one thing that may happen next to a process. If they
/// are held up, the model does not see when they arrive, and allows what any arrival allows.
struct SignalModel: Sendable {
    /// A signal that has been sent, and of whose effect nothing has been seen.
    private struct Pending: Sendable {
        enum Content: Sendable, Equatable {
            case exit(isOfLink: Bool)
            case down(MonitorRef)
        }

        let from: Int
        let content: Content
        let reason: ExitReason
        /// What one process sends when it ends has one number: its DOWNs may come in any order.
        let batch: Int
        /// Whether it may arrive while the receiver traps, or while it does not.
        var meetsTrap: Bool
        var meetsNoTrap: Bool
        /// The link or monitor was removed; it may have arrived before.
        var mayBeDropped = false

        var isDown: Bool { if case .down = content { true } else { false } }

        /// Whether it may have arrived and left no trace.
        var mayVanish: Bool {
            mayBeDropped || !isDown && reason == .normal && meetsNoTrap
        }
    }

    private struct Member: Sendable {
        var traps = false
        var links: [Int] = []
        /// Those that have not fired, the oldest first.
        var watches: [(ref: MonitorRef, target: Int)] = []
        var pending: [Pending] = []
        /// What it has been told, if that is certain.
        var order: ExitReason?
        /// With what it is about to end by itself.
        var own: ExitReason?
        var end: ExitReason?
    }

    private let isExact: Bool
    private var members: [Member] = []
    private var batchCount = 0

    /// - Parameter isExact: whether signals arrive at once.
    init(isExact: Bool) { self.isExact = isExact }

    var count: Int { members.count }
    var living: [Int] { members.indices.filter { members[$0].end == nil } }

    func links(of member: Int) -> [Int] { members[member].links.sorted() }

    // MARK: - What processes do

    /// - Returns: the number of the new process.
    mutating func added(linkedTo parent: Int? = nil) -> Int {
        members.append(Member())
        let new = members.count - 1
        if let parent { join(parent, new) }
        return new
    }

    mutating func setTraps(_ member: Int, _ traps: Bool) {
        members[member].traps = traps
        if isExact { return }
        for index in members[member].pending.indices {
            if traps { members[member].pending[index].meetsTrap = true }
            if !traps { members[member].pending[index].meetsNoTrap = true }
        }
    }

    /// - Returns: what linking gives; nil for an error.
    mutating func link(_ member: Int, to other: Int) -> LinkResult? {
        if member == other { return .alreadyLinked }
        if members[other].end != nil { return nil }
        if members[member].links.contains(other) { return .alreadyLinked }
        join(member, other)
        return .linked
    }

    mutating func unlink(_ member: Int, from other: Int) {
        members[member].links.removeAll { $0 == other }
        members[other].links.removeAll { $0 == member }
        if isExact { return }
        for index in members[member].pending.indices
        where members[member].pending[index].from == other
            && members[member].pending[index].content == .exit(isOfLink: true)
        {
            members[member].pending[index].mayBeDropped = true
        }
    }

    mutating func monitor(_ member: Int, _ target: Int, as ref: MonitorRef) {
        if member == target { return }
        if members[target].end == nil {
            members[member].watches.append((ref, target))
        } else {
            batchCount += 1
            send(.down(ref), .noProcess, from: member, to: member)
        }
    }

    /// - Returns: whether the monitor may turn out to be armed, and whether not.
    mutating func demonitor(_ member: Int, _ ref: MonitorRef) -> (armed: Bool, fired: Bool) {
        if let index = members[member].watches.firstIndex(where: { $0.ref == ref }) {
            members[member].watches.remove(at: index)
            return (true, false)
        }
        let index = members[member].pending.firstIndex { $0.content == .down(ref) }
        if let index { members[member].pending.remove(at: index) }
        return (!isExact && index != nil, true)
    }

    mutating func exit(_ member: Int, _ target: Int, _ reason: ExitReason) {
        batchCount += 1
        send(.exit(isOfLink: false), reason, from: member, to: target)
    }

    /// A process is about to end by itself.
    mutating func ends(_ member: Int, _ reason: ExitReason) { members[member].own = reason }

    // MARK: - What comes of it

    /// A process has ended; those who are to know are told.
    ///
    /// - Returns: what is wrong with that.
    mutating func ended(_ member: Int, _ reason: ExitReason) -> String? {
        let ended = members[member]
        members[member].end = reason
        members[member].links = []
        members[member].watches = []
        members[member].pending = []
        batchCount += 1
        for other in ended.links {
            members[other].links.removeAll { $0 == member }
            send(.exit(isOfLink: true), reason, from: member, to: other)
        }
        for other in members.indices {
            let fired = members[other].watches.filter { $0.target == member }
            members[other].watches.removeAll { $0.target == member }
            for watch in fired { send(.down(watch.ref), reason, from: member, to: other) }
        }
        if ended.end != nil { return "\(member) has ended twice" }
        let allowed = reasons(of: ended, member)
        return allowed.contains(reason)
            ? nil : "\(member) has ended with \(reason); allowed: \(allowed)"
    }

    private func reasons(of member: Member, _ number: Int) -> [ExitReason] {
        if isExact { return [member.order ?? member.own].compactMap { $0 } }
        let told = member.pending.compactMap { signal -> ExitReason? in
            switch signal.content {
            case .down: return nil
            case .exit(isOfLink: false) where signal.reason == .kill: return .killed
            case .exit(isOfLink: false) where signal.reason == .normal && signal.from != number,
                .exit(isOfLink: true) where signal.reason == .normal:
                return nil
            case .exit: return signal.meetsNoTrap ? signal.reason : nil
            }
        }
        return [member.own].compactMap { $0 } + told
    }

    /// A process has taken an EXIT out of its mailbox.
    ///
    /// - Returns: what is wrong with that.
    mutating func tookExit(_ member: Int, from: Int, _ reason: ExitReason) -> String? {
        take(member, "EXIT of \(from), \(reason)") { signal in
            !signal.isDown && signal.from == from && signal.reason == reason && signal.meetsTrap
                && !(signal.content == .exit(isOfLink: false) && reason == .kill)
        }
    }

    /// A process has taken a DOWN out of its mailbox.
    ///
    /// - Returns: what is wrong with that.
    mutating func tookDown(_ member: Int, _ ref: MonitorRef, _ reason: ExitReason) -> String? {
        take(member, "DOWN of \(ref), \(reason)") {
            $0.content == .down(ref) && $0.reason == reason
        }
    }

    private mutating func take(
        _ member: Int, _ name: String, _ isIt: (Pending) -> Bool
    ) -> String? {
        guard let index = members[member].pending.firstIndex(where: isIt) else {
            return "\(member) has got what it should not: \(name)"
        }
        let taken = members[member].pending.remove(at: index)
        // What has come from the same process before has been seen before, or will never be.
        var isEarly = false
        var kept: [Pending] = []
        for (position, signal) in members[member].pending.enumerated() {
            let isBefore = position < index && (isExact || signal.from == taken.from)
            if !isBefore || signal.isDown && taken.isDown && signal.batch == taken.batch {
                kept.append(signal)
            } else if !signal.mayVanish {
                isEarly = true
            }
        }
        members[member].pending = kept
        return isEarly ? "\(member) has got something too early: \(name)" : nil
    }

    /// Everything has arrived and been taken.
    ///
    /// - Returns: what is missing.
    var missing: [String] {
        living.flatMap { member -> [String] in
            let left = members[member].pending.filter { !$0.mayVanish }
            var missing = left.map { "\(member) has not got \($0.content), \($0.reason)" }
            if let order = members[member].order {
                missing.append("\(member) has not ended with \(order)")
            }
            return missing
        }
    }

    // MARK: - Signals

    private mutating func join(_ one: Int, _ other: Int) {
        members[one].links.append(other)
        members[other].links.append(one)
    }

    private mutating func send(
        _ content: Pending.Content, _ reason: ExitReason, from: Int, to: Int
    ) {
        let receiver = members[to]
        if receiver.end != nil { return }
        if isExact, case .exit(let isOfLink) = content {
            if !isOfLink, reason == .kill {
                members[to].order = .killed
                return
            }
            if !receiver.traps {
                if reason == .normal, isOfLink || from != to { return }
                // The first order counts.
                members[to].order = receiver.order ?? reason
                return
            }
        }
        members[to].pending.append(
            Pending(
                from: from, content: content, reason: reason, batch: batchCount,
                meetsTrap: receiver.traps, meetsNoTrap: !receiver.traps))
    }
}
