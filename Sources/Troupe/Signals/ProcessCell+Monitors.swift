//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ProcessCell {
    /// Monitors `target`; if that is nil or has ended, the DOWN comes at once.
    ///
    /// - Parameters:
    ///   - object: how the target was named.
    ///   - reason: the reason of the DOWN when there is no target.
    final func monitor(
        _ target: ProcessCell?, as object: MonitoredObject, missing reason: ExitReason = .noProcess
    ) -> MonitorRef {
        let ref = MonitorRef(reference: node.makeReference())
        // Nobody can be told that they themselves have ended.
        if target === self { return ref }
        let id = ref.reference.id
        core.withLock { core in
            core.makeRelations().monitors[id] = .init(target: target, object: object)
        }
        let isArmed =
            target?.core.withLock { core in
                guard core.lifecycle.phase != .ended else { return false }
                core.makeRelations().monitoredBy[id] = .init(watcher: self, object: object)
                return true
            } ?? false
        if !isArmed { receiveDown(id, object: object, reason: reason, result: nil) }
        return ref
    }

    /// Removes a monitor, and its DOWN if that is in the mailbox already.
    ///
    /// - Returns: whether the monitor was still armed.
    final func demonitor(_ ref: MonitorRef) -> Bool {
        guard ref.reference.nodeName == node.nodeName, ref.reference.creation == node.creation
        else {
            return false
        }
        let id = ref.reference.id
        let monitor = core.withLock { $0.relations?.monitors.removeValue(forKey: id) }
        guard let monitor, !monitor.hasFired else { return false }
        monitor.target?.core.withLock { core in
            _ = core.relations?.monitoredBy.removeValue(forKey: id)
        }
        return true
    }

    /// What a monitor of this process watches has ended.
    final func receiveDown(
        _ id: UInt64, object: MonitoredObject, reason: ExitReason, result: (any Sendable)?
    ) {
        let arrival = core.withLock { core -> Arrival in
            guard core.lifecycle.phase != .ended, let relations = core.relations,
                relations.monitors[id] != nil
            else { return .none }
            relations.monitors[id]?.hasFired = true
            relations.monitors[id]?.target = nil
            let reference = Reference(nodeName: node.nodeName, creation: node.creation, id: id)
            let down = MessageDown(
                ref: MonitorRef(reference: reference), object: object, reason: reason,
                result: result)
            return append(.down(down), to: &core)
        }
        arrival.perform(for: self)
    }
}
