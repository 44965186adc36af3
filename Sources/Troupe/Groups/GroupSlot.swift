//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// One group of a ``GroupScope``.
final class GroupSlot<Group: Hashable & Sendable>: AnyKeySlot, KeySlot, Attachment,
    @unchecked Sendable
{
    // Unchecked: constants and a lock.

    let key: Group
    let scope: GroupScope<Group>

    /// Rank 0: the lock of a process may be taken within it, never the other way round. Held while
    /// monitors are told, so that they learn of the changes in the order in which these happen.
    private let state = Lock(GroupState<ProcessCell>())

    init(_ key: Group, hash: Int, in scope: GroupScope<Group>) {
        self.key = key
        self.scope = scope
        super.init(hash: hash)
    }

    /// Changes the group, then wakes those who were told.
    ///
    /// - Parameter body: returns nil for a group that has left the table; then look it up again.
    private func withState<Result: Sendable>(
        _ body: (inout GroupState<ProcessCell>, inout Arrivals) -> Result
    ) -> Result? {
        var arrivals = Arrivals()
        let (result, retires) = state.withLock { state -> (Result?, Bool) in
            if state.isRetired { return (nil, false) }
            if !state.isSetUp { state.setUp(scope.scopeWatchers) }
            let result = body(&state, &arrivals)
            return (result, state.retires())
        }
        if retires { scope.table.remove(self) }
        arrivals.perform()
        return result
    }

    /// The members in the order in which they joined.
    var members: [ProcessCell] { state.withLock { $0.members.entries }.map { $0.holder } }

    var hasMembers: Bool { state.withLock { !$0.members.isEmpty } }

    /// All join, or none.
    ///
    /// - Returns: nil when the slot is retired; else the one that could not join, if there is one.
    func join(_ cells: [ProcessCell]) -> ProcessCell?? {
        withState { state, arrivals -> ProcessCell? in
            var joined: [(id: UInt64, cell: ProcessCell)] = []
            for cell in cells {
                let id = scope.node.makeReference().id
                guard cell.attach(self, id: id) else {
                    for (id, cell) in joined { cell.detach(id) }
                    return cell
                }
                joined.append((id, cell))
            }
            for (id, cell) in joined { state.joined(id, cell) }
            tell(state, .join, cells.map { $0.pid }, &arrivals)
            return nil
        }
    }

    /// Each leaves once for each time that it is listed.
    ///
    /// - Returns: who has left.
    func leave(_ cells: [ProcessCell]) -> [Pid] {
        withState { state, arrivals in
            var left: [Pid] = []
            for cell in cells {
                // One that has ended meanwhile has nothing attached, and leaves by itself.
                guard let id = cell.detachFirst(self), state.left(id) != nil else { continue }
                left.append(cell.pid)
            }
            tell(state, .leave, left, &arrivals)
            return left
        } ?? []
    }

    func holderEnds(_ id: UInt64, _ holder: ProcessCell) -> (@Sendable (ExitReason) -> Void)? {
        _ = withState { state, arrivals in
            if state.left(id) != nil { tell(state, .leave, [holder.pid], &arrivals) }
        }
        return nil
    }

    /// - Returns: the members, of which `watcher` will not be told; nil when the slot is retired, or
    ///   the watcher is one already.
    func watch(_ id: UInt64, _ watcher: ProcessCell, isOfScope: Bool) -> [ProcessCell]? {
        withState { state, _ in state.watched(id, watcher, isOfScope: isOfScope) } ?? nil
    }

    func unwatch(_ id: UInt64) {
        _ = withState { state, _ in state.unwatched(id) }
    }

    private func tell(
        _ state: GroupState<ProcessCell>, _ change: GroupChange, _ pids: [Pid],
        _ arrivals: inout Arrivals
    ) {
        if pids.isEmpty { return }
        for (id, watcher) in state.watchers {
            let message = MessageGroupChange(
                ref: GroupMonitorRef(reference: scope.node.reference(id: id)), change: change,
                group: key, pids: pids)
            let notice = Notice(message: message, attachment: id)
            arrivals.append(watcher.peer.accept(notice), for: watcher.peer)
        }
    }
}

extension ProcessCell {
    /// Takes away the oldest of the attachments that are `object`.
    ///
    /// - Returns: its id.
    fileprivate func detachFirst(_ object: any Attachment) -> UInt64? {
        withCore { core in
            let first = core.relations?.rare?.attachments.filter { $0.value === object }.keys.min()
            if let first { core.relations?.rare?.attachments[first] = nil }
            return first
        }
    }
}
