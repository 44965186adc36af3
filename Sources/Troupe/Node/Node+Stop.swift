//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// Where a node is in its life, and who waits for what.
struct NodeState: Sendable {
    enum Phase: Sendable {
        /// Can transition to: `closing`.
        case running
        /// Applications are stopped; their processes may still spawn others. Can transition to:
        /// `stopping`.
        case closing
        /// Processes are told to end, new ones are refused. Can transition to: `stopped`.
        case stopping
        /// Final.
        case stopped
    }

    var phase = Phase.running
    /// Open when the last process has ended; there is one while the node stops.
    var isEmpty: ReplyCell?
    /// Open when the applications have stopped; there is one while they are being stopped.
    var applicationsHaveStopped: ReplyCell?
    /// Nobody wants to wait for the grace periods any more.
    var isHurried = false
    /// Those who wait until the node has stopped.
    var waiters: [ReplyCell] = []
    /// Timers that belong to no process.
    var timers = TimerList()
}

extension Node {
    /// Stops the node: first its applications, in the reverse order in which they were started. Then
    /// every process is told to end with `.shutdown`, which cannot be trapped, and its `terminate`
    /// runs.
    ///
    /// An application that has not stopped within the grace period is not waited for any longer: its
    /// processes, and those of the applications that were to be stopped after it, are ended with all
    /// others.
    ///
    /// What has not ended within the grace period is killed and reported as an event. A process
    /// whose callback does not return even then cannot be stopped by anybody; it is reported and
    /// left behind. Afterwards no process, name, alias or timer of the node remains, and spawning
    /// throws.
    ///
    /// If the node is stopping already, waits until it has stopped. Goes on when the calling task is
    /// cancelled. Do not wait for it within a process of the node, which would be waiting for
    /// itself.
    ///
    /// - Parameter grace: how long the applications may take together, then how long `terminate` may
    ///   take, and once more how long a killed process may take to return from its callback.
    /// - Source: OTP's `init:stop/0`, bounded.
    public func stop(grace: Duration = .seconds(5)) async {
        guard beginClosing() else {
            await waitUntilStopped(isCancellable: false)
            return
        }
        await stopApplications()?.wait(
            deadline: deadline(after: grace), on: scheduler, isCancellable: false)
        let isEmpty = beginStop()
        await isEmpty.wait(deadline: deadline(after: grace), on: scheduler, isCancellable: false)
        if let isEmpty = killRemaining() {
            await isEmpty.wait(
                deadline: deadline(after: grace), on: scheduler, isCancellable: false)
        }
        endStop()
    }

    /// As ``stop(grace:)``, blocking the thread; for programs without `async`.
    @available(*, noasync, message: "use 'await stop()'")
    public func stopBlocking(grace: Duration = .seconds(5)) {
        guard beginClosing() else {
            let waiter = ReplyCell(callee: pid(id: 0))
            if addStopWaiter(waiter) { waiter.waitBlocking(deadline: .max, on: scheduler) }
            return
        }
        stopApplications()?.waitBlocking(deadline: deadline(after: grace), on: scheduler)
        beginStop().waitBlocking(deadline: deadline(after: grace), on: scheduler)
        killRemaining()?.waitBlocking(deadline: deadline(after: grace), on: scheduler)
        endStop()
    }

    /// Waits until the node has stopped; when the calling task is cancelled, stops it.
    ///
    /// With swift-service-lifecycle, this is all that its `Service` protocol asks for:
    /// `extension Node: Service {}`.
    public func run() async throws {
        await waitUntilStopped(isCancellable: true)
        await stop()
    }

    /// Whether the node has begun to stop.
    public var isStopping: Bool { state.withLock { $0.phase != .running } }

    package var hasStopped: Bool { state.withLock { $0.phase == .stopped } }

    private func deadline(after grace: Duration) -> UInt64 {
        let isHurried = state.withLock { $0.isHurried }
        let grace = isHurried ? min(grace, Self.hurriedGrace) : grace
        return scheduler.now.addingSaturated(grace.clampedNanoseconds)
    }

    /// Enough for whatever can end at all.
    private static var hurriedGrace: Duration { .milliseconds(500) }

    private func addStopWaiter(_ waiter: ReplyCell) -> Bool {
        state.withLock { state in
            guard state.phase != .stopped else { return false }
            state.waiters.append(waiter)
            return true
        }
    }

    private func waitUntilStopped(isCancellable: Bool) async {
        let waiter = ReplyCell(callee: pid(id: 0))
        guard addStopWaiter(waiter) else { return }
        await waiter.wait(deadline: .max, on: scheduler, isCancellable: isCancellable)
    }

    /// - Returns: false when the node stops already.
    private func beginClosing() -> Bool {
        state.withLock { state in
            guard state.phase == .running else { return false }
            state.phase = .closing
            return true
        }
    }

    /// - Returns: what opens when the applications have stopped; nil when none was started.
    private func stopApplications() -> ReplyCell? {
        guard let haveStopped = beginApplicationShutdown() else { return nil }
        state.withLock { $0.applicationsHaveStopped = haveStopped }
        return haveStopped
    }

    /// - Returns: what opens when the last process has ended.
    private func beginStop() -> ReplyCell {
        let isEmpty = ReplyCell(callee: pid(id: 0))
        state.withLock { state in
            state.phase = .stopping
            state.applicationsHaveStopped = nil
            state.isEmpty = isEmpty
        }
        refusal.store(true, ordering: .sequentiallyConsistent)
        // A process that is being spawned right now sees the refusal and tells itself.
        for cell in table.all() { cell.orderShutdown() }
        if table.countsNone { isEmpty.succeed() }
        return isEmpty
    }

    /// - Returns: what opens when the last process has ended; nil when there is none.
    private func killRemaining() -> ReplyCell? {
        let isEmpty = ReplyCell(callee: pid(id: 0))
        state.withLock { $0.isEmpty = isEmpty }
        let remaining = table.all()
        for cell in remaining {
            emit(.killedAtStop) { .killedAtStop(cell.pid, behaviour: cell.traits.typeName) }
            cell.receive(ExitSignal(kind: .explicit, reason: .kill), from: pid(id: 0))
        }
        return count == 0 ? nil : isEmpty
    }

    private func endStop() {
        for cell in table.all() {
            emit(.abandonedAtStop) { .abandonedAtStop(cell.pid, behaviour: cell.traits.typeName) }
            cell.abandon()
        }
        let (waiters, timers) = state.withLock { state -> ([ReplyCell], [OwnedTimer]) in
            state.phase = .stopped
            defer {
                state.waiters = []
                state.isEmpty = nil
            }
            return (state.waiters, state.timers.removeAll(of: nil))
        }
        for timer in timers { _ = timer.cancel() }
        for event in eventTable.all { _ = event.unregister() }
        applicationStore.clear()
        for waiter in waiters { waiter.succeed() }
    }

    func lastProcessEnded() {
        let isEmpty = state.withLock { $0.isEmpty }
        isEmpty?.succeed()
    }

    // MARK: - Timers without a process

    /// - Returns: false when the node has stopped.
    func own(_ timer: OwnedTimer) -> Bool {
        state.withLock { state in
            guard state.phase != .stopped else { return false }
            state.timers.insert(timer, of: nil)
            return true
        }
    }

    func disown(_ timer: OwnedTimer) {
        state.withLock { $0.timers.remove(timer, of: nil) }
    }
}

extension ProcessCell {
    /// The node stops.
    final func orderShutdown() {
        receive(ExitSignal(kind: .order, reason: .shutdown), from: nil)
    }

    /// Takes everything from a process whose callback does not return, and the process out of the
    /// tables. When it does return, the process ends as usual.
    final func abandon() {
        let (_, farewells) = releaseResources()
        for farewell in farewells { farewell(.killed) }
        node.table.remove(id)
    }
}
