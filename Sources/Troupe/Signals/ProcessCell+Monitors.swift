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
        _ target: ProcessCell?, as object: MonitoredObject, missing reason: ExitReason = .noProcess,
        tag: (any Sendable)? = nil, alias: MonitorAlias? = nil
    ) -> MonitorRef {
        let ref = MonitorRef(reference: node.makeReference())
        let id = ref.reference.id
        madeReference(id)
        // Nobody can be told that they themselves have ended.
        let isSelf = target === self
        let isPlain = withCore { core in
            if let alias {
                core.makeRelations().makeRare().aliases[id] = .monitor(alias)
                node.aliases.insert(id, owner: self)
            }
            if isSelf { return false }
            return core.makeRelations().monitors.monitored(
                id, target?.id ?? 0, as: object, tag: tag, alias: alias)
        }
        if isSelf { return ref }
        var makesRelations = false
        let isArmed =
            target?.withCore { core in
                guard core.lifecycle.phase != .ended else { return false }
                makesRelations = core.relations == nil
                core.makeRelations().monitoredBy.insert(id, self, isPlain: isPlain)
                return true
            } ?? false
        // Who monitors many makes many relations.
        if makesRelations { WorkerLocal.current?.pointee.heapRoom.willAllocate() }
        if !isArmed {
            receiveDown(id, ofPlain: isPlain ? target?.pid : nil, reason: reason, result: nil)
        }
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
        var remains = MonitorTable.Remains()
        let action = withCore { core in
            let action = core.relations?.monitors.demonitored(id, &remains) ?? .none
            if case .disarm(_, removesAlias: true) = action { removeAlias(id, &core) }
            return action
        }
        guard case .disarm(let target, _) = action else { return false }
        return disarm(id, target)
    }

    /// Lets a target, if that is not 0, forget a monitor of this process.
    ///
    /// - Returns: whether it had not fired.
    @discardableResult
    final func disarm(_ id: UInt64, _ target: UInt64) -> Bool {
        // One that is not in the table any more has ended, or does so at once if it comes back from
        // where it is stuck: then its DOWN is passed over.
        if target == 0 { return false }
        return node.table.find(target)?.forgetMonitor(id) ?? false
    }

    /// A monitor that watches this process was removed.
    ///
    /// - Returns: whether it had not fired.
    private final func forgetMonitor(_ id: UInt64) -> Bool {
        withCore { core in core.relations?.monitoredBy.remove(id) ?? false }
    }

    /// What a monitor of this process watches has ended.
    ///
    /// - Parameter target: what a plain monitor watched; nil for others.
    final func receiveDown(
        _ id: UInt64, ofPlain target: Pid?, reason: ExitReason, result: (any Sendable)?
    ) {
        if traits.isSimulated, let simulated = scheduler.simulated {
            let fate = simulated.signalled(
                self, naming: { "down \(reason)" }, isOrder: false,
                { self.receiveDownNow(id, target, reason, result) })
            if fate == .later { return }
        }
        receiveDownNow(id, target, reason, result)
    }

    private func receiveDownNow(
        _ id: UInt64, _ target: Pid?, _ reason: ExitReason, _ result: (any Sendable)?
    ) {
        let arrival = withCore { core -> Arrival in
            guard core.lifecycle.phase != .ended else { return .none }
            guard let target else { return receiveDown(id, reason, result, &core) }
            let fired =
                result == nil
                ? FiredMonitor(id: id, target: target, reason: reason)
                : FiredMonitor(
                    id: id, reason: reason, result: result, tag: nil, object: .pid(target))
            return append(.down(fired), to: &core)
        }
        arrival.perform(for: self)
    }

    private func receiveDown(
        _ id: UInt64, _ reason: ExitReason, _ result: (any Sendable)?, _ core: inout ProcessCore
    ) -> Arrival {
        let action = core.relations?.monitors.downArrived(id, reason, result: result) ?? .ignore
        guard case .deliver(let fired, let removesAlias) = action else { return .none }
        if removesAlias { removeAlias(id, &core) }
        return append(.down(fired), to: &core)
    }
}

// MARK: - Aliases

extension ProcessCell {
    final func makeAlias(isOneReply: Bool) -> Alias {
        let alias = Alias(reference: node.makeReference())
        madeReference(alias.reference.id)
        withCore { core in
            core.makeRelations().makeRare().aliases[alias.reference.id] = .plain(
                isOneReply: isOneReply)
            node.aliases.insert(alias.reference.id, owner: self)
        }
        return alias
    }

    /// Switches an alias of this process off. The lock is held.
    ///
    /// - Returns: what it was used for; nil when it was not active.
    @discardableResult
    final func removeAlias(_ id: UInt64, _ core: inout ProcessCore) -> AliasUse? {
        guard let use = core.relations?.rare?.aliases.removeValue(forKey: id) else { return nil }
        node.aliases.remove(id)
        return use
    }

    /// Delivers a message that was sent to an alias of this process.
    ///
    /// An alias for one reply is used up by the first message that arrives. Until it is known that
    /// it does, the alias is off and the DOWN of its monitor is held back: so there is never both a
    /// reply and a DOWN, and never neither.
    final func deliver(_ message: any Sendable, through alias: Alias) -> SendFailure? {
        let id = alias.reference.id
        let (isActive, taken) = withCore { core -> (Bool, AliasUse?) in
            guard let use = core.relations?.rare?.aliases[id] else { return (false, nil) }
            guard use.isOneReply else { return (true, nil) }
            removeAlias(id, &core)
            core.relations?.monitors.replyBegan(id)
            return (true, use)
        }
        guard isActive else { return .aliasUnknown(alias) }
        let failure = deliverUntyped(message)
        guard let taken else { return failure }
        var remains = MonitorTable.Remains()
        let (target, arrival) = withCore { core -> (UInt64, Arrival) in
            guard core.lifecycle.phase != .ended, !core.isClosing else { return (0, .none) }
            let action: MonitorTable.ReplyAction =
                if case .monitor = taken {
                    core.relations?.monitors.replyEnded(
                        id, wasDelivered: failure == nil, &remains) ?? .none
                } else {
                    failure == nil ? .none : .restoreAlias
                }
            switch action {
            case .none:
                return (0, .none)
            case .disarm(let target):
                return (target, .none)
            case .restoreAlias:
                core.relations?.rare?.aliases[id] = taken
                node.aliases.insert(id, owner: self)
                return (0, .none)
            case .deliver(let reason, let result):
                return (0, receiveDown(id, reason, result, &core))
            }
        }
        disarm(id, target)
        arrival.perform(for: self)
        return failure
    }
}
