//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A timer that belongs to processes, or else to the node: it is disarmed when one of them ends.
class OwnedTimer: TimerTarget, @unchecked Sendable {
    // Unchecked: `token`, `isCancelled` and `isFiring` are only touched with the lock of the wheel
    // held, the links with that of the holder whose list they belong to; what subclasses add belongs
    // to whoever lets the timer fire.

    let id: UInt64
    /// Where it is. Its processes keep the node; a count of references would be one that all threads
    /// write which set timers or let them fire.
    private let unretainedNode: Unmanaged<Node>
    /// The node, if there is no process to keep it.
    private let nodeOfNobody: Node?
    /// The processes that the timer dies with; if there is none it belongs to the node.
    private let owner: ProcessCell?
    let receiver: ProcessCell?
    private let repeats: Bool
    /// That of the node, which keeps it.
    private let service: Unmanaged<TimerService>
    /// The number of the wheel that it is armed in, each time.
    private let wheel: Int
    private var token: TimerWheelToken?
    private var isCancelled = false
    /// A timer that repeats does what it is for, and will then be armed again.
    private var isFiring = false
    // For nothing comes back to a link while it is being touched.
    @exclusivity(unchecked) private var ownerLink = TimerLink()
    @exclusivity(unchecked) private var receiverLink = TimerLink()

    /// - Parameters:
    ///   - owner: a process that the timer dies with.
    ///   - receiver: another one, or the same.
    init(
        id: UInt64, node: Node, owner: ProcessCell?, receiver: ProcessCell? = nil,
        repeats: Bool = false
    ) {
        self.repeats = repeats
        self.id = id
        self.unretainedNode = .passUnretained(node)
        self.nodeOfNobody = owner == nil && receiver == nil ? node : nil
        self.owner = owner
        self.receiver = receiver
        let service = node.timers
        self.service = .passUnretained(service)
        self.wheel = service.ownWheel
        WorkerLocal.current?.pointee.heapRoom.willAllocate()
    }

    final var node: Node { unretainedNode._withUnsafeGuaranteedRef { $0 } }

    private func withService<Result>(_ body: (TimerService) -> Result) -> Result {
        service._withUnsafeGuaranteedRef(body)
    }

    private func withWheel<Result>(
        _ body: (inout TimerWheel<any TimerTarget>) -> Result
    ) -> Result {
        withService { $0.withWheel(wheel, body) }
    }

    /// Its place in the list of a holder: the owner, the receiver, or the node, which is nil.
    final func withLink<Result>(
        of holder: ProcessCell?, _ body: (inout TimerLink) -> Result
    ) -> Result {
        holder === owner ? body(&ownerLink) : body(&receiverLink)
    }

    private var secondHolder: ProcessCell? { receiver === owner ? nil : receiver }

    /// Arms the timer for the first time.
    final func start(at deadline: UInt64) {
        // It is listed first: so a holder that ends finds it, and it finds a holder that has ended.
        let isOpen =
            owner == nil && receiver == nil
            ? node.own(self)
            : (owner?.list(self) ?? true) && (secondHolder?.list(self) ?? true)
        if !isOpen { _ = cancel() }
        if !arm(at: deadline) { leaveHolders() }
    }

    /// - Returns: false when the timer has been cancelled meanwhile.
    private func arm(at deadline: UInt64) -> Bool {
        withService { service in
            service.arm(at: deadline, self, inWheel: wheel) { token in
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
                token = nil
                isCancelled = true
            }
            if isFiring, !isCancelled { return 0 }
            // One that the service has taken out to fire will find that it is cancelled.
            return token.map { wheel.cancel($0)?.deadline ?? 0 }
        }
        guard let deadline else { return nil }
        leaveHolders()
        return Self.remaining(until: deadline, now: node.scheduler.now)
    }

    /// How long the timer still has to run; nil when it has fired or was cancelled.
    final var remaining: Duration? {
        let deadline = withWheel { wheel in
            token.flatMap { wheel.deadline(of: $0) }
        }
        return deadline.map { Self.remaining(until: $0, now: node.scheduler.now) }
    }

    private static func remaining(until deadline: UInt64, now: UInt64) -> Duration {
        Duration.inNanoseconds(deadline > now ? deadline - now : 0)
    }

    final func timerFired() {
        let wasCancelled = withWheel { _ in
            token = nil
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
        if owner == nil, receiver == nil { node.disown(self) }
        owner?.unlist(self)
        secondHolder?.unlist(self)
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
