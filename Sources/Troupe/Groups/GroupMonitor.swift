//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Names one monitor of a group or of a scope: what ``ProcessContext/monitor(group:in:)`` returned
/// and a ``MessageGroupChange`` carries.
public struct GroupMonitorRef: Hashable, Sendable, CustomStringConvertible {
    /// The reference as such.
    public let reference: Reference

    /// The description of the reference.
    public var description: String { reference.description }
}

/// What has happened in a group.
public enum GroupChange: Sendable, Hashable {
    /// Processes have joined.
    case join
    /// Processes have left, or have ended.
    case leave
}

/// Tells a process of a change in a group that it monitors. Arrives in `handleInfo` or `receive`.
///
/// - Source: OTP's `{Ref, join | leave, Group, Pids}` of `pg:monitor/2`.
public struct MessageGroupChange<Group: Hashable & Sendable>: Sendable {
    /// Which monitor.
    public let ref: GroupMonitorRef
    /// What has happened.
    public let change: GroupChange
    /// In which group.
    public let group: Group
    /// To whom: a pid as often as it has joined or left.
    public let pids: [Pid]
}

/// A monitor that a process holds.
protocol AnyGroupMonitor: Attachment {
    /// Takes the monitor out of the groups.
    func end(_ id: UInt64)
}

extension AnyGroupMonitor {
    func holderEnds(_ id: UInt64, _ holder: ProcessCell) -> (@Sendable (ExitReason) -> Void)? {
        end(id)
        return nil
    }
}

/// A monitor of one group, or of all groups of a scope.
final class GroupMonitor<Group: Hashable & Sendable>: AnyGroupMonitor {
    let scope: GroupScope<Group>
    /// Nil for all groups.
    let slot: GroupSlot<Group>?

    init(_ scope: GroupScope<Group>, _ slot: GroupSlot<Group>?) {
        self.scope = scope
        self.slot = slot
    }

    func end(_ id: UInt64) {
        if let slot { slot.unwatch(id) } else { scope.removeScopeWatcher(id) }
    }
}
