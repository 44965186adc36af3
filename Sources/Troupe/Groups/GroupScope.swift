//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Process groups: sets of processes under names of your own type, for sending to all or to any.
///
/// A process may be in many groups, and several times in one. A group is there as long as it has
/// members; nobody creates or deletes it. Scopes know nothing of each other, so parts of a program
/// need not agree about names.
///
/// ```swift
/// let workers = GroupScope<String>(on: node)
/// try workers.join("resize", process.pid)
/// for worker in workers.members(of: "resize") { try? node.send(job, to: worker) }
/// ```
///
/// The memberships of a process are gone before anybody sees its end. A scope is no process: it
/// cannot crash, and needs no start. It lives as long as somebody refers to it, or a process is in
/// one of its groups or monitors one.
///
/// - Source: OTP's `pg`, on one node.
public final class GroupScope<Group: Hashable & Sendable>: Sendable {
    /// The node whose processes can join.
    public let node: Node

    let table = KeyTable<GroupSlot<Group>>()
    /// The monitors of all groups, with who holds them. Rank 2: locked alone, or within the lock of
    /// a group.
    private let watchers = Lock<[UInt64: ProcessCell]>([:])

    /// Makes a scope without groups.
    ///
    /// - Parameter node: whose processes can join.
    public init(on node: Node) {
        self.node = node
    }

    // MARK: - Members

    /// Makes processes members of a group, all or none. OTP: `pg:join/3`.
    ///
    /// Anybody may do that for any process of the node. Monitors see one change with all pids.
    ///
    /// - Parameters:
    ///   - group: the group; it need not exist.
    ///   - pids: who joins, one as often as it is listed. None does nothing.
    /// - Throws: ``GroupError`` for the first that cannot join; then nothing is changed.
    public func join(_ group: Group, _ pids: [Pid]) throws(GroupError) {
        var cells: [ProcessCell] = []
        for pid in pids { cells.append(try find(pid)) }
        if cells.isEmpty { return }
        while true {
            guard let failed = slot(of: group).join(cells) else { continue }
            if let failed { throw .processUnknown(failed.pid) }
            return
        }
    }

    /// Makes a process a member of a group, once more if it is one. OTP: `pg:join/3`.
    ///
    /// - Throws: ``GroupError``; then nothing is changed.
    public func join(_ group: Group, _ pid: Pid) throws(GroupError) {
        try join(group, [pid])
    }

    /// Ends memberships, one for each time that a pid is listed. OTP: `pg:leave/3`.
    ///
    /// - Returns: whether there was any; OTP's `not_joined` is false. Monitors see one change with
    ///   the pids that were members.
    @discardableResult
    public func leave(_ group: Group, _ pids: [Pid]) -> Bool {
        guard let slot = table.find(group) else { return false }
        return !slot.leave(pids.compactMap { try? find($0) }).isEmpty
    }

    /// Ends one membership of a process. OTP: `pg:leave/3`.
    ///
    /// - Returns: whether it was a member.
    @discardableResult
    public func leave(_ group: Group, _ pid: Pid) -> Bool {
        leave(group, [pid])
    }

    /// The members of a group in the order in which they joined, each as often as it did. OTP:
    /// `pg:get_members/2`.
    public func members(of group: Group) -> [Pid] {
        table.find(group)?.members.map { $0.pid } ?? []
    }

    /// Those members that are on this node. OTP: `pg:get_local_members/2`.
    ///
    /// As long as there is no distribution these are all.
    public func localMembers(of group: Group) -> [Pid] { members(of: group) }

    /// The groups that have members, in no order. OTP: `pg:which_groups/1`.
    public var groups: [Group] { table.all.filter(\.hasMembers).map(\.key) }

    // MARK: - How it is done

    private func slot(of group: Group) -> GroupSlot<Group> {
        table.find(group) { GroupSlot(group, hash: $0, in: self) }.slot
    }

    private func find(_ pid: Pid) throws(GroupError) -> ProcessCell {
        switch node.locate(pid) {
        case .process(let cell): return cell
        case .unknown: throw .processUnknown(pid)
        case .incarnation: throw .incarnation(pid)
        case .remote: throw .notLocal(pid)
        }
    }

    var scopeWatchers: [UInt64: ProcessCell] { watchers.withLock { $0 } }

    func removeScopeWatcher(_ id: UInt64) {
        // First here, so that a group that is made now does not copy it.
        watchers.withLock { $0[id] = nil }
        for slot in table.all { slot.unwatch(id) }
    }

    func monitor(
        _ group: Group, by cell: ProcessCell
    ) throws(GroupError) -> (ref: GroupMonitorRef, members: [Pid]) {
        guard cell.node === node else { throw .notLocal(cell.pid) }
        let reference = node.makeReference()
        let ref = GroupMonitorRef(reference: reference)
        while true {
            let slot = slot(of: group)
            // Attached first, or the first changes would be dropped as not wanted.
            guard cell.attach(GroupMonitor(self, slot), id: reference.id) else {
                return (ref, slot.members.map { $0.pid })
            }
            if let members = slot.watch(reference.id, cell, isOfScope: false) {
                return (ref, members.map { $0.pid })
            }
            cell.detach(reference.id)
        }
    }

    func monitor(
        by cell: ProcessCell
    ) throws(GroupError) -> (ref: GroupMonitorRef, members: [Group: [Pid]]) {
        guard cell.node === node else { throw .notLocal(cell.pid) }
        let reference = node.makeReference()
        if cell.attach(GroupMonitor(self, nil), id: reference.id) {
            // First here: a group that is made from now on copies it. One that has done so tells of
            // all its members, so they are not in the answer.
            watchers.withLock { $0[reference.id] = cell }
        }
        var members: [Group: [Pid]] = [:]
        for slot in table.all {
            let now = slot.watch(reference.id, cell, isOfScope: true) ?? []
            if !now.isEmpty { members[slot.key] = now.map { $0.pid } }
        }
        return (GroupMonitorRef(reference: reference), members)
    }
}
