//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The outcomes of tasks, one for each element of a sequence, in the order of the sequence. Made by
/// ``ProcessContext/stream(over:maxConcurrency:timeout:linked:options:_:)``.
///
/// Each iteration starts tasks of its own. When the consumer stops early, and lets go of the iterator,
/// the tasks that run are told to end with `.shutdown`, whether they trap exits or not.
public struct TaskStream<Base: Sequence, Value: Sendable>: AsyncSequence
where Base.Element: Sendable {
    /// The value of one task, or the reason with which it has ended.
    public typealias Element = Result<Value, ExitReason>
    /// What stops the stream itself.
    public typealias Failure = TaskError

    let base: Base
    let owner: ProcessCell
    let limit: Int
    let isLinked: Bool
    let options: ProcessOptions
    let body: @Sendable (Base.Element) async throws -> Value

    /// Begins an iteration; no task is started before the first outcome is asked for.
    public func makeAsyncIterator() -> Iterator { Iterator(run: TaskStreamRun(self)) }

    /// Runs the tasks of one iteration.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let run: TaskStreamRun<Base, Value>

        /// The next outcome; nil when there are no more.
        ///
        /// - Throws: ``TaskError`` — `.notOwner` when it is not the process that made the stream who
        ///   asks; `.cancelled` when that has been told to end; `.notStarted(_)` when a task could
        ///   not be started. The tasks that run are shut down then, and the stream is over.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(TaskError) -> Result<Value, ExitReason>? {
            try await next()
        }

        /// The next outcome; see ``next(isolation:)``.
        public mutating func next() async throws(TaskError) -> Result<Value, ExitReason>? {
            do {
                return try await run.next()
            } catch {
                run.stop()
                throw error
            }
        }
    }
}

@available(*, unavailable, message: "only the process that makes the stream may use it")
extension TaskStream: Sendable {}

extension ProcessContext {
    /// Runs a task for each element of a sequence, some at a time, and gives their outcomes in the
    /// order of the sequence.
    ///
    /// ```swift
    /// let texts = process.stream(over: pages, maxConcurrency: 8) { page in
    ///     try await fetch(page)
    /// }
    /// for try await outcome in texts { print(try outcome.get()) }
    /// ```
    ///
    /// Elements are taken from the sequence only when a task can be started for them, so it may be
    /// endless. A slow task holds the later outcomes up, but not, up to a bound, the later tasks.
    ///
    /// - Parameters:
    ///   - elements: the inputs.
    ///   - maxConcurrency: how many tasks run at once; less than 1 counts as 1. Twice as many may have
    ///     been started whose outcome was not consumed. Nil for as many as the scheduler has threads.
    ///   - timeout: how long each task may take; nil for as long as it likes. It is ended then, with
    ///     `.shutdown(LifetimeEnd.deadline)`.
    ///   - linked: whether a task that fails, or takes too long, tells this process to end, unless
    ///     that traps exits. If not, its outcome tells, and the others go on.
    ///   - options: how the tasks are spawned.
    ///   - body: what each task computes.
    /// - Returns: the outcomes, to be consumed by this process.
    /// - Source: Elixir's `Task.async_stream/3` and `Task.Supervisor.async_stream_nolink/4`.
    public func stream<Base: Sequence, Value: Sendable>(
        over elements: Base, maxConcurrency: Int? = nil, timeout: Duration? = nil,
        linked: Bool = true, options: ProcessOptions = .default,
        _ body: @escaping @Sendable (Base.Element) async throws -> Value
    ) -> TaskStream<Base, Value> where Base.Element: Sendable {
        var options = options
        if let timeout { options.lifetime = .deadline(timeout) }
        return TaskStream(
            base: elements, owner: cell, limit: maxConcurrency ?? cell.node.scheduler.threadCount,
            isLinked: linked, options: options, body: body)
    }
}

/// The driver of ``StreamWindow``: one iteration of a stream.
private final class TaskStreamRun<Base: Sequence, Value: Sendable> where Base.Element: Sendable {
    private let stream: TaskStream<Base, Value>
    private var elements: Base.Iterator
    private var isInputOver = false
    private var window: StreamWindow
    private var tasks: [Int: ProcessTask<Value>] = [:]
    private let inbox = ReplyInbox()

    init(_ stream: TaskStream<Base, Value>) {
        self.stream = stream
        self.elements = stream.base.makeIterator()
        self.window = StreamWindow(limit: stream.limit)
    }

    deinit { stop() }

    func next() async throws(TaskError) -> Result<Value, ExitReason>? {
        let owner = stream.owner
        guard CurrentProcess.cell === owner else { throw .notOwner(owner.pid) }
        // What has ended while the consumer was busy makes room first.
        while let token = try await owner.waitForTask(inbox, by: 0) { window.ended(token) }
        while true {
            try startTasks()
            if let token = window.takeHead() {
                let task = tasks.removeValue(forKey: token)
                task?.detach()
                // One that has just ended has left room; it is used while the consumer is busy.
                try startTasks()
                return task?.takeOutcome()
            }
            if window.isEmpty { return nil }
            if let token = try await waitForTask() { window.ended(token) }
        }
    }

    private func waitForTask() async throws(TaskError) -> Int? {
        // Until the head has ended the consumer cannot go on; for those who ask what it waits for.
        let head = tasks[window.head]?.end
        if let head { stream.owner.beginWait(.call(head)) }
        defer { if let head { stream.owner.endWaiting(for: head) } }
        return try await stream.owner.waitForTask(inbox, by: .max)
    }

    private func startTasks() throws(TaskError) {
        let stream = stream
        while !isInputOver, window.mayStart {
            guard let element = elements.next() else {
                isInputOver = true
                return
            }
            let body = stream.body
            let task: ProcessTask<Value>
            do throws(SpawnError) {
                task = try stream.owner.node.startTask(
                    stream.options, parent: stream.owner, bond: stream.isLinked ? .linked : [],
                    owner: stream.owner
                ) { (_: Process) async throws in try await body(element) }
            } catch { throw .notStarted(error) }
            let token = window.started()
            tasks[token] = task
            task.end.observe(inbox, token: token)
        }
    }

    /// Ends the tasks that run. Nothing of them reaches the consumer any more.
    func stop() {
        isInputOver = true
        window = StreamWindow(limit: window.limit)
        for task in tasks.values {
            task.end.stopTelling(inbox)
            task.dismiss()
        }
        tasks = [:]
    }
}
