//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

extension ProcessCell {
    /// Runs `body` with the locks of two different processes held.
    ///
    /// The one with the lower id is locked first, so two such calls cannot block each other.
    static func withBothLocked<Result: Sendable>(
        _ one: ProcessCell, _ other: ProcessCell,
        _ body: (inout ProcessCore, inout ProcessCore) -> Result
    ) -> Result {
        precondition(one !== other)
        if one.id < other.id {
            return one.withCore { first in
                other.withCore { second in body(&first, &second) }
            }
        }
        return other.withCore { first in
            one.withCore { second in body(&second, &first) }
        }
    }

    /// An exit signal reaches this process.
    ///
    /// - Parameter sender: who sent it; nil when the node gives an order.
    final func receive(_ signal: ExitSignal, from sender: Pid?) {
        if traits.isSimulated, let simulated = scheduler.simulated {
            let fate = simulated.signalled(
                self, naming: { "exit \(signal.reason)" },
                // What one sends oneself is not on its way.
                isOrder: sender == nil || sender == pid,
                { self.receiveNow(signal, from: sender) })
            if fate == .later { return }
        }
        receiveNow(signal, from: sender)
    }

    /// As ``receive(_:from:)``, without asking a simulation.
    ///
    /// - Parameter onlyDuringInit: whether it is for nothing once `init` has returned.
    final func receiveNow(_ signal: ExitSignal, from sender: Pid?, onlyDuringInit: Bool = false) {
        var runner: Runner?
        let arrival = withCore { core -> Arrival in
            guard core.lifecycle.phase != .ended else { return .none }
            if onlyDuringInit, core.lifecycle.phase != .starting { return .none }
            if signal.kind == .link {
                // Unlinked meanwhile: the signal is dropped.
                guard let sender, core.relations?.links.signalArrived(from: sender) ?? false
                else { return .none }
            }
            let receiver = ExitSignal.Receiver(
                trapsExits: core.trapsExits,
                isSender: sender == pid,
                isServerOfSender: traits.obeysParent && sender?.id == parentID
                    && sender?.nodeName == node.nodeName,
                stopsOnNormalLink: core.stopsOnNormalLink)
            let wake: Lifecycle.Wake?
            switch signal.outcome(at: receiver) {
            case .ignore:
                return .none
            case .deliver:
                guard let sender else { return .none }
                let exit = MessageExit(from: sender, reason: signal.reason)
                return append(.exit(exit, isOfLink: signal.kind == .link), to: &core)
            case .stop(let reason):
                wake = core.lifecycle.stopRequested(reason)
            case .kill:
                wake = core.lifecycle.killRequested()
            }
            return obey(wake, &core, interrupting: &runner)
        }
        runner?.cancelTask()
        arrival.perform(for: self)
    }

    /// The process has been told to end. The lock is held.
    ///
    /// - Parameters:
    ///   - wake: nil when that changes nothing.
    ///   - runner: whose task is to be cancelled once the lock is released.
    private func obey(
        _ wake: Lifecycle.Wake?, _ core: inout ProcessCore, interrupting runner: inout Runner?
    ) -> Arrival {
        guard let wake else { return .none }
        attention.store(true, ordering: .relaxed)
        if let current = core.runner {
            current.retire()
            runner = current
        }
        return core.arrival(for: wake)
    }

    /// What this process was linked to, and what is no process, has ended: the same as an exit
    /// signal, with another message for those who trap.
    ///
    /// - Parameter attachment: what stands for the link. If it was detached nothing happens.
    final func receiveLinkedEnd(_ attachment: UInt64, reason: ExitReason, message: any Sendable) {
        var runner: Runner?
        let arrival = withCore { core -> Arrival in
            guard core.lifecycle.phase != .ended,
                core.relations?.rare?.attachments[attachment] != nil
            else { return .none }
            let receiver = ExitSignal.Receiver(
                trapsExits: core.trapsExits, isSender: false, isServerOfSender: false,
                stopsOnNormalLink: core.stopsOnNormalLink)
            switch ExitSignal(kind: .link, reason: reason).outcome(at: receiver) {
            case .deliver:
                let notice = Notice(message: message, attachment: attachment, isLast: true)
                return append(.notice(notice), to: &core)
            case .ignore:
                core.relations?.rare?.attachments[attachment] = nil
                return .none
            case .stop(let reason):
                core.relations?.rare?.attachments[attachment] = nil
                return obey(
                    core.lifecycle.stopRequested(reason), &core, interrupting: &runner)
            case .kill:
                return .none
            }
        }
        runner?.cancelTask()
        arrival.perform(for: self)
    }

    /// Appends a signal that has become a message. The lock is held.
    final func append(
        _ signal: consuming SignalQueue.Signal, to core: inout ProcessCore
    ) -> Arrival {
        core.makeRelations().signals.append(signal, position: core.accepted)
        attention.store(true, ordering: .relaxed)
        return core.arrived()
    }

    /// Sets whether exits are trapped and returns what was set before.
    final func setTrapsExits(_ traps: Bool) -> Bool {
        withCore { core in
            defer { core.trapsExits = traps }
            return core.trapsExits
        }
    }
}
