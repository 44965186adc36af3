//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// The scheduler with real threads: some workers with a run queue each.
///
/// Waking and stealing decide what two threads are worth, and the rules are these:
/// - A worker that pushes onto its own queue wakes another only when two or more things wait there;
///   a single token is not fought over.
/// - While any worker runs, one idle worker is the *watcher*: it looks around every 50 µs, or less
///   often while all turns are short, and steals even a single thing from a worker that has not moved
///   since the last look, because that worker is stuck in a long handler.
/// - A push from outside wakes an idle worker if there is one; if there is none, every worker is
///   awake and looks at the injected queue before it sleeps.
/// - When all workers are idle, all sleep without a deadline: an idle node uses no processor time.
class WorkerPool: Scheduler, TimerHelpers, @unchecked Sendable {
    // Unchecked: as the superclass; `workers` is written once, before a thread is started.
    // Not final so that a pool can have another clock.

    private struct Shared: Sendable {
        var injected = RunQueue()
        /// Indices of the workers that sleep, the most recent last.
        var idle: [Int] = []
        var hasWatcher = false
        var isStarted = false
    }

    private let workers: [Worker]
    private let name: String
    private let use: Use
    private let isShutDown = Atomic(false)

    // Each of these is written at other times, and the second is read for each push.
    private let padding0 = CacheLinePadding()
    /// Protects what the workers share. A leaf, like the lock of each worker's queue.
    private let shared = Lock(apart: Shared())
    private let injectedCount = Atomic(0)
    /// When this thread, which is of no pool, was given up last: the coarse clock, and no pointer.
    private static let lastForeignTurn = ThreadLocalPointer()
    private let padding1 = CacheLinePadding()
    /// The number of sleeping workers, readable without the lock.
    private let idleCount = Atomic(0)
    /// Whether a watcher exists or is being woken, readable without the lock.
    private let isWatched = Atomic(false)
    private let padding2 = CacheLinePadding()
    /// How many workers look at the queues of others.
    private let lookerCount = Atomic(0)
    private let padding3 = CacheLinePadding()

    enum Use {
        /// The scheduler of all nodes that have no other; it cannot be shut down.
        case byDefault
        /// Of some nodes.
        case byNodes
        /// The own thread of one process.
        case byOneProcess
    }

    /// No more is stolen at a time: it is moved with the victim's lock held.
    private static let lootCountMax = 256
    /// As each look takes a line of cache from a worker that has something to do, only some look at a
    /// time. Who may not sleeps, or watches.
    private let lookerCountMax: Int

    init(
        threadCount: Int, name: String, use: Use = .byNodes, timers: TimerService? = nil
    ) {
        self.workers = (0..<threadCount).map { Worker(index: $0, count: threadCount) }
        self.lookerCountMax = max(2, threadCount / 4)
        self.name = name
        self.use = use
        super.init(timers: timers ?? TimerService(threadCount: threadCount))
        if timers == nil { self.timers.setHelpers(self) }
    }

    override var threadCount: Int { workers.count }

    override func shutDown() {
        if use == .byDefault { return }
        endThreads()
        timers.shutDown()
    }

    final func endThreads() {
        isShutDown.store(true, ordering: .sequentiallyConsistent)
        for worker in workers { worker.parker.unpark() }
    }

    /// Whether all threads sleep and nothing waits for them.
    final var isQuiet: Bool {
        shared.withLock { shared in
            guard shared.injected.count == 0 else { return false }
            // A watcher may have taken something and not be counted as awake yet.
            return !shared.isStarted || (shared.idle.count == workers.count && !shared.hasWatcher)
        }
    }

    /// How many things the threads have begun to run.
    final var begunCount: UInt64 {
        workers.reduce(0) { $0 &+ $1.epoch.load(ordering: .relaxed) }
    }

    /// The last thread is about to sleep. Called without a lock.
    func threadsSleep() {}

    override var isCurrent: Bool { local != nil }

    override var mayBlockHere: Bool { WorkerLocal.current?.pointee.mayBlock ?? true }

    /// What this thread keeps for itself, if it is one of this pool.
    private var local: UnsafeMutablePointer<WorkerLocal>? {
        guard let local = WorkerLocal.current,
            local.pointee.pool.toOpaque() == Unmanaged.passUnretained(self).toOpaque()
        else { return nil }
        return local
    }

    // MARK: - Pushing

    override func submit(_ cell: ProcessCell) {
        let local = local
        if let local, local.pointee.catchesTurn(of: cell) { return }
        push(Runnable(cell), from: local)
    }

    override func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let local = local
        if let local, local.pointee.catchesNextJob {
            local.pointee.catchesNextJob = false
            local.pointee.caughtJob = job
            return
        }
        push(Runnable(job), from: local)
    }

    private func push(_ runnable: Runnable, from local: UnsafeMutablePointer<WorkerLocal>?) {
        guard let local else { return inject(runnable) }
        // The pool keeps the worker.
        let count = local.pointee.worker._withUnsafeGuaranteedRef { $0.append(runnable) }
        guard idleCount.load(ordering: .relaxed) > 0 else { return }
        if count >= 2 || !isWatched.load(ordering: .relaxed) { wakeOne() }
    }

    private func inject(_ runnable: Runnable) {
        let startsNow = shared.withLock { shared in
            shared.injected.append(runnable)
            injectedCount.add(1, ordering: .sequentiallyConsistent)
            if shared.isStarted { return false }
            shared.isStarted = true
            return true
        }
        if startsNow {
            for worker in workers {
                Platform.startThread(name: "\(name)-\(worker.index)") { self.run(worker) }
            }
        } else if idleCount.load(ordering: .sequentiallyConsistent) > 0 {
            // Read after `injectedCount` was raised; `sleep` does it the other way round. One of
            // the two sees the other.
            wakeOne()
        }
    }

    // MARK: - Instead of pushing

    override func handOver(to process: ProcessCell, _ resume: () -> Void) {
        guard let local, local.pointee.caughtJob == nil else { return resume() }
        local.pointee.catchesNextJob = true
        resume()
        local.pointee.catchesNextJob = false
    }

    override func call(_ callee: ProcessCell, _ put: () -> Void) -> Bool {
        // What was caught is to run before anything else.
        guard callee.borrowsRunner, let local, local.pointee.nesting.isOpen,
            local.pointee.caughtJob == nil
        else {
            put()
            return false
        }
        local.pointee.callee = UnsafeRawPointer(Unmanaged.passUnretained(callee).toOpaque())
        put()
        let isDue = local.pointee.callee == nil
        local.pointee.callee = nil
        // Else the callee was not idle: its turn is yet to come.
        guard isDue else { return false }
        local.pointee.nesting.began()
        begin(callee, on: local)
        local.pointee.nesting.ended()
        return true
    }

    override func isTurnOver() -> Bool {
        // Not only of this pool: the caller may be of another node.
        if let local = WorkerLocal.current {
            let isOver = local.pointee.pool._withUnsafeGuaranteedRef { $0.hasOthersWaiting(local) }
            // As much as to give up the thread and to get it back; else the watcher would take this for
            // a long turn, and nap no longer.
            if !isOver { local.pointee.worker._withUnsafeGuaranteedRef { $0.noteBegin(2) } }
            return isOver
        }
        // Who waits for a thread that is not one of ours is not known. There a turn is what plain code
        // may take, a tick of the clock, and not some microseconds: to give up such a thread often means
        // to go on with another one, which has to wake up.
        let now = UnsafeMutableRawPointer(
            bitPattern: UInt(truncatingIfNeeded: Platform.coarseNanoseconds()))
        if now == Self.lastForeignTurn.value { return false }
        Self.lastForeignTurn.value = now
        return true
    }

    /// Whether something is to be done that this thread, which is one of this pool, could do.
    private func hasOthersWaiting(_ local: UnsafeMutablePointer<WorkerLocal>) -> Bool {
        let queueLength = local.pointee.worker._withUnsafeGuaranteedRef {
            $0.queueLength.load(ordering: .relaxed)
        }
        // Who has called the one that runs here waits for it to return, with all that waits for that.
        return queueLength > 0 || local.pointee.nesting.depth > 0
            || local.pointee.caughtJob != nil || timers.isOffered
            || injectedCount.load(ordering: .relaxed) > 0 || isShutDown.load(ordering: .relaxed)
    }

    override func nextAssignment() -> RunnerAssignment? {
        // Who waits for the turn that is nested shall not wait for those of others.
        guard let local, local.pointee.nesting.depth == 0, !isShutDown.load(ordering: .relaxed),
            injectedCount.load(ordering: .relaxed) == 0, !timers.isOffered
        else { return nil }
        let cell = local.pointee.worker._withUnsafeGuaranteedRef { worker in
            let cell = worker.popFirstProcess { $0.borrowsRunner }
            if cell != nil { worker.noteBegin() }
            return cell
        }
        guard let cell else { return nil }
        local.pointee.catchesAssignment = true
        _ = cell.behaviour(cell, .step)
        local.pointee.catchesAssignment = false
        return local.pointee.caughtAssignment.take()
    }

    override func offer(_ assignment: RunnerAssignment) -> Bool {
        guard let local, local.pointee.catchesAssignment else { return false }
        local.pointee.catchesAssignment = false
        local.pointee.caughtAssignment = assignment
        return true
    }

    override func takeIdleRunner() -> IdleRunner? { local?.pointee.takeIdleRunner() }

    override func keep(_ runner: IdleRunner) -> Bool { local?.pointee.keep(runner) ?? false }

    // MARK: - Waking

    final var areAsleep: Bool {
        shared.withLock { !$0.isStarted || $0.idle.count == workers.count }
    }

    final func wakeForTimers() { wakeOne() }

    private func wakeOne() {
        let index = shared.withLock { shared -> Int? in
            guard let index = shared.idle.popLast() else { return nil }
            workers[index].isAsleep.store(false, ordering: .relaxed)
            idleCount.store(shared.idle.count, ordering: .sequentiallyConsistent)
            // Until the woken worker has looked around, it counts as a watcher.
            isWatched.store(true, ordering: .relaxed)
            return index
        }
        if let index { workers[index].parker.unpark() }
    }

    // MARK: - The life of a worker

    private func run(_ worker: Worker) {
        WorkerLocal(
            pool: self, threadCount: workers.count, worker: worker, mayBlock: use == .byOneProcess
        )
        .withThread { run(worker, $0) }
    }

    private func run(_ worker: Worker, _ local: UnsafeMutablePointer<WorkerLocal>) {
        var tick: UInt32 = 0
        // Once more if what is destroyed spawns.
        defer { while letGoOfAll(local) {} }
        while !isShutDown.load(ordering: .relaxed) {
            tick &+= 1
            local.pointee.takeReturned()?.release()
            if timers.isOffered { timers.fireOffered() }
            // In turn with what came from outside, which a busy local queue would starve. What runs
            // here may take milliseconds.
            var next = tick & 1 == 0 ? worker.pop() ?? popInjected() : popInjected() ?? worker.pop()
            if next == nil {
                next = steal(for: worker, fromStuck: false)
                if next != nil {
                    passTheWatch()
                    worker.countsAsWatcher = false
                }
            }
            if let next {
                if worker.countsAsWatcher { stopCountingAsWatcher(worker) }
                execute(next, on: local)
            } else if letGoOfAll(local) {
                // Something may have been pushed by what was destroyed.
                continue
            } else if let loot = sleep(worker) {
                execute(loot, on: local)
            }
        }
    }

    private func execute(_ runnable: Runnable, on local: UnsafeMutablePointer<WorkerLocal>) {
        local.pointee.nesting.turnBegan()
        switch runnable.take() {
        case .process(let cell):
            begin(cell, on: local)
        case .job(let job):
            // It may take long.
            sendReturns(of: local)
            local.pointee.worker._withUnsafeGuaranteedRef { $0.noteBegin() }
            job.runSynchronously(on: asUnownedTaskExecutor())
            runCaught(by: local)
        }
    }

    /// The turn of a process has come.
    private func begin(
        _ cell: consuming ProcessCell, on local: UnsafeMutablePointer<WorkerLocal>
    ) {
        local.pointee.worker._withUnsafeGuaranteedRef { $0.noteBegin() }
        var isCollected = false
        if cell.behaviour(cell, .step) == .gone { isCollected = collect(cell, on: local) }
        if !isCollected || local.pointee.returns.isFull { sendReturns(of: local) }
        runCaught(by: local)
    }

    /// A process has ended here: it is to be destroyed by the thread that has made it, if that makes
    /// others and nobody else needs it.
    ///
    /// - Returns: whether it is.
    private func collect(
        _ cell: consuming ProcessCell, on local: UnsafeMutablePointer<WorkerLocal>
    ) -> Bool {
        // Now and then it is another thread, as of one that was spawned from outside: that does no harm.
        let maker = cell.traits.key.thread
        guard maker != local.pointee.index, maker < workers.count, isKnownUniquelyReferenced(&cell)
        else { return false }
        if maker != local.pointee.returns.owner { sendReturns(of: local) }
        // Asked for the first one only: not to look at what is another thread's.
        if local.pointee.returns.isEmpty, !workers[maker].returned.isOpen { return false }
        cell.forgetReason()
        local.pointee.returns.add(cell, of: maker)
        return true
    }

    /// Gives back what was made by another thread.
    private func sendReturns(of local: UnsafeMutablePointer<WorkerLocal>) {
        guard !local.pointee.returns.isEmpty else { return }
        // Taken out, as what is destroyed may run anything.
        var returns = local.pointee.returns.takeAll()
        workers[local.pointee.returns.owner].returned.put(&returns)
        local.pointee.returns.reuse(returns)
    }

    /// The thread has nothing to do: it keeps no process that has ended.
    ///
    /// - Returns: whether there may have been one.
    private func letGoOfAll(_ local: UnsafeMutablePointer<WorkerLocal>) -> Bool {
        let isOpen = local.pointee.worker._withUnsafeGuaranteedRef { $0.returned.isOpen }
        guard isOpen || !local.pointee.returns.isEmpty else { return false }
        sendReturns(of: local)
        for process in local.pointee.takeLastReturned() { process.release() }
        return true
    }

    private func runCaught(by local: UnsafeMutablePointer<WorkerLocal>) {
        while let job = local.pointee.caughtJob {
            local.pointee.caughtJob = nil
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    private func popInjected() -> Runnable? {
        guard injectedCount.load(ordering: .sequentiallyConsistent) > 0 else { return nil }
        return shared.withLock { shared in
            let runnable = shared.injected.popFirst()
            if runnable != nil { injectedCount.subtract(1, ordering: .sequentiallyConsistent) }
            return runnable
        }
    }

    /// Takes half of what waits at another worker.
    ///
    /// - Parameters:
    ///   - fromStuck: also take a single thing, from a worker that has not begun anything new since
    ///     ``Worker/seenEpochs`` were noted.
    ///   - noteTurns: is called for each of the others that is awake, with how many turns it has
    ///     begun since then.
    private func steal(
        for thief: Worker, fromStuck: Bool, noteTurns: (UInt64) -> Void = { _ in }
    ) -> Runnable? {
        guard workers.count > 1 else { return nil }
        defer { lookerCount.subtract(1, ordering: .relaxed) }
        let lookers = lookerCount.add(1, ordering: .relaxed).newValue
        guard lookers <= lookerCountMax || fromStuck else { return nil }
        for offset in 1..<workers.count {
            let victim = workers[(thief.index + offset) % workers.count]
            var least = 2
            if fromStuck {
                let epoch = victim.epoch.load(ordering: .relaxed)
                let turns = epoch &- thief.seenEpochs[victim.index]
                thief.seenEpochs[victim.index] = epoch
                if turns == 0 { least = 1 }
                if !victim.isAsleep.load(ordering: .relaxed) { noteTurns(turns) }
            }
            guard victim.queueLength.load(ordering: .relaxed) >= least else { continue }
            // Before the lock is taken.
            thief.loot.reserveCapacity(Self.lootCountMax)
            victim.withQueue { queue in
                if queue.count >= least {
                    queue.popHalf(into: &thief.loot, atMost: Self.lootCountMax)
                }
            }
            guard let first = thief.loot.first else { continue }
            if thief.loot.count > 1 { thief.append(thief.loot.dropFirst()) }
            thief.loot.removeAll(keepingCapacity: true)
            return first
        }
        return nil
    }

    // MARK: - Sleeping and watching

    /// Waits until there may be something to do: as the watcher with short naps, else for good.
    ///
    /// - Returns: what a watcher took from a stuck worker.
    private func sleep(_ worker: Worker) -> Runnable? {
        let (watches, isLast) = shared.withLock { shared in
            shared.idle.append(worker.index)
            worker.isAsleep.store(true, ordering: .relaxed)
            idleCount.store(shared.idle.count, ordering: .sequentiallyConsistent)
            let watches = !shared.hasWatcher && shared.idle.count < workers.count
            if watches { shared.hasWatcher = true }
            isWatched.store(shared.hasWatcher, ordering: .relaxed)
            return (watches, shared.idle.count == workers.count && !shared.hasWatcher)
        }
        // What was injected, and the timers that were offered, before `idleCount` was raised have
        // woken nobody.
        if injectedCount.load(ordering: .sequentiallyConsistent) > 0 || timers.isOffered {
            wakeOne()
        }
        // Who is woken counts as a watcher, except for one that has passed the watch on.
        worker.countsAsWatcher = true
        if watches { return watch(worker) }
        if isLast { threadsSleep() }
        worker.parker.park()
        return nil
    }

    private func watch(_ worker: Worker) -> Runnable? {
        var interval = WatchInterval()
        for other in workers {
            worker.seenEpochs[other.index] = other.epoch.load(ordering: .relaxed)
        }
        var lastLook = Platform.monotonicNanoseconds()
        while true {
            if worker.parker.park(until: Platform.monotonicNanoseconds() + interval.length) {
                passTheWatch(from: worker)
                worker.countsAsWatcher = false
                return nil
            }
            if idleCount.load(ordering: .sequentiallyConsistent) == workers.count {
                let everyoneSleeps = shared.withLock { shared in
                    guard shared.idle.count == workers.count else { return false }
                    shared.hasWatcher = false
                    isWatched.store(false, ordering: .relaxed)
                    return true
                }
                guard everyoneSleeps else { continue }
                threadsSleep()
                worker.parker.park()
                return nil
            }
            let now = Platform.monotonicNanoseconds()
            var allAreQuick = true
            let loot = steal(for: worker, fromStuck: true) { turns in
                if !WatchInterval.areShort(turns: turns, in: now - lastLook) {
                    allAreQuick = false
                }
            }
            lastLook = now
            guard let loot else {
                interval.adapt(allAreQuick: allAreQuick)
                continue
            }
            let isWoken = shared.withLock { shared in
                guard let position = shared.idle.firstIndex(of: worker.index) else { return true }
                shared.idle.remove(at: position)
                worker.isAsleep.store(false, ordering: .relaxed)
                idleCount.store(shared.idle.count, ordering: .sequentiallyConsistent)
                return false
            }
            // Somebody chose this worker to wake just now: the permit must not outlive that.
            if isWoken { worker.parker.park() }
            passTheWatch(from: worker)
            worker.countsAsWatcher = false
            return loot
        }
    }

    /// The watcher, if `worker` is given, has something to run; if others sleep, one of them looks
    /// around and becomes the watcher when it finds nothing.
    private func passTheWatch(from worker: Worker? = nil) {
        let isUnwatched = shared.withLock { shared in
            if worker != nil { shared.hasWatcher = false }
            isWatched.store(shared.hasWatcher, ordering: .relaxed)
            return !shared.hasWatcher && !shared.idle.isEmpty
        }
        if isUnwatched { wakeOne() }
    }

    /// A woken worker has found something to run, so it does not watch. Whether somebody should, the
    /// next push decides; for what was pushed while this one counted as a watcher, it does.
    private func stopCountingAsWatcher(_ worker: Worker) {
        worker.countsAsWatcher = false
        let isUnwatched = shared.withLock { shared in
            isWatched.store(shared.hasWatcher, ordering: .relaxed)
            return !shared.hasWatcher && !shared.idle.isEmpty
        }
        guard isUnwatched else { return }
        // With the lock of the queue, as who pushes there later sees then what was stored above. This one's
        // own queue has nothing that nobody was woken for: what fills it here wakes others itself.
        let isPassedOver = workers.contains { other in
            other !== worker && !other.isAsleep.load(ordering: .relaxed) && other.hasWork
        }
        if isPassedOver { wakeOne() }
    }
}
