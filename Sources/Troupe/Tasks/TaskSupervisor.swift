//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A server under which tasks run that are not linked to those who have asked for them: a task that
/// fails harms nobody, and when the supervisor ends, its tasks end first.
///
/// ```swift
/// let supervisor = try await node.spawn(
///     TaskSupervisor.self, .init(maxChildren: 100), options: .init(name: "tasks"))
/// …
/// let task = try await process.async(under: supervisor) { child in try await fetch(page) }
/// ```
///
/// Tasks are not started again when they end.
///
/// - Source: Elixir's `Task.Supervisor`.
public struct TaskSupervisor: AsyncGenServer, SupervisorBehaviour {
    /// What the supervisor is started with.
    public struct Options: Sendable {
        /// How many tasks may run at once; nil for as many as the node allows.
        public var maxChildren: Int?

        /// Makes options; by default the supervisor has no limit of its own.
        public init(maxChildren: Int? = nil) {
            self.maxChildren = maxChildren
        }
    }

    /// What the supervisor is asked for; made by the operations on its ``ServerRef``.
    public struct Request: Sendable {
        enum Kind: Sendable {
            case start(TaskStart)
            case children(ReplyTo<[Pid]>)
        }

        let kind: Kind
    }

    private struct Child {
        let process: ProcessCell
        let shutdown: Shutdown
        /// How many were started before.
        let number: Int
    }

    private let maxChildren: Int?
    private var tasks: [Pid: Child] = [:]
    private var startedCount = 0

    var children: [ChildInfo] {
        pids.reversed().map {
            ChildInfo(id: nil, status: .running($0), type: .worker, behaviour: "closure")
        }
    }

    /// In the order in which they were started.
    private var pids: [Pid] {
        tasks.values.sorted { $0.number < $1.number }.map { $0.process.pid }
    }

    /// Starts the supervisor without tasks.
    public init(_ options: Options, process: ServerProcess) async {
        maxChildren = options.maxChildren
        process.setTrapsExits(true)
    }

    /// Starts a task, or tells of those that run.
    public mutating func handleCast(_ message: Request, process: ServerProcess) async {
        switch message.kind {
        case .children(let replyTo):
            replyTo.reply(pids)
        case .start(let start):
            if let maxChildren, tasks.count >= maxChildren {
                start.refuse(.tooManyTasks(limit: max(maxChildren, 0)))
            } else if let task = start.start(process.cell) {
                tasks[task.pid] = Child(
                    process: task, shutdown: start.shutdown, number: startedCount)
                startedCount += 1
            }
        }
    }

    /// Takes note of tasks that have ended.
    public mutating func handleInfo(
        _ message: any Sendable, process: ServerProcess
    ) async {
        if let exit = message as? MessageExit, tasks.removeValue(forKey: exit.from) != nil {
            return
        }
        process.reportUnhandled(message)
    }

    /// Ends all tasks, each in its manner, and waits until they have ended.
    public mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        let endings = tasks.values.compactMap { child in
            process.beginEnding(child.process.pid, by: child.shutdown, restart: .temporary)
        }
        do {
            try await ChildEnding.finishAll(endings, process)
        } catch {
            // It has been killed. Those that trap exits would live on.
            for child in tasks.values { process.exit(child.process.pid, .kill) }
            throw error
        }
    }
}

/// A task that a supervisor shall start.
struct TaskStart: Sendable {
    let shutdown: Shutdown
    /// Starts the task as a child of the process and answers whoever has asked.
    let start: @Sendable (ProcessCell) -> ProcessCell?
    /// Answers whoever has asked that there is no task.
    let refuse: @Sendable (TaskError) -> Void
}
