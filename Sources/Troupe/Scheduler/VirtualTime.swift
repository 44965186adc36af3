//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Time that stands still until somebody moves it, for nodes with real threads.
///
/// Its schedulers are worker pools whose clock and timers are this time's. What is sent and run is
/// run as on any other pool.
package final class VirtualTime: Sendable {
    fileprivate struct State: Sendable {
        /// Those that have not been shut down; also the own threads of processes.
        var pools: [VirtualPool] = []
        /// Those who wait until all threads sleep.
        var settlers: [ReplyCell] = []
    }

    fileprivate let timers = TimerService(movedFrom: VirtualTime.beginning)
    /// A leaf.
    fileprivate let state = Lock(State())

    /// Not at zero, so that one can look back.
    private static let beginning: UInt64 = 3_600_000_000_000

    /// Makes a time that stands still.
    package init() {}

    /// How much time has passed.
    package var now: Duration { Duration.inNanoseconds(timers.movedNow - Self.beginning) }

    /// When the next timer is due; nil when none is armed.
    package var nextDeadline: Duration? {
        timers.nextDeadline().map { deadline in
            Duration.inNanoseconds(max(deadline, Self.beginning) - Self.beginning)
        }
    }

    /// How many timers are armed.
    package var timerCount: Int { timers.count }

    /// Moves the time, and lets the timers fire that become due on the way.
    package func advance(by span: Duration) { timers.move(by: span.clampedNanoseconds) }

    /// Moves the time to an instant, if that is not past, and lets the timers fire until then.
    package func advance(to instant: Duration) {
        timers.move(to: Self.beginning.addingSaturated(instant.clampedNanoseconds))
    }

    /// Makes a scheduler whose clock this is.
    package func makeScheduler(threads: Int) -> Scheduler {
        VirtualPool(time: self, threadCount: min(max(threads, 1), 1024), use: .byNodes)
    }

    /// Ends the threads of all its schedulers.
    package func shutDown() {
        for pool in state.withLock({ $0.pools }) { pool.shutDown() }
    }

    /// Waits until the threads of all its schedulers have nothing to do.
    ///
    /// - Parameter limit: for how long at most, in real time.
    /// - Returns: false when they had something to do all the time, or the task is cancelled.
    package func settle(upTo limit: Duration) async -> Bool {
        let settled = ReplyCell(callee: Pid(node: "virtual", id: 0, creation: 1))
        state.withLock { $0.settlers.append(settled) }
        threadsSleep()
        let scheduler = Scheduler.default
        await settled.wait(
            deadline: scheduler.now.addingSaturated(limit.clampedNanoseconds), on: scheduler)
        state.withLock { state in state.settlers.removeAll { $0 === settled } }
        return settled.withState { $0.error } == nil
    }

    /// The threads of a pool may all sleep now.
    fileprivate func threadsSleep() {
        // Who begins to wait after the look at the pools may have given them something after it.
        let (pools, settlers) = state.withLock { ($0.pools, $0.settlers) }
        guard !settlers.isEmpty, Self.areQuiet(pools) else { return }
        for settler in settlers { settler.succeed() }
    }

    /// Whether there was a moment at which all pools were quiet.
    ///
    /// One that is found quiet may get something from one that is looked at later and is not quiet
    /// yet. So all are looked at twice: if nobody has begun anything between, what the second look
    /// finds was so at its beginning.
    private static func areQuiet(_ pools: [VirtualPool]) -> Bool {
        let begun = pools.map(\.begunCount)
        return pools.allSatisfy(\.isQuiet) && pools.allSatisfy(\.isQuiet)
            && pools.map(\.begunCount) == begun
    }
}

/// A worker pool with a ``VirtualTime``.
private final class VirtualPool: WorkerPool, @unchecked Sendable {
    // Unchecked: as the superclass; `time` is a constant.

    private let time: VirtualTime

    init(time: VirtualTime, threadCount: Int, use: Use) {
        self.time = time
        super.init(
            threadCount: threadCount, name: "troupe-virtual", use: use, timers: time.timers)
        time.state.withLock { $0.pools.append(self) }
    }

    override var now: UInt64 { timers.movedNow }

    override var coarseNow: UInt64 { now }

    package override var virtualTime: VirtualTime? { time }

    override func makeOwnThread() -> Scheduler {
        VirtualPool(time: time, threadCount: 1, use: .byOneProcess)
    }

    /// The timers stay: others may have the same time.
    override func shutDown() {
        endThreads()
        time.state.withLock { state in state.pools.removeAll { $0 === self } }
        time.threadsSleep()
    }

    override func threadsSleep() { time.threadsSleep() }
}
