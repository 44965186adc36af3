//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// What a runner runs: the `async` part of a process, until it has nothing to do, its budget is
/// used up, or it has ended.
@usableFromInline
typealias RunnerBody = @Sendable (ProcessCell, Runner) async -> Void

/// A process and what a runner shall do for it.
struct RunnerAssignment: Sendable {
    let cell: ProcessCell
    let body: RunnerBody
}

/// Resumes a runner that waits for its next process; nil lets it go.
typealias IdleRunner = UnsafeContinuation<RunnerAssignment?, Never>

/// The idle runners of a scheduler.
///
/// A process that awaits needs a task, an idle process does not. So processes borrow tasks: a
/// runner keeps one process while a handler of it is suspended. When the process has run dry the
/// runner goes on with the next one that is to run on its thread, if that needs a runner, too: to
/// suspend one task and resume another costs more than a message. Else it comes back here.
///
/// A few stay with the thread that they were last on, which needs no lock for them. Here are the
/// others, and those that were last on a foreign thread.
final class RunnerPool: Sendable {
    /// More idle runners than this are let go; a runner holds about 1.5 KB.
    static let idleCountMax = 256

    /// The runners that wait for a process. A leaf lock.
    private let idle = Lock<[IdleRunner]>([])

    /// Runs `body` for `cell` on a runner; on this thread, if it is one of the scheduler's.
    func run(_ assignment: RunnerAssignment, on scheduler: Scheduler) {
        if scheduler.offer(assignment) { return }
        if let continuation = scheduler.takeIdleRunner() ?? idle.withLock({ $0.popLast() }) {
            scheduler.handOver(to: assignment.cell) {
                continuation.resume(returning: assignment)
            }
        } else {
            scheduler.handOver(to: assignment.cell) {
                Runner(pool: self, scheduler: scheduler).start(assignment)
            }
        }
    }

    fileprivate func checkIn(_ continuation: IdleRunner, on scheduler: Scheduler) {
        if scheduler.keep(continuation) { return }
        let isTaken = idle.withLock { idle in
            guard idle.count < Self.idleCountMax else { return false }
            idle.append(continuation)
            return true
        }
        if !isTaken { continuation.resume(returning: nil) }
    }

    /// Lets all idle runners go.
    func removeAll() {
        let continuations = idle.withLock { idle in
            defer { idle = [] }
            return idle
        }
        for continuation in continuations { continuation.resume(returning: nil) }
    }
}

/// A task that processes borrow, one after the other.
@usableFromInline
final class Runner: @unchecked Sendable {
    // Unchecked: `cell` is touched by the runner's own task only, which has found by `identity` that
    // it is that.

    private struct State {
        /// Nil until `start` has returned.
        var task: Task<Void, Never>?
        var isCancelled = false
        /// What the task begins with.
        var first: RunnerAssignment?
        /// What the task itself waits for right now; see ``wait(for:)``.
        var awaited: ReplyCell?
        /// The process that was served last; known in a simulation only.
        var lastServed: Pid?
    }

    /// Ranks after the lock of a process.
    private let state = Lock(State())
    private let pool: RunnerPool
    private let scheduler: Scheduler
    private let isSimulated: Bool
    /// The address of the task; 0 when that has ended, as another task may have its address then.
    private let identity = Atomic<UInt>(0)
    @exclusivity(unchecked) private(set) var cell: ProcessCell?

    /// Then the thread gets a chance to look at what came from outside.
    private static let inARowMax = 15

    fileprivate init(pool: RunnerPool, scheduler: Scheduler) {
        self.pool = pool
        self.scheduler = scheduler
        self.isSimulated = scheduler.simulated != nil
    }

    fileprivate func start(_ assignment: RunnerAssignment) {
        // Not captured by the closure, which would keep the first process as long as the task.
        state.withLock { $0.first = assignment }
        let task = Task.detached(name: "troupe-runner", executorPreference: scheduler) {
            await self.loop()
        }
        let isCancelled = state.withLock { state in
            state.task = task
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    /// Makes this the runner's last process. To be called with the lock of the process held, while
    /// the runner serves it; ``cancelTask()`` follows when the lock is released.
    func retire() {
        state.withLock { $0.isCancelled = true }
    }

    /// Whether the task is cancelled, or is about to be.
    @usableFromInline
    var isRetired: Bool { state.withLock { $0.isCancelled } }

    /// Cancels the task, so that what it awaits can notice.
    func cancelTask() {
        let (task, awaited) = state.withLock { ($0.task, $0.awaited) }
        awaited?.fail(.cancelled)
        task?.cancel()
    }

    /// The runner's own task waits for an outcome, which is `cancelled` when the task is.
    ///
    /// Nobody else can cancel this task, so it needs no cancellation handler, which would be a tenth
    /// of what a call costs.
    @usableFromInline
    func wait(for reply: ReplyCell) async {
        let isCancelled = state.withLock { state in
            state.awaited = reply
            return state.isCancelled
        }
        // Whoever cancels the task from now on finds what it waits for.
        if isCancelled { reply.fail(.cancelled) }
        scheduler.willSuspend()
        await withUnsafeContinuation { reply.resumeWhenDone($0) }
        state.withLock { $0.awaited = nil }
    }

    private func loop() async {
        identity.store(Self.currentTask, ordering: .relaxed)
        defer { identity.store(0, ordering: .relaxed) }
        // `@concurrent`, and in one piece: then it asks the runtime once after each process on which executor
        // it has to be, else a second time before it waits for the next one.
        await CurrentProcess.$runner.withValue(self) { @concurrent () async in
            var next = state.withLock { $0.first.take() }
            var inARow = 0
            while next != nil {
                // Nothing of the process is kept while the runner is idle.
                if let assignment = next.take() {
                    cell = assignment.cell
                    if isSimulated {
                        let pid = assignment.cell.pid
                        state.withLock { $0.lastServed = pid }
                    }
                    await assignment.body(assignment.cell, self)
                    cell = nil
                }
                // A cancelled task stays cancelled; the next process must not inherit that.
                if isRetired { return scheduler.willSuspend() }
                if inARow < Self.inARowMax { next = scheduler.nextAssignment() }
                inARow += 1
                if next == nil {
                    inARow = 0
                    scheduler.willSuspend()
                    next = await withUnsafeContinuation { pool.checkIn($0, on: scheduler) }
                }
            }
        }
    }

    /// The process that is served, or was served last; known in a simulation only.
    fileprivate var lastServed: Pid? { state.withLock { $0.lastServed } }

    /// Whether it is this runner's task that asks.
    fileprivate var isCurrent: Bool { isTask(Self.currentTask) }

    fileprivate func isTask(_ address: UInt) -> Bool {
        address == identity.load(ordering: .relaxed)
    }

    /// The address of the task that asks; 0 when it is none. To compare two of `UnsafeCurrentTask`
    /// would count references of both.
    private static var currentTask: UInt { withUnsafeCurrentTask { address(of: $0) } }

    fileprivate static func address(of task: UnsafeCurrentTask?) -> UInt {
        // A structure of one reference.
        unsafeBitCast(task, to: UInt.self)
    }
}

/// The process on whose behalf a task runs.
enum CurrentProcess {
    @TaskLocal fileprivate static var runner: Runner?

    /// The runner whose own task calls this.
    ///
    /// A task that was started within a handler inherits the task-local, but it is not part of the
    /// process: it may outlive the handler, and a handler need not wait for it.
    static var ownRunner: Runner? { runner.flatMap { $0.isCurrent ? $0 : nil } }

    /// As ``ownRunner``, and whether the task that calls this is cancelled, with one look at the task.
    static func look() -> (ownRunner: Runner?, isCancelled: Bool) {
        let (task, isCancelled) = withUnsafeCurrentTask { task in
            (Runner.address(of: task), task?.isCancelled ?? false)
        }
        return (runner.flatMap { $0.isTask(task) ? $0 : nil }, isCancelled)
    }

    /// The process whose handler or body calls this from its own task.
    static var cell: ProcessCell? { ownRunner?.cell }

    /// The process that has started this task, or runs in it; known in a simulation only.
    static var origin: Pid? { runner?.lastServed }
}
