//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a supervisor knows of its children, and what it decides: which to end and to start again,
/// and when to give up.
///
/// It starts and ends nothing itself. Whoever drives it carries out the ``RestartPlan`` it returns,
/// step by step, and reports each step back.
///
/// - Source: OTP's `supervisor`.
struct SupervisorState {
    private(set) var strategy: SupervisorStrategy
    private(set) var autoShutdown: AutoShutdown
    private var window: RestartWindow
    /// The children, each in a slot that it keeps: one that is changed is not moved, as it would be
    /// in a dictionary. Empty slots are used again.
    private var children: [Child?] = []
    private var emptySlots: [Slot] = []
    private var slots: [String: Slot] = [:]
    private var slotsOfRunning: [Pid: Slot] = [:]
    /// The children in the order in which they are started.
    private var slotOrder: [Slot] = []
    /// The children that wait to be started again.
    private var waiting: [Slot] = []
    /// How many are `awaitingGroup`.
    private var awaitingGroupCount = 0

    /// An index into `children`.
    private typealias Slot = Int

    struct Child {
        private let specification: Specification
        fileprivate(set) var phase = Phase.stopped
        fileprivate var startedAt: NodeClock.Instant?
        fileprivate var history: RestartHistory
        /// Its budget is used up, and nobody has started it since: no restart of its group does.
        fileprivate var isGivenUp = false
        /// The mailboxes of its instances, when they are kept.
        fileprivate(set) var kept: KeptMailbox?

        fileprivate init(_ spec: ChildSpec) {
            specification = Specification(spec)
            history = RestartHistory(spec.recovery)
            kept = spec.recovery.mailbox == .keep ? KeptMailbox() : nil
        }

        /// What never changes, and is large, for all copies of a child.
        private final class Specification: Sendable {
            let spec: ChildSpec

            init(_ spec: ChildSpec) { self.spec = spec }
        }

        var spec: ChildSpec { _read { yield specification.spec } }
    }

    enum Phase: Equatable {
        /// There is no process. Can transition to: `running`, `restarting`.
        case stopped
        /// Can transition to: `stopped`, `restarting`, `awaitingGroup`, `running` (again).
        case running(Pid)
        /// It has failed and is to be started again. Can transition to: `running`, `stopped`,
        /// `awaitingGroup`.
        case restarting(Restarting)
        /// It was ended to be started together with another that has failed. Can transition to:
        /// `running`, `stopped`, `restarting`.
        case awaitingGroup
    }

    struct Restarting: Equatable {
        /// The instance that has failed; nil when it was ended with a sibling that has.
        let oldPid: Pid?
        /// When the next attempt is to be made.
        let due: NodeClock.Instant
        /// Whether the limit knows of the attempt already.
        let isCounted: Bool
    }

    /// Steps to carry out in this order. A step that fails ends the plan.
    struct RestartPlan: Equatable {
        /// The child that has failed; nil when those to be started are all that is left of its group.
        let failed: String?
        /// Whom to end, one after the other.
        var ending: [String] = []
        /// Whom to start, one after the other.
        var starting: [String] = []
    }

    enum ExitAction: Equatable {
        /// It was no child, or none any more.
        case ignore
        /// The child is not started again.
        case leave(String)
        /// Children are ended and started. A child that waits for its back-off is not in the plan;
        /// ``dueAttempt(at:)`` will return it.
        case restart(RestartPlan)
        /// The child that has failed has used up its budget and stays stopped.
        case giveUpChild(String)
        /// As before, and the supervisor ends with `.shutdown`: its significant children have ended.
        case giveUpLastChild(String)
        /// The supervisor ends with `.shutdown`: there were too many restarts.
        case giveUp(String)
        /// The supervisor ends with `.shutdown`: its significant children have ended.
        case shutDown(String)
    }

    init(_ spec: SupervisorSpec) {
        strategy = spec.strategy
        autoShutdown = spec.autoShutdown
        window = RestartWindow(spec.limit)
        for child in spec.children { add(child) }
    }

    // MARK: - Looking

    subscript(id: String) -> Child? { slots[id].flatMap { children[$0] } }

    /// The ids in the order in which the children are started.
    var order: [String] { slotOrder.compactMap { children[$0]?.spec.id } }

    /// The running children, the newest first: the order in which they are ended.
    var endOrder: [String] {
        slotOrder.reversed().compactMap { slot in
            children[slot]?.pid == nil ? nil : children[slot]?.spec.id
        }
    }

    /// How many children wait to be started again.
    var restartingCount: Int { waiting.count }

    /// When the next child has to be started again; nil when none waits.
    var nextDue: NodeClock.Instant? {
        waiting.lazy.compactMap { children[$0]?.due }.min()
    }

    /// Whom to start because no restart to come would: they were ended to be started together with a
    /// child that was given up or ended since, or that has another group now.
    var planForStranded: RestartPlan? {
        if awaitingGroupCount == 0 { return nil }
        var stranded: [String] = []
        var isAwaited = strategy == .oneForAll && !waiting.isEmpty
        for child in slotOrder.lazy.compactMap({ children[$0] }) {
            if child.due != nil { isAwaited = isAwaited || strategy == .restForOne }
            if child.phase == .awaitingGroup, !isAwaited { stranded.append(child.spec.id) }
        }
        return stranded.isEmpty ? nil : RestartPlan(failed: nil, starting: stranded)
    }

    // MARK: - Specifications

    /// Adds a child that is not running yet, after the others. Its id must be new.
    mutating func add(_ spec: ChildSpec) {
        assert(slots[spec.id] == nil)
        slotOrder.append(place(Child(spec)))
    }

    mutating func remove(_ id: String) {
        if let slot = slots[id] { remove(at: slot) }
    }

    /// Takes other flags and specifications; processes are left alone.
    ///
    /// Children that the new specification does not have stay; they come before the new ones.
    ///
    /// - Source: `code_change` of OTP's `supervisor`.
    mutating func change(to spec: SupervisorSpec) {
        strategy = spec.strategy
        autoShutdown = spec.autoShutdown
        window.limit = spec.limit
        let named = spec.children.map { spec in
            var child = Child(spec)
            guard let slot = slots[spec.id], let old = children[slot] else { return place(child) }
            child.takeOver(old)
            children[slot] = child
            return slot
        }
        let isNamed = Set(named)
        slotOrder = slotOrder.filter { !isNamed.contains($0) } + named
    }

    /// Gives a new child a slot.
    private mutating func place(_ child: Child) -> Slot {
        let slot = emptySlots.popLast() ?? children.endIndex
        if slot == children.endIndex { children.append(child) } else { children[slot] = child }
        slots[child.spec.id] = slot
        return slot
    }

    private mutating func remove(at slot: Slot) {
        setPhase(slot, .stopped)
        if let id = children[slot]?.spec.id { slots[id] = nil }
        children[slot] = nil
        slotOrder.removeAll { $0 == slot }
        emptySlots.append(slot)
    }

    // MARK: - What has happened

    mutating func started(_ id: String, _ pid: Pid, at now: NodeClock.Instant) {
        guard let slot = slots[id] else { return }
        setPhase(slot, .running(pid))
        children[slot]?.startedAt = now
    }

    /// There was nothing to start.
    mutating func startIgnored(_ id: String) {
        guard let slot = slots[id] else { return }
        children[slot]?.isGivenUp = false
        leave(slot)
    }

    /// A child was ended by its supervisor, or what it had left behind was given up.
    mutating func ended(_ id: String) {
        if let slot = slots[id] { leave(slot) }
    }

    /// A child was ended to be started again with its group; a temporary one is not.
    mutating func endedForRestart(_ id: String) {
        guard let slot = slots[id] else { return }
        if children[slot]?.due == nil {
            leave(slot, .awaitingGroup)
        } else {
            // It was made temporary while it waited.
            setPhase(slot, .awaitingGroup)
        }
    }

    /// An attempt to start a child again has failed: it stays `restarting`.
    mutating func restartFailed(
        _ id: String, of plan: RestartPlan, at now: NodeClock.Instant,
        random: @autoclosure () -> Double
    ) {
        guard let slot = slots[id] else { return }
        var oldPid: Pid?
        if let failed = plan.failed.flatMap({ slots[$0] }),
            case .restarting(let old) = children[failed]?.phase
        {
            if failed == slot {
                oldPid = old.oldPid
            } else {
                // The attempts go on with this one; that one is started with it.
                setPhase(failed, .awaitingGroup)
            }
        }
        let due = now.advanced(by: delay(of: slot, at: now, random: random()))
        setPhase(slot, .restarting(Restarting(oldPid: oldPid, due: due, isCounted: false)))
    }

    /// A process that is linked with the supervisor has ended.
    ///
    /// - Parameter random: 0 to 1, for the jitter of a back-off.
    mutating func exited(
        _ pid: Pid, _ reason: ExitReason, at now: NodeClock.Instant,
        random: @autoclosure () -> Double
    ) -> ExitAction {
        guard let slot = slotsOfRunning[pid], let child = children[slot] else { return .ignore }
        let id = child.spec.id
        switch child.spec.restart {
        case .permanent: return restart(slot, id, pid, at: now, random: random())
        case .transient where !reason.isClean:
            return restart(slot, id, pid, at: now, random: random())
        case .transient, .temporary:
            leave(slot)
            return isShutdownDue(after: child.spec) ? .shutDown(id) : .leave(id)
        }
    }

    /// The next attempt to start a child again, if its time has come.
    mutating func dueAttempt(at now: NodeClock.Instant) -> ExitAction? {
        guard let due = nextDue, due <= now else { return nil }
        // Of several in the order in which they are started.
        let next =
            waiting.count == 1 ? waiting.first : slotOrder.first { children[$0]?.due == due }
        guard let slot = next, let id = children[slot]?.spec.id,
            case .restarting(let restarting) = children[slot]?.phase
        else { return nil }
        if !restarting.isCounted, let refusal = countRestart(of: slot, id, at: now) {
            return refusal
        }
        return .restart(plan(for: slot, id))
    }

    // MARK: - How it is decided

    private mutating func restart(
        _ slot: Slot, _ id: String, _ pid: Pid, at now: NodeClock.Instant,
        random: @autoclosure () -> Double
    ) -> ExitAction {
        let delay = delay(of: slot, at: now, random: random())
        let restarting = Restarting(
            oldPid: pid, due: now.advanced(by: delay), isCounted: true)
        setPhase(slot, .restarting(restarting))
        if let refusal = countRestart(of: slot, id, at: now) { return refusal }
        var plan = plan(for: slot, id)
        if delay > .zero { plan.starting = [] }
        return .restart(plan)
    }

    /// - Returns: what to do when there were too many.
    private mutating func countRestart(
        of slot: Slot, _ id: String, at now: NodeClock.Instant
    ) -> ExitAction? {
        switch children[slot]?.history.recordInBudget(at: now) {
        case true?: return nil
        case false?:
            setPhase(slot, .stopped)
            children[slot]?.isGivenUp = true
            if let spec = children[slot]?.spec, isShutdownDue(after: spec) {
                return .giveUpLastChild(id)
            }
            return .giveUpChild(id)
        case nil: break
        }
        if window.record(at: now) { return nil }
        setPhase(slot, .stopped)
        return .giveUp(id)
    }

    /// How long to wait before the next attempt; counts the failure.
    private mutating func delay(
        of slot: Slot, at now: NodeClock.Instant, random: @autoclosure () -> Double
    ) -> Duration {
        children[slot]?.delayAfterFailure(at: now, random: random()) ?? .zero
    }

    private func plan(for slot: Slot, _ id: String) -> RestartPlan {
        var plan = RestartPlan(failed: id, starting: [id])
        let group: ArraySlice<Slot>
        switch strategy {
        case .oneForOne: return plan
        case .oneForAll: group = slotOrder[...]
        case .restForOne: group = slotOrder.drop { $0 != slot }
        }
        let members = group.compactMap { children[$0] }
        plan.ending = members.reversed().filter {
            $0.spec.id != id && ($0.pid != nil || $0.due != nil)
        }
        .map(\.spec.id)
        // Who waits to be started is, even if it was made temporary since.
        plan.starting = members.filter {
            $0.due != nil || $0.phase == .awaitingGroup
                || $0.spec.restart != .temporary && !$0.isGivenUp
        }
        .map(\.spec.id)
        return plan
    }

    private func isShutdownDue(after spec: ChildSpec) -> Bool {
        guard spec.isSignificant else { return false }
        switch autoShutdown {
        case .never: return false
        case .anySignificant: return true
        case .allSignificant:
            return !children.contains { child in
                guard let child, child.spec.isSignificant else { return false }
                return child.phase != .stopped
            }
        }
    }

    /// There is no process any more; the specification of a temporary child goes with it.
    private mutating func leave(_ slot: Slot, _ phase: Phase = .stopped) {
        if children[slot]?.spec.restart == .temporary {
            remove(at: slot)
        } else {
            setPhase(slot, phase)
        }
    }

    /// Changes the phase of a child, and what depends on it.
    private mutating func setPhase(_ slot: Slot, _ phase: Phase) {
        guard let old = children[slot]?.take(phase) else { return }
        switch old {
        case .running(let pid):
            // Start functions may return the same process for two children.
            if let index = slotsOfRunning.index(forKey: pid), slotsOfRunning[index].value == slot {
                slotsOfRunning.remove(at: index)
            }
        case .restarting: waiting.removeAll { $0 == slot }
        case .awaitingGroup: awaitingGroupCount -= 1
        case .stopped: break
        }
        switch phase {
        case .running(let pid):
            slotsOfRunning[pid] = slot
            children[slot]?.isGivenUp = false
        case .restarting: waiting.append(slot)
        case .awaitingGroup: awaitingGroupCount += 1
        case .stopped: break
        }
    }
}

extension SupervisorState.Child {
    /// The process, if it runs.
    var pid: Pid? {
        if case .running(let pid) = phase { pid } else { nil }
    }

    /// - Returns: the phase in which it was.
    fileprivate mutating func take(_ new: SupervisorState.Phase) -> SupervisorState.Phase {
        defer { phase = new }
        return phase
    }

    /// How long to wait before the next attempt to start it; counts the failure.
    fileprivate mutating func delayAfterFailure(
        at now: NodeClock.Instant, random: @autoclosure () -> Double
    ) -> Duration {
        let uptime = pid == nil ? nil : startedAt?.duration(to: now)
        return history.delayAfterFailure(uptime: uptime, random: random())
    }

    /// When it is to be started again, if it waits for that.
    fileprivate var due: NodeClock.Instant? {
        if case .restarting(let restarting) = phase { restarting.due } else { nil }
    }

    /// Goes on where the child with the old specification was. What a running instance has been
    /// spawned with stays in use: its mailbox goes where the next instance looks for it.
    fileprivate mutating func takeOver(_ old: Self) {
        (phase, startedAt) = (old.phase, old.startedAt)
        // What was counted, and what followed from it, says nothing about another budget.
        if spec.recovery == old.spec.recovery {
            (history, isGivenUp) = (old.history, old.isGivenUp)
        }
        if kept != nil, let oldKept = old.kept { kept = oldKept }
    }

    /// What the mailbox of its next instance is to be spawned with.
    var leftovers: Leftovers { spec.leftovers(kept) }
}

extension ChildSpec {
    /// What the mailbox of an instance is to be spawned with.
    ///
    /// - Parameter kept: what its instances share, if mailboxes are kept.
    func leftovers(_ kept: KeptMailbox?) -> Leftovers {
        switch recovery.mailbox {
        case .drop: .drop
        case .keep: kept.map { .keep(in: $0) } ?? .drop
        case .handOver(let target, let tag): .handOver(to: target, tag: tag)
        }
    }
}
