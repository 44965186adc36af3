//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ProcessContext {
    /// Starts a task under a supervisor: it is a child of that, and not linked to this process.
    ///
    /// - Parameters:
    ///   - supervisor: under which supervisor.
    ///   - options: how the task is spawned.
    ///   - shutdown: how the task is ended when the supervisor ends.
    ///   - timeout: how long to wait for the supervisor at most.
    ///   - body: what the task computes.
    /// - Returns: the task, for this process to wait for.
    /// - Throws: ``TaskError`` — `.tooManyTasks` when the supervisor runs as many as it may;
    ///   `.notStarted(_)`; `.supervisorFailed(_)` when there is no such supervisor or it does not
    ///   answer in time: then it starts no task, or ends it at once.
    /// - Source: Elixir's `Task.Supervisor.async_nolink/3`.
    public func async<Value: Sendable>(
        under supervisor: ServerRef<TaskSupervisor>, options: ProcessOptions = .default,
        shutdown: Shutdown = .timeout(.seconds(5)), timeout: Duration = .seconds(5),
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) async throws(TaskError) -> ProcessTask<Value> {
        let reply = TypedReplyCell<Result<ProcessTask<Value>, TaskError>>(callee: supervisor.pid)
        let request = TaskSupervisor.start(reply, for: cell, options, shutdown, body)
        return try await supervisor.startTask(request, reply, timeout: timeout)
    }

    /// Starts a task under a supervisor without waiting: its outcome comes as a ``MessageResponse``.
    /// So a ``GenServer``, whose handlers cannot wait, can use tasks whose failure harms nobody.
    ///
    /// The response carries the value, or `.exited(reason)`; when the task was not started, that is
    /// `.exited(.error(TaskError))`, or why the supervisor did not answer. See
    /// ``requestOutcome(of:)`` for the rest.
    ///
    /// - Returns: the identity that the response will carry.
    /// - Source: Elixir's `Task.Supervisor.async_nolink/3` in a `GenServer`.
    public func requestTask<Value: Sendable>(
        under supervisor: ServerRef<TaskSupervisor>, options: ProcessOptions = .default,
        shutdown: Shutdown = .timeout(.seconds(5)),
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) -> RequestID {
        let reply = TypedReplyCell<Result<ProcessTask<Value>, TaskError>>(callee: supervisor.pid)
        let request = TaskSupervisor.start(reply, for: cell, options, shutdown, body)
        let id = cell.expectResponse(from: supervisor.pid)
        // Before the supervisor can answer, as with other requests.
        reply.observe(StartForwarder(owner: cell, id: id, reply: reply), token: 0)
        supervisor.cast(request, replyingTo: reply)
        return id
    }
}

extension ServerRef where Server == TaskSupervisor {
    /// Starts a task that nobody waits for: a job that shall be done, and whose failure a crash
    /// report tells of. It is not started again.
    ///
    /// - Parameters:
    ///   - options: how the task is spawned.
    ///   - shutdown: how it is ended when the supervisor ends.
    ///   - timeout: how long to wait for the supervisor at most.
    ///   - body: what the task does.
    /// - Returns: the pid of the task.
    /// - Throws: ``TaskError``, as ``ProcessContext/async(under:options:shutdown:timeout:_:)``.
    /// - Source: Elixir's `Task.Supervisor.start_child/3` with its default restart, `temporary`.
    @discardableResult
    public func startChild(
        options: ProcessOptions = .default, shutdown: Shutdown = .timeout(.seconds(5)),
        timeout: Duration = .seconds(5),
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Void
    ) async throws(TaskError) -> Pid {
        let reply = TypedReplyCell<Result<ProcessTask<Void>, TaskError>>(callee: pid)
        let request = TaskSupervisor.start(reply, for: nil, options, shutdown, body)
        return try await startTask(request, reply, timeout: timeout).pid
    }

    /// The tasks that run, in the order in which they were started.
    ///
    /// - Throws: ``CallError``.
    /// - Source: Elixir's `Task.Supervisor.children/1`.
    public func children(timeout: Duration = .seconds(5)) async throws(CallError) -> [Pid] {
        try await ask(timeout: timeout) { TaskSupervisor.Request(kind: .children($0)) }
    }

    fileprivate func startTask<Value>(
        _ request: TaskSupervisor.Request,
        _ reply: TypedReplyCell<Result<ProcessTask<Value>, TaskError>>, timeout: Duration
    ) async throws(TaskError) -> ProcessTask<Value> {
        let answer: Result<ProcessTask<Value>, TaskError>
        do {
            answer = try await cell.request(reply, timeout: timeout) {
                cell.put(envelope: Envelope<TaskSupervisor>.ask(request, reply))
            }
        } catch {
            throw error == .cancelled ? .cancelled : .supervisorFailed(error)
        }
        return try answer.get()
    }
}

extension TaskSupervisor {
    /// - Parameter owner: who may take the outcome; nil for nobody but the supervisor, who never
    ///   does.
    fileprivate static func start<Value: Sendable>(
        _ reply: TypedReplyCell<Result<ProcessTask<Value>, TaskError>>, for owner: ProcessCell?,
        _ options: ProcessOptions, _ shutdown: Shutdown,
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) -> Request {
        let start = TaskStart(
            shutdown: shutdown,
            start: { parent in
                // Whoever has asked may have given up meanwhile.
                if reply.isDone { return nil }
                do throws(SpawnError) {
                    let task = try parent.node.startTask(
                        options, parent: parent, bond: .linked, owner: owner ?? parent, body)
                    if !reply.complete(.success(task)) { task.process.orderShutdown() }
                    return task.process
                } catch {
                    reply.complete(.failure(.notStarted(error)))
                    return nil
                }
            },
            refuse: { reply.complete(.failure($0)) })
        return Request(kind: .start(start))
    }
}

/// Waits, for an owner that does not, until a supervisor has started a task, and then for its
/// outcome.
private final class StartForwarder<Value: Sendable>: ReplyObserver {
    private let owner: ProcessCell
    private let id: RequestID
    private let reply: TypedReplyCell<Result<ProcessTask<Value>, TaskError>>

    init(
        owner: ProcessCell, id: RequestID,
        reply: TypedReplyCell<Result<ProcessTask<Value>, TaskError>>
    ) {
        self.owner = owner
        self.id = id
        self.reply = reply
    }

    func replyArrived(token: Int) {
        do throws(CallError) {
            switch try reply.take() {
            case .success(let task):
                _ = task.outcome.claim()
                task.end.observe(OutcomeForwarder(task: task, id: id), token: 0)
            case .failure(let error): throw .exited(.error(error))
            }
        } catch {
            owner.receive(MessageResponse(request: id, result: .failure(error)))
        }
    }
}
