//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ProcessContext {
    /// Watches a group: every later join and leave arrives as a ``MessageGroupChange``. OTP:
    /// `pg:monitor/2`.
    ///
    /// The answer and the messages fit together: a change is in the one or among the others, never
    /// in both. The messages are not counted against the bound of the mailbox and come in the order
    /// of the changes. Every call makes another monitor. It ends with
    /// ``demonitor(_:)-(GroupMonitorRef)`` or with this process.
    ///
    /// - Parameters:
    ///   - group: it need not have members.
    ///   - scope: one of this node.
    /// - Returns: the monitor, and the members as of now.
    /// - Throws: ``GroupError/notLocal(_:)`` for a scope of another node.
    public func monitor<Group: Hashable & Sendable>(
        group: Group, in scope: GroupScope<Group>
    ) throws(GroupError) -> (ref: GroupMonitorRef, members: [Pid]) {
        try scope.monitor(group, by: cell)
    }

    /// Watches all groups of a scope, also those to come; see ``monitor(group:in:)``. OTP:
    /// `pg:monitor_scope/1`.
    ///
    /// - Returns: the monitor, and the groups with their members as of now. Each group for itself
    ///   fits to the messages about it.
    /// - Throws: ``GroupError/notLocal(_:)`` for a scope of another node.
    public func monitor<Group: Hashable & Sendable>(
        groupsOf scope: GroupScope<Group>
    ) throws(GroupError) -> (ref: GroupMonitorRef, members: [Group: [Pid]]) {
        try scope.monitor(by: cell)
    }

    /// Removes a monitor of a group or scope. When this returns, no message of it is ever seen, even
    /// if one was in the mailbox. OTP: `pg:demonitor/2`.
    ///
    /// - Returns: whether it was a monitor of this process.
    @discardableResult
    public func demonitor(_ ref: GroupMonitorRef) -> Bool {
        let id = ref.reference.id
        guard ref.reference == cell.node.reference(id: id),
            let monitor = cell.detachGroupMonitor(id)
        else { return false }
        monitor.end(id)
        return true
    }
}

extension ProcessCell {
    fileprivate func detachGroupMonitor(_ id: UInt64) -> (any AnyGroupMonitor)? {
        let object = withCore { $0.relations?.rare?.attachments[id] }
        guard let monitor = object as? any AnyGroupMonitor else { return nil }
        detach(id)
        return monitor
    }
}
