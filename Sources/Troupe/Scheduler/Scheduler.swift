//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Runs processes: decides when which process gets a thread, and keeps the time.
///
/// All nodes share ``default`` unless they are given one of their own. A scheduler is also a
/// `TaskExecutor`, so that the `async` code of processes stays on its threads; use it as the
/// executor preference of a task of your own to run that task there too.
public class Scheduler: TaskExecutor, @unchecked Sendable {
    // Unchecked: the stored properties are constants of `Sendable` types; the class is not final
    // so that a simulated scheduler can take the place of the real one.

    let timers: TimerService
    let runners = RunnerPool()

    init(timers: TimerService) {
        self.timers = timers
    }

    /// The scheduler of every node that is not given another one: one thread per processor, started
    /// when the first process is.
    public static let `default`: Scheduler = WorkerPool(
        threadCount: Platform.processorCount, name: "troupe", use: .byDefault)

    /// Makes a scheduler with threads of its own.
    ///
    /// Its threads run until ``shutDown()``.
    ///
    /// - Parameter threads: how many; 1 to 1,024, values outside are clamped.
    public static func threads(_ threads: Int) -> Scheduler {
        WorkerPool(threadCount: min(max(threads, 1), 1024), name: "troupe")
    }

    /// Ends the threads. Stop the nodes that use the scheduler first: what is still queued is not
    /// run. Has no effect on ``default``.
    public func shutDown() {}

    /// How many threads run processes.
    public var threadCount: Int { 0 }

    /// Nanoseconds of the scheduler's clock; monotonic, its zero is arbitrary.
    var now: UInt64 { Platform.monotonicNanoseconds() }

    /// ``now``, good to some milliseconds, for where looking at the clock must cost little.
    var coarseNow: UInt64 { Platform.coarseNanoseconds() }

    /// The clock, if it stands still until somebody moves it.
    package var virtualTime: VirtualTime? { nil }

    /// Makes the thread of a process that has one of its own.
    func makeOwnThread() -> Scheduler {
        WorkerPool(threadCount: 1, name: "troupe-own", use: .byOneProcess)
    }

    /// Puts a process whose phase is `scheduled` at the end of a run queue.
    @usableFromInline
    func submit(_ cell: ProcessCell) {
        preconditionFailure("a scheduler must say how it runs processes")
    }

    /// Puts a job of a task at the end of a run queue.
    public func enqueue(_ job: consuming ExecutorJob) {
        preconditionFailure("a scheduler must say how it runs jobs")
    }

    /// Whether this thread is one of the scheduler's.
    var isCurrent: Bool { false }

    /// Whether this thread may wait: it is not one on which several processes have to run.
    var mayBlockHere: Bool { true }

    /// Makes `resume`, which resumes a task that waits on this scheduler to serve a process, run that
    /// task on this thread as soon as what runs here now has returned, ahead of the queue.
    func handOver(to process: ProcessCell, _ resume: () -> Void) {
        resume()
    }

    /// Runs `put`, which puts a request into the mailbox of `callee`; whoever calls this then waits for
    /// the answer. Where that is possible the callee has its turn at once, on this thread: then the
    /// caller mostly finds the answer there, and neither of the two has to be queued.
    ///
    /// - Returns: whether the callee has had its turn.
    func call(_ callee: ProcessCell, _ put: () -> Void) -> Bool {
        put()
        return false
    }

    /// Whether who runs on this thread, and has had a step budget of calls handled here without giving
    /// it up, shall let others run.
    func isTurnOver() -> Bool { true }

    /// A random number from 0 to 1, to spread what would happen at the same time.
    func randomFraction() -> Double { .random(in: 0...1) }

    /// The running task is about to wait in an operation of this library.
    func willSuspend() {}

    /// The simulation that this is the scheduler of, if it is one.
    var simulated: SimulatedScheduler? { nil }

    /// The process whose turn it is on this thread, if it needs a runner; it is out of the queue
    /// then. For a runner that has just become free on this thread.
    func nextAssignment() -> RunnerAssignment? { nil }

    /// Whether the runner that asks for its next assignment on this thread takes this one.
    func offer(_ assignment: RunnerAssignment) -> Bool { false }

    /// An idle runner that was kept for this thread.
    func takeIdleRunner() -> IdleRunner? { nil }

    /// Keeps an idle runner for this thread, if there are not enough of them already.
    func keep(_ runner: IdleRunner) -> Bool { false }
}
