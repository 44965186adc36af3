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
    /// The ids in the order in which the children are started.
    private(set) var order: [String] = []
    private var children: [String: Child] = [:]
    private var ids: [Pid: String] = [:]
    /// When the children that wait to be started again are due.
    private var waiting: [String: NodeClock.Instant] = [:]

    struct Child {
        private let specification: Specification
        fileprivate(set) var phase = Phase.stopped
        fileprivate var startedAt: NodeClock.Instant?
        fileprivate var history: RestartHistory
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
        /// Can transition to: `stopped`, `restarting`, `running` (again).
        case running(Pid)
        /// It has failed and is to be started again. Can transition to: `running`, `stopped`.
        case restarting(Restarting)
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
        /// The child that has failed.
        let failed: String
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
        /// The child has used up its budget and stays stopped.
        case giveUpChild(String)
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

    subscript(id: String) -> Child? { children[id] }

    /// The running children, the newest first: the order in which they are ended.
    var endOrder: [String] { order.reversed().filter { children[$0]?.pid != nil } }

    /// How many children wait to be started again.
    var restartingCount: Int { waiting.count }

    /// When the next child has to be started again; nil when none waits.
    var nextDue: NodeClock.Instant? {
        waiting.values.min()
    }

    // MARK: - Specifications

    /// Adds a child that is not running yet, after the others. Its id must be new.
    mutating func add(_ spec: ChildSpec) {
        assert(children[spec.id] == nil)
        children[spec.id] = Child(spec)
        order.append(spec.id)
    }

    mutating func remove(_ id: String) {
        setPhase(id, .stopped)
        children[id] = nil
        order.removeAll { $0 == id }
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
        let named = Set(spec.children.map(\.id))
        order = order.filter { !named.contains($0) } + spec.children.map(\.id)
        for child in spec.children {
            var changed = Child(child)
            if let old = children[child.id] {
                changed.takeOver(old)
            }
            children[child.id] = changed
        }
    }

    // MARK: - What has happened

    mutating func started(_ id: String, _ pid: Pid, at now: NodeClock.Instant) {
        setPhase(id, .running(pid))
        children[id]?.startedAt = now
    }

    /// There was nothing to start.
    mutating func startIgnored(_ id: String) {
        leave(id)
    }

    /// A child was ended by its supervisor, or what it had left behind was given up.
    mutating func ended(_ id: String) {
        leave(id)
    }

    /// An attempt to start a child again has failed: it stays `restarting`.
    mutating func restartFailed(
        _ id: String, of plan: RestartPlan, at now: NodeClock.Instant,
        random: @autoclosure () -> Double
    ) {
        var oldPid: Pid?
        if id == plan.failed, case .restarting(let restarting) = children[id]?.phase {
            oldPid = restarting.oldPid
        } else if case .restarting = children[plan.failed]?.phase {
            // The attempts go on with this one; that one is started with it.
            setPhase(plan.failed, .stopped)
        }
        let due = now.advanced(by: delay(of: id, at: now, random: random()))
        setPhase(id, .restarting(Restarting(oldPid: oldPid, due: due, isCounted: false)))
    }

    /// A process that is linked with the supervisor has ended.
    ///
    /// - Parameter random: 0 to 1, for the jitter of a back-off.
    mutating func exited(
        _ pid: Pid, _ reason: ExitReason, at now: NodeClock.Instant,
        random: @autoclosure () -> Double
    ) -> ExitAction {
        guard let id = ids[pid], let child = children[id] else { return .ignore }
        switch child.spec.restart {
        case .permanent: return restart(id, pid, at: now, random: random())
        case .transient where !reason.isClean: return restart(id, pid, at: now, random: random())
        case .transient, .temporary:
            leave(id)
            return isShutdownDue(after: child.spec) ? .shutDown(id) : .leave(id)
        }
    }

    /// The next attempt to start a child again, if its time has come.
    mutating func dueAttempt(at now: NodeClock.Instant) -> ExitAction? {
        guard let due = nextDue, due <= now else { return nil }
        // Of several in the order in which they are started.
        let next = waiting.count == 1 ? waiting.keys.first : order.first { waiting[$0] == due }
        guard let id = next, case .restarting(let restarting) = children[id]?.phase else {
            return nil
        }
        if !restarting.isCounted, let refusal = countRestart(of: id, at: now) { return refusal }
        return .restart(plan(for: id))
    }

    // MARK: - How it is decided

    private mutating func restart(
        _ id: String, _ pid: Pid, at now: NodeClock.Instant, random: @autoclosure () -> Double
    ) -> ExitAction {
        let delay = delay(of: id, at: now, random: random())
        let restarting = Restarting(
            oldPid: pid, due: now.advanced(by: delay), isCounted: true)
        setPhase(id, .restarting(restarting))
        if let refusal = countRestart(of: id, at: now) { return refusal }
        var plan = plan(for: id)
        if delay > .zero { plan.starting = [] }
        return .restart(plan)
    }

    /// - Returns: what to do when there were too many.
    private mutating func countRestart(
        of id: String, at now: NodeClock.Instant
    ) -> ExitAction? {
        switch children[id]?.history.recordInBudget(at: now) {
        case true?: return nil
        case false?:
            setPhase(id, .stopped)
            return .giveUpChild(id)
        case nil: break
        }
        if window.record(at: now) { return nil }
        setPhase(id, .stopped)
        return .giveUp(id)
    }

    /// How long to wait before the next attempt; counts the failure.
    private mutating func delay(
        of id: String, at now: NodeClock.Instant, random: @autoclosure () -> Double
    ) -> Duration {
        guard let child = children[id] else { return .zero }
        let uptime = child.pid == nil ? nil : child.startedAt?.duration(to: now)
        return children[id]?.history.delayAfterFailure(uptime: uptime, random: random()) ?? .zero
    }

    private func plan(for id: String) -> RestartPlan {
        var plan = RestartPlan(failed: id, starting: [id])
        if strategy == .oneForOne { return plan }
        let others: [String]
        switch strategy {
        case .oneForOne: others = []
        case .oneForAll: others = order.filter { $0 != id }
        case .restForOne:
            others = Array(order.drop { $0 != id }.dropFirst())
        }
        plan.ending = others.reversed().filter { children[$0]?.phase != .stopped }
        let group = strategy == .oneForAll ? order : [id] + others
        // What has failed is started even if it was made temporary since.
        plan.starting = group.filter { $0 == id || children[$0]?.spec.restart != .temporary }
        return plan
    }

    private func isShutdownDue(after spec: ChildSpec) -> Bool {
        guard spec.isSignificant else { return false }
        switch autoShutdown {
        case .never: return false
        case .anySignificant: return true
        case .allSignificant:
            return !children.values.contains { $0.spec.isSignificant && $0.phase != .stopped }
        }
    }

    /// There is no process any more; the specification of a temporary child goes with it.
    private mutating func leave(_ id: String) {
        if children[id]?.spec.restart == .temporary { remove(id) } else { setPhase(id, .stopped) }
    }

    /// Changes the phase of a child, and what depends on it.
    private mutating func setPhase(_ id: String, _ phase: Phase) {
        guard let old = children[id]?.phase else { return }
        switch old {
        case .running(let pid): ids[pid] = nil
        case .restarting: waiting[id] = nil
        case .stopped: break
        }
        children[id]?.phase = phase
        switch phase {
        case .running(let pid): ids[pid] = id
        case .restarting(let restarting): waiting[id] = restarting.due
        case .stopped: break
        }
    }
}

extension SupervisorState.Child {
    /// The process, if it runs.
    var pid: Pid? {
        if case .running(let pid) = phase { pid } else { nil }
    }

    /// Goes on where the child with the old specification was. What a running instance has been
    /// spawned with stays in use: its mailbox goes where the next instance looks for it.
    fileprivate mutating func takeOver(_ old: Self) {
        (phase, startedAt) = (old.phase, old.startedAt)
        if spec.recovery == old.spec.recovery { history = old.history }
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
