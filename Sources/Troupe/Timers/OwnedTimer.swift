//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A timer that belongs to processes, or else to the node: it is disarmed when one of them ends.
///
/// Small, as there may be very many: what costs most when one is set is new memory.
class OwnedTimer: TimerTarget, @unchecked Sendable {
    // Unchecked: `token`, `isCancelled` and `isFiring` are only touched with the lock of the wheel
    // held, the links with that of the holder whose list they belong to; what subclasses add belongs
    // to whoever lets the timer fire.

    /// The process that the timer belongs to and dies with; none when it belongs to the node.
    private let owner: Held<ProcessCell>
    /// Another process that it dies with.
    private let second: Held<ProcessCell>
    /// That of the node. A count of references would be one that all threads write which set timers
    /// or let them fire.
    private let service: Unmanaged<TimerService>
    /// Where it is armed; the token of nothing when it is not.
    private var token = TimerWheelToken.none
    /// The number of the wheel that it is armed in, each time.
    private let wheel: UInt8
    private var isCancelled = false
    /// A timer that repeats does what it is for, and will then be armed again.
    private var isFiring = false
    // For nothing comes back to a link while it is being touched.
    @exclusivity(unchecked) private var ownerLink = TimerLink()
    @exclusivity(unchecked) private var secondLink = TimerLink()

    /// - Parameters:
    ///   - owner: a process that the timer dies with.
    ///   - second: another one. If there is neither, the timer belongs to the node.
    ///   - service: that of the node.
    init(
        owner: consuming ProcessCell?, second: consuming ProcessCell?,
        service: borrowing TimerService
    ) {
        if owner == nil {
            self.owner = Held(second)
            self.second = Held(nil)
        } else {
            self.owner = Held(owner)
            self.second = Held(second)
        }
        self.service = .passUnretained(copy service)
        self.wheel = UInt8(service.ownWheel)
        WorkerLocal.current?.pointee.heapRoom.willAllocate()
    }

    /// The node, which the owner keeps. To be overridden where there need not be one.
    var node: Node? { owner.withObject { $0.node } }

    private var now: UInt64 {
        owner.withObject { $0.withScheduler { $0.now } } ?? node?.scheduler.now ?? 0
    }

    /// Runs `body` with the last of the processes that the timer dies with.
    final func withLastHolder<Result>(_ body: (ProcessCell) -> Result) -> Result? {
        second.withObject(body) ?? owner.withObject(body)
    }

    private func withService<Result>(_ body: (TimerService) -> Result) -> Result {
        service._withUnsafeGuaranteedRef(body)
    }

    private func withWheel<Result>(
        _ body: (inout TimerWheel<any TimerTarget>) -> Result
    ) -> Result {
        withService { $0.withWheel(Int(wheel), body) }
    }

    /// Its place in the list of a holder: the owner, the second, or the node, which is nil.
    final func withLink<Result>(
        of holder: ProcessCell?, _ body: (inout TimerLink) -> Result
    ) -> Result {
        owner.isIdentical(to: holder) ? body(&ownerLink) : body(&secondLink)
    }

    /// Whether it does what it is for again and again.
    var repeats: Bool { false }

    /// Arms the timer for the first time.
    final func start(at deadline: UInt64) {
        // It is listed first: so a holder that ends finds it, and it finds a holder that has ended.
        let isOpen =
            (owner.withObject { $0.list(self) } ?? node?.own(self) ?? false)
            && (second.withObject { $0.list(self) } ?? true)
        if !isOpen { _ = cancel() }
        if !arm(at: deadline) { leaveHolders() }
    }

    /// - Returns: false when the timer has been cancelled meanwhile.
    private func arm(at deadline: UInt64) -> Bool {
        withService { service in
            service.arm(at: deadline, self, inWheel: Int(wheel)) { token in
                isFiring = false
                if isCancelled { return false }
                self.token = token()
                return true
            }
        }
    }

    /// Disarms the timer for good.
    ///
    /// - Returns: how long it still had to run; nil when it has fired or was cancelled before.
    final func cancel() -> Duration? {
        let deadline = withWheel { wheel -> UInt64? in
            defer {
                token = .none
                isCancelled = true
            }
            if isFiring, !isCancelled { return 0 }
            if token == .none { return nil }
            // One that the service has taken out to fire will find that it is cancelled.
            return wheel.cancel(token)?.deadline ?? 0
        }
        guard let deadline else { return nil }
        leaveHolders()
        return remaining(until: deadline)
    }

    /// How long the timer still has to run; nil when it has fired or was cancelled.
    final var remaining: Duration? {
        let deadline = withWheel { wheel in wheel.deadline(of: token) }
        return deadline.map { remaining(until: $0) }
    }

    private func remaining(until deadline: UInt64) -> Duration {
        let now = now
        return Duration.inNanoseconds(deadline > now ? deadline - now : 0)
    }

    final func timerFired() {
        let repeats = repeats
        let wasCancelled = withWheel { _ in
            token = .none
            isFiring = repeats
            return isCancelled
        }
        if wasCancelled { return }
        if let next = fire() { _ = arm(at: next) } else { leaveHolders() }
    }

    /// Does what the timer is for.
    ///
    /// - Returns: when to fire again.
    func fire() -> UInt64? { nil }

    private func leaveHolders() {
        if owner.withObject({ $0.unlist(self) }) == nil { node?.disown(self) }
        second.withObject { $0.unlist(self) }
    }
}

extension ProcessCell {
    /// Notes a timer that is to be cancelled when this process ends.
    ///
    /// - Returns: false when it has begun to.
    fileprivate final func list(_ timer: OwnedTimer) -> Bool {
        withCore { core in
            guard core.lifecycle.phase != .ended, !core.isClosing else { return false }
            core.makeRelations().timers.insert(timer, of: self)
            return true
        }
    }

    fileprivate final func unlist(_ timer: OwnedTimer) {
        withCore { core in core.relations?.timers.remove(timer, of: self) }
    }
}
