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
/// - While any worker runs, one idle worker is the *watcher*: it looks around every 50 µs and
///   steals even a single thing from a worker that has not moved since the last look, because that
///   worker is stuck in a long handler.
/// - A push from outside wakes an idle worker if there is one; if there is none, every worker is
///   awake and looks at the injected queue before it sleeps.
/// - When all workers are idle, all sleep without a deadline: an idle node uses no processor time.
class WorkerPool: Scheduler, @unchecked Sendable {
    // Unchecked: as the superclass; `workers` is written once, before a thread is started.
    // Not final so that a pool can have another clock.

    private struct Shared: Sendable {
        var injected = RunQueue()
        /// Indices of the workers that sleep, the most recent last.
        var idle: [Int] = []
        var hasWatcher = false
        var isStarted = false
    }

    /// Protects what the workers share. A leaf, like the lock of each worker's queue.
    private let shared = Lock(Shared())
    /// The number of sleeping workers, readable without the lock.
    private let idleCount = Atomic(0)
    /// Whether a watcher exists or is being woken, readable without the lock.
    private let isWatched = Atomic(false)
    private let injectedCount = Atomic(0)
    private let isShutDown = Atomic(false)
    private let workers: [Worker]
    private let name: String
    private let use: Use

    enum Use {
        /// The scheduler of all nodes that have no other; it cannot be shut down.
        case byDefault
        /// Of some nodes.
        case byNodes
        /// The own thread of one process.
        case byOneProcess
    }

    static let watchInterval: UInt64 = 50_000

    init(
        threadCount: Int, name: String, use: Use = .byNodes, timers: TimerService? = nil
    ) {
        self.workers = (0..<threadCount).map { Worker(index: $0, count: threadCount) }
        self.name = name
        self.use = use
        super.init(timers: timers ?? TimerService(threadCount: threadCount))
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

    override var isCurrent: Bool { currentWorker != nil }

    override var mayBlockHere: Bool { Worker.current?.pool.map { $0.use == .byOneProcess } ?? true }

    // MARK: - Pushing

    override func submit(_ cell: ProcessCell) {
        push(Runnable(cell))
    }

    override func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if let worker = currentWorker, worker.catchesNextJob {
            worker.catchesNextJob = false
            worker.caughtJob = job
            return
        }
        push(Runnable(job))
    }

    override func handOver(to process: ProcessCell, _ resume: () -> Void) {
        guard let worker = currentWorker, worker.caughtJob == nil else { return resume() }
        worker.catchesNextJob = true
        resume()
        worker.catchesNextJob = false
    }

    override func nextAssignment() -> RunnerAssignment? {
        guard let worker = currentWorker, !isShutDown.load(ordering: .relaxed),
            injectedCount.load(ordering: .relaxed) == 0,
            let cell = worker.queue.withLock({ $0.popFirstProcess { $0.borrowsRunner } })
        else { return nil }
        worker.noteBegin()
        worker.catchesAssignment = true
        _ = cell.behaviour(cell, .step)
        worker.catchesAssignment = false
        return worker.caughtAssignment.take()
    }

    override func offer(_ assignment: RunnerAssignment) -> Bool {
        guard let worker = currentWorker, worker.catchesAssignment else { return false }
        worker.catchesAssignment = false
        worker.caughtAssignment = assignment
        return true
    }

    private var currentWorker: Worker? {
        guard let worker = Worker.current, worker.pool === self else { return nil }
        return worker
    }

    private func push(_ runnable: Runnable) {
        guard let worker = currentWorker else { return inject(runnable) }
        let count = worker.queue.withLock { queue in
            queue.append(runnable)
            return queue.count
        }
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

    private func wakeOne() {
        let index = shared.withLock { shared -> Int? in
            guard let index = shared.idle.popLast() else { return nil }
            idleCount.store(shared.idle.count, ordering: .sequentiallyConsistent)
            // Until the woken worker has looked around, it counts as a watcher.
            isWatched.store(true, ordering: .relaxed)
            return index
        }
        if let index { workers[index].parker.unpark() }
    }

    // MARK: - The life of a worker

    private func run(_ worker: Worker) {
        worker.pool = self
        Worker.current = worker
        var tick: UInt32 = 0
        var hasJustWoken = false
        while !isShutDown.load(ordering: .relaxed) {
            tick &+= 1
            // In turn with what came from outside, which a busy local queue would starve. What runs
            // here may take milliseconds.
            var next = tick & 1 == 0 ? worker.pop() ?? popInjected() : popInjected() ?? worker.pop()
            if next == nil {
                next = steal(for: worker, fromStuck: false)
                if next != nil { passTheWatch() }
            }
            if let next {
                if hasJustWoken { stopCountingAsWatcher() }
                hasJustWoken = false
                execute(next, on: worker)
            } else if let loot = sleep(worker) {
                execute(loot, on: worker)
            } else {
                hasJustWoken = true
            }
        }
        Worker.current = nil
    }

    private func execute(_ runnable: Runnable, on worker: Worker) {
        worker.noteBegin()
        switch runnable.take() {
        case .process(let cell):
            _ = cell.behaviour(cell, .step)
        case .job(let job):
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
        while let job = worker.caughtJob {
            worker.caughtJob = nil
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
    /// - Parameter fromStuck: also take a single thing, from a worker that has not begun anything
    ///   new since the last call with this argument.
    private func steal(for thief: Worker, fromStuck: Bool) -> Runnable? {
        for offset in 1..<max(workers.count, 2) where workers.count > 1 {
            let victim = workers[(thief.index + offset) % workers.count]
            var least = 2
            if fromStuck {
                let epoch = victim.epoch.load(ordering: .relaxed)
                if thief.seenEpochs[victim.index] == epoch { least = 1 }
                thief.seenEpochs[victim.index] = epoch
            }
            let needed = least
            let stolen = victim.queue.withLock { queue in
                queue.count >= needed ? queue.popHalf() : []
            }
            guard let first = stolen.first else { continue }
            if stolen.count > 1 {
                thief.queue.withLock { queue in
                    for runnable in stolen.dropFirst() { queue.append(runnable) }
                }
            }
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
            idleCount.store(shared.idle.count, ordering: .sequentiallyConsistent)
            let watches = !shared.hasWatcher && shared.idle.count < workers.count
            if watches { shared.hasWatcher = true }
            isWatched.store(shared.hasWatcher, ordering: .relaxed)
            return (watches, shared.idle.count == workers.count && !shared.hasWatcher)
        }
        // What was injected before `idleCount` was raised has woken nobody.
        if injectedCount.load(ordering: .sequentiallyConsistent) > 0 { wakeOne() }
        if watches { return watch(worker) }
        if isLast { threadsSleep() }
        worker.parker.park()
        return nil
    }

    private func watch(_ worker: Worker) -> Runnable? {
        while true {
            if worker.parker.park(until: Platform.monotonicNanoseconds() + Self.watchInterval) {
                passTheWatch(from: worker)
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
            guard let loot = steal(for: worker, fromStuck: true) else { continue }
            let isWoken = shared.withLock { shared in
                guard let position = shared.idle.firstIndex(of: worker.index) else { return true }
                shared.idle.remove(at: position)
                idleCount.store(shared.idle.count, ordering: .sequentiallyConsistent)
                return false
            }
            // Somebody chose this worker to wake just now: the permit must not outlive that.
            if isWoken { worker.parker.park() }
            passTheWatch(from: worker)
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

    /// A woken worker has found something to run, so it does not watch; the next push decides
    /// whether somebody should.
    private func stopCountingAsWatcher() {
        shared.withLock { isWatched.store($0.hasWatcher, ordering: .relaxed) }
    }
}

/// One thread of a ``WorkerPool`` and its run queue.
final class Worker: @unchecked Sendable {
    // Unchecked: `queue` has its lock, `epoch` is atomic, the `var`s belong to the worker's thread.

    let index: Int
    /// How many workers the pool has.
    let count: Int
    let parker = Parker()
    /// A leaf lock.
    let queue = Lock(RunQueue())
    /// Counts what the worker has begun; a watcher sees by it whether the worker is stuck.
    let epoch = Atomic<UInt64>(0)
    unowned(unsafe) var pool: WorkerPool?
    var seenEpochs: [Int: UInt64] = [:]
    var catchesNextJob = false
    var caughtJob: UnownedJob?
    var catchesAssignment = false
    var caughtAssignment: RunnerAssignment?

    /// How deep inits nest on the stack; see ``Nesting``.
    @exclusivity(unchecked) var initDepth = 0
    /// How often ``takeTurn()`` was called.
    private var turns = 0

    private static let slot = ThreadLocalPointer()

    init(index: Int, count: Int) {
        self.index = index
        self.count = count
    }

    /// Numbers for what the threads of a scheduler shall do in different places.
    ///
    /// - Returns: the number of this thread, how many there are, and how often it has asked before;
    ///   nil when it is not a scheduler's.
    static func takeTurn() -> (index: Int, count: Int, turn: Int)? {
        guard let worker = current else { return nil }
        defer { worker.turns &+= 1 }
        return (worker.index, worker.count, worker.turns)
    }

    func pop() -> Runnable? {
        queue.withLock { $0.popFirst() }
    }

    func noteBegin() {
        epoch.store(epoch.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// The worker whose thread this is.
    static var current: Worker? {
        get { slot.value.map { Unmanaged<Worker>.fromOpaque($0).takeUnretainedValue() } }
        set { slot.value = newValue.map { Unmanaged.passUnretained($0).toOpaque() } }
    }
}
