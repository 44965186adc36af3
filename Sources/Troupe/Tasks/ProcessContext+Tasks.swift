//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ProcessContext {
    /// Starts a task: a process that computes a value for this one.
    ///
    /// It is a child of this process and linked to it: if the task fails, this process is told to
    /// end, unless it traps exits; if this process ends with any reason but `.normal`, so does the
    /// task.
    ///
    /// ```swift
    /// let tasks = try pages.map { page in try process.async { _ in try await fetch(page) } }
    /// let texts = try await tasks.values(timeout: .seconds(30))
    /// ```
    ///
    /// - Parameters:
    ///   - options: how it is spawned.
    ///   - linked: false for a task whose failure only its outcome tells of. It may
    ///     outlive this process; nobody can wait for it then.
    ///   - body: what it computes; it gets the task as a process.
    /// - Returns: the task, for this process to wait for.
    /// - Throws: ``SpawnError``, except `.initFailed` and `.ignored`.
    /// - Note: Elixir's monitor of the task is not needed here: the end is seen without a message.
    /// - Source: Elixir's `Task.async/1` and `Task.Supervisor.async_nolink/2`.
    public func async<Value: Sendable>(
        options: ProcessOptions = .default, linked: Bool = true,
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) throws(SpawnError) -> ProcessTask<Value> {
        try cell.node.startTask(
            options, parent: cell, bond: linked ? .linked : [], owner: cell, body)
    }

    /// Has the outcome of a task come as a ``MessageResponse``, to `handleInfo` or `receive`. So a
    /// ``GenServer``, whose handlers cannot wait, can use tasks.
    ///
    /// The response carries the value, or `.exited(reason)`. It comes exactly once, after everything
    /// else of the task, and is not counted against the bound of the mailbox. It takes the outcome:
    /// the task cannot be waited for any more. ``abandonRequest(_:)`` gives the response up; the task
    /// goes on then.
    ///
    /// - Parameter task: a task of this process.
    /// - Returns: the identity that the response will carry.
    /// - Throws: ``TaskError`` — `.notOwner`; `.exited(.noProcess)` when the outcome has been taken
    ///   before.
    /// - Note: Elixir sends `{ref, result}` and then a DOWN, or only a DOWN. Here it is one message
    ///   in either case. A process that traps exits gets the EXIT of a linked task before it, as
    ///   there.
    /// - Source: the messages of Elixir's `Task.async/1`.
    public func requestOutcome<Value: Sendable>(
        of task: ProcessTask<Value>
    ) throws(TaskError) -> RequestID {
        guard task.owner === cell else { throw .notOwner(task.owner.pid) }
        guard task.outcome.claim() else { throw .exited(.noProcess) }
        let id = cell.expectResponse(from: task.pid)
        task.end.observe(OutcomeForwarder(task: task, id: id), token: 0)
        return id
    }

    /// For whom this process works: the owner of this task, then the owner of that one, and so on,
    /// the nearest 64. Empty when this process is no task.
    ///
    /// - Source: Elixir's `$callers`.
    public var callers: [Pid] { cell.callers }
}

/// Turns the outcome of a task into a message of its owner.
final class OutcomeForwarder<Value: Sendable>: ReplyObserver {
    private let task: ProcessTask<Value>
    private let id: RequestID

    init(task: ProcessTask<Value>, id: RequestID) {
        self.task = task
        self.id = id
    }

    func replyArrived(token: Int) {
        let result: Result<any Sendable, CallError> =
            switch task.handOver() {
            case .success(let value): .success(value)
            case .failure(let reason): .failure(.exited(reason))
            }
        task.owner.receive(MessageResponse(request: id, result: result))
    }
}

extension ProcessCell {
    /// Makes the identity of a response that will come from somewhere else than a call.
    func expectResponse(from pid: Pid) -> RequestID {
        let id = RequestID(reference: node.makeReference())
        let ticket = ReplyCell(callee: pid)
        withCore { $0.makeRelations().makeRare().requests[id.reference.id] = ticket }
        return id
    }
}
