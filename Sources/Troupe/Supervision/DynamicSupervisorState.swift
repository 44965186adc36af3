//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a dynamic supervisor knows of its children, and what it decides when one ends.
///
/// It starts and ends nothing itself; whoever drives it reports what has come of each step. A restart
/// costs the same however many children there are.
///
/// - Source: `simple_one_for_one` of OTP's `supervisor`, and Elixir's `DynamicSupervisor`.
struct DynamicSupervisorState {
    private let limit: Int?
    private var window: RestartWindow
    private var children: [UInt64: Child] = [:]
    private var numbers: [Pid: UInt64] = [:]
    /// Those that wait to be started again.
    private var waiting = RestartAgenda()
    private var nextNumber: UInt64 = 0

    /// A child; one that is never started again is remembered without what it was started with.
    struct Child {
        let restart: Restart
        let shutdown: Shutdown
        let type: ChildType
        let behaviour: String
        fileprivate(set) var pid: Pid
        fileprivate var again: Again?
    }

    /// What it takes to start a child again.
    struct Again {
        let spec: ChildSpec
        let kept: KeptMailbox?
        fileprivate var history: RestartHistory
        fileprivate var startedAt: NodeClock.Instant

        /// What the mailbox of the next instance is to be spawned with.
        var leftovers: Leftovers { spec.leftovers(kept) }
    }

    enum ExitAction: Equatable {
        /// It was no child, or none any more.
        case ignore
        /// The child is not started again, and forgotten.
        case forget
        /// The child is to be started again, now.
        case start(UInt64)
        /// The child is to be started again later; ``dueAttempt(at:)`` will return it.
        case wait
        /// The child has used up its budget, and is forgotten.
        case giveUpChild
        /// The supervisor ends with `.shutdown`: there were too many restarts.
        case giveUp
    }

    /// - Parameter childLimit: how many children there may be at once.
    init(_ limit: RestartLimit, childLimit: Int?) {
        window = RestartWindow(limit)
        self.limit = childLimit
    }

    // MARK: - Looking

    subscript(number: UInt64) -> Child? { children[number] }

    /// How many children there are, with those that wait to be started again.
    var count: Int { children.count }

    /// Whether there may be one more child.
    var hasRoom: Bool { limit.map { children.count < $0 } ?? true }

    /// When the next child has to be started again; nil when none waits.
    var nextDue: NodeClock.Instant? { waiting.next?.entry.due }

    /// All children with their numbers, the oldest first, and whether each runs.
    var all: [(number: UInt64, child: Child, isRunning: Bool)] {
        children.keys.sorted().compactMap { number in
            children[number].map { (number, $0, !waiting.contains(number)) }
        }
    }

    /// The child that has this pid, or had it when it failed.
    func number(of pid: Pid) -> UInt64? { numbers[pid] }

    func isRunning(_ number: UInt64) -> Bool {
        children[number] != nil && !waiting.contains(number)
    }

    // MARK: - What has happened

    /// A new child was started.
    mutating func added(
        _ spec: ChildSpec, _ kept: KeptMailbox?, _ pid: Pid, at now: NodeClock.Instant
    ) {
        var child = Child(
            restart: spec.restart, shutdown: spec.shutdown, type: spec.type,
            behaviour: spec.behaviour, pid: pid)
        if spec.restart != .temporary {
            child.again = Again(
                spec: spec, kept: kept, history: RestartHistory(spec.recovery), startedAt: now)
        }
        forget(otherThan: nextNumber, pid)
        children[nextNumber] = child
        numbers[pid] = nextNumber
        nextNumber += 1
    }

    /// A child was started again.
    mutating func restarted(_ number: UInt64, _ pid: Pid, at now: NodeClock.Instant) {
        guard let child = children[number] else { return }
        waiting.remove(number)
        forget(otherThan: number, pid)
        numbers[child.pid] = nil
        numbers[pid] = number
        children[number]?.pid = pid
        children[number]?.again?.startedAt = now
    }

    /// A child is gone for good: it was ended, or there is nothing to start any more.
    mutating func forget(_ number: UInt64) {
        guard let child = children.removeValue(forKey: number) else { return }
        numbers[child.pid] = nil
        waiting.remove(number)
    }

    /// A start function may return a process that is a child already; it is one child, not two.
    private mutating func forget(otherThan number: UInt64, _ pid: Pid) {
        if let other = numbers[pid], other != number { forget(other) }
    }

    /// An attempt to start a child again has failed.
    mutating func restartFailed(
        _ number: UInt64, at now: NodeClock.Instant, random: @autoclosure () -> Double
    ) {
        guard
            let delay = children[number]?.again?.history.delayAfterFailure(
                uptime: nil, random: random())
        else { return }
        waiting.insert(number, .init(due: now.advanced(by: delay), isCounted: false))
    }

    /// A process that is linked with the supervisor has ended.
    ///
    /// - Parameter random: 0 to 1, for the jitter of a back-off.
    mutating func exited(
        _ pid: Pid, _ reason: ExitReason, at now: NodeClock.Instant,
        random: @autoclosure () -> Double
    ) -> ExitAction {
        guard let number = numbers[pid], let child = children[number], isRunning(number) else {
            return .ignore
        }
        let isRepaired =
            switch child.restart {
            case .permanent: true
            case .transient: !reason.isClean
            case .temporary: false
            }
        guard isRepaired, let again = child.again else {
            forget(number)
            return .forget
        }
        let uptime = again.startedAt.duration(to: now)
        let delay =
            children[number]?.again?.history.delayAfterFailure(uptime: uptime, random: random())
            ?? .zero
        if let refusal = countRestart(of: number, at: now) { return refusal }
        waiting.insert(number, .init(due: now.advanced(by: delay), isCounted: true))
        return delay > .zero ? .wait : .start(number)
    }

    /// The next attempt to start a child again, if its time has come.
    mutating func dueAttempt(at now: NodeClock.Instant) -> ExitAction? {
        guard let (number, entry) = waiting.next, entry.due <= now else { return nil }
        if !entry.isCounted, let refusal = countRestart(of: number, at: now) { return refusal }
        return .start(number)
    }

    /// - Returns: what to do when there were too many; the child is forgotten then.
    private mutating func countRestart(
        of number: UInt64, at now: NodeClock.Instant
    ) -> ExitAction? {
        switch children[number]?.again?.history.recordInBudget(at: now) {
        case true?: return nil
        case false?:
            forget(number)
            return .giveUpChild
        case nil:
            if window.record(at: now) { return nil }
            forget(number)
            return .giveUp
        }
    }
}

extension DynamicSupervisorState.Child {
    /// What it takes to start it again; nil for a temporary child.
    var restarting: DynamicSupervisorState.Again? { again }
}
