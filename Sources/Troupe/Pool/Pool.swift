//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Several servers of one type behind one reference: each request goes to one that has nothing to
/// do, and waits when there is none.
///
/// ```swift
/// let resizers = try await node.spawn(
///     Pool<Resizer>.self, PoolSpec(Resizer.self, options, workers: 2...8))
/// let image = try await resizers.call(.resize(original))
/// ```
///
/// A worker has one request at a time, from when it is given it until it has replied. When it fails
/// meanwhile its caller gets `.exited(_)`, or the request is done again, as ``PoolSpec/retryCount``
/// says; another worker takes its place. Requests that wait are not lost, and neither is one that
/// was given to a worker that ended before it began. A caller that has given up is passed over.
///
/// The pool is the supervisor of its workers, and can itself be the child of a supervisor. It waits
/// for the `init` of a worker, and does nothing else meanwhile.
///
/// - Source: Ergo's `act.Pool`; the elastic size is that of Erlang's `poolboy`.
public struct Pool<Worker: ServerProtocol>: AsyncGenServer, SupervisorBehaviour {
    /// The requests: those of the workers.
    public typealias Call = Worker.Call
    /// What the workers reply.
    public typealias Reply = Worker.Reply
    /// Plain code sends the same requests.
    public typealias Direct = Worker.Call
    /// And gets the same replies.
    public typealias DirectReply = Worker.Reply

    /// What a pool takes besides requests.
    public struct Message: Sendable {
        enum Kind: Sendable {
            case status(ReplyTo<PoolStatus>)
        }

        let kind: Kind
    }

    /// A request with whoever waits for its reply.
    private struct Job {
        let request: Worker.Call
        let from: From<Worker.Reply>
        var retriesLeft: Int
    }

    /// A job that a worker has been given.
    private struct Running {
        let worker: Pid
        let job: Job
        let reply: TypedReplyCell<Worker.Reply>
    }

    private let spec: PoolSpec<Worker>
    private var state: PoolState<Job>
    private var window: RestartWindow
    private var workers: [Pid: ServerRef<Worker>] = [:]
    private var running: [RequestID: Running] = [:]
    private var alarm = RestartAlarm()
    private var failureCount = 0
    private var retryCount = 0

    var children: [ChildInfo] {
        state.pids.reversed().map {
            ChildInfo(id: nil, status: .running($0), type: .worker, behaviour: "\(Worker.self)")
        }
    }

    // MARK: - Callbacks

    /// Starts the least number of workers.
    ///
    /// - Throws: ``SpecInvalid``; `.shutdown(ChildStartFailure)` when a worker does not start.
    public init(_ spec: PoolSpec<Worker>, process: ServerProcess) async throws {
        try spec.check()
        process.setTrapsExits(true)
        self.spec = spec
        window = RestartWindow(spec.limit)
        state = PoolState(
            sizes: spec.workers, capacity: spec.capacity, overflow: spec.overflow)
        while state.wantsWorker {
            if let failure = try await startWorker(process) {
                try await end(state.pids, process)
                throw ExitReason.shutdown(failure)
            }
        }
    }

    /// Gives the request to a worker.
    public mutating func handleCall(
        _ request: Worker.Call, from: From<Worker.Reply>, process: ServerProcess
    ) async throws -> CallResult<Worker.Reply> {
        if !from.cell.isDone { take(request, from, process) }
        try await settle(process)
        return .noReply
    }

    private mutating func take(
        _ request: Worker.Call, _ from: From<Worker.Reply>, _ process: ServerProcess
    ) {
        dropUnwanted()
        let job = Job(request: request, from: from, retriesLeft: spec.retryCount)
        switch state.arrived(job) {
        case .start(let pid): start(job, on: pid, process)
        case .wait: break
        case .refuse(let refused):
            refused.from.cell.fail(.mailboxFull(process.pid, capacity: spec.capacity))
        }
    }

    /// Tells what it does.
    public mutating func handleCast(_ message: Message, process: ServerProcess) async throws {
        switch message.kind {
        case .status(let replyTo):
            dropUnwanted()
            replyTo.reply(
                PoolStatus(
                    workers: state.pids, idleCount: state.idleCount,
                    waitingCount: state.waitingCount, failureCount: failureCount,
                    retryCount: retryCount))
        }
        try await settle(process)
    }

    /// Takes replies of workers, and note of those that have ended.
    public mutating func handleInfo(
        _ message: any Sendable, process: ServerProcess
    ) async throws {
        switch message {
        case let response as MessageResponse:
            guard let done = running.removeValue(forKey: response.request) else { break }
            finish(done)
            giveWork(to: done.worker, process)
        case let exit as MessageExit:
            guard workers.removeValue(forKey: exit.from) != nil else { break }
            state.ended(exit.from)
            process.report(.terminated(exit.reason), child: nil, exit.from)
            try countFailure(exit.from, process)
        case is RestartAlarm.Ring: break
        default: process.reportUnhandled(message)
        }
        try await settle(process)
    }

    /// Ends the workers, all at the same time. Callers that wait are told of the end of the pool.
    public mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        try await end(state.pids, process)
    }

    /// Sees to it that no work waits while a worker is idle, that there are as many workers as are
    /// wanted, and that idle ones go in time.
    private mutating func settle(_ process: ServerProcess) async throws {
        dropUnwanted()
        while let (idle, job) = state.takeWaiting() {
            start(job, on: idle, process)
            dropUnwanted()
        }
        try await grow(process)
        let idle = state.idleTooLong(spec.idleTimeout, at: process.node.clock.now)
        if !idle.isEmpty { try await end(idle, process) }
        alarm.set(for: state.nextTrim(after: spec.idleTimeout), process)
    }

    // MARK: - Work

    private mutating func start(_ job: Job, on pid: Pid, _ process: ServerProcess) {
        guard let worker = workers[pid] else { return }
        // The caller's deadline is the limit.
        let (id, reply) = process.sendRequestKeepingReply(
            job.request, to: worker, timeout: .seconds(Int64.max))
        running[id] = Running(worker: pid, job: job, reply: reply)
    }

    private mutating func finish(_ done: Running) {
        var job = done.job
        do throws(CallError) {
            job.from.reply(try done.reply.take())
        } catch {
            if done.reply.isUnhandled {
                state.returned(job)
            } else if case .exited = error, job.retriesLeft > 0, !job.from.cell.isDone {
                job.retriesLeft -= 1
                retryCount += 1
                state.returned(job)
            } else {
                job.from.cell.fail(error)
            }
        }
    }

    /// Gives a worker that is done its next job; not one that has ended, whose exit is on its way.
    private mutating func giveWork(to pid: Pid, _ process: ServerProcess) {
        guard workers[pid] != nil, process.node.isAlive(pid) else { return }
        dropUnwanted()
        if let job = state.nextJob(for: pid, at: process.node.clock.now) {
            start(job, on: pid, process)
        }
    }

    /// Passes over callers that have given up.
    private mutating func dropUnwanted() {
        state.dropWaiting { $0.from.cell.isDone }
    }

    // MARK: - Workers

    /// - Returns: why the worker was not started.
    private mutating func startWorker(
        _ process: ServerProcess
    ) async throws -> ChildStartFailure? {
        do {
            let worker = try await spec.start(ChildStarter(process))
            // A start function may return the same server again: that makes no second worker.
            guard workers[worker.pid] == nil else {
                throw SupervisorError.alreadyStarted("\(Worker.self)", worker.pid)
            }
            workers[worker.pid] = worker
            state.started(worker.pid, at: process.node.clock.now)
            process.report(.started, child: nil, worker.pid)
            giveWork(to: worker.pid, process)
            return nil
        } catch {
            if Task.isCancelled { throw CancellationError() }
            return ChildStartFailure(id: "", error: error)
        }
    }

    /// Starts as many workers as are wanted.
    private mutating func grow(_ process: ServerProcess) async throws {
        while state.wantsWorker {
            guard let failure = try await startWorker(process) else { continue }
            process.report(.startFailed(failure), child: nil, nil)
            try countFailure(nil, process)
        }
    }

    private mutating func countFailure(_ pid: Pid?, _ process: ServerProcess) throws {
        failureCount += 1
        if window.record(at: process.node.clock.now) { return }
        process.report(.givenUp, child: nil, pid)
        throw ExitReason.shutdown
    }

    /// Ends workers, all at the same time, and waits until they have ended.
    private mutating func end(_ pids: [Pid], _ process: ServerProcess) async throws {
        var endings: [ChildEnding] = []
        for pid in pids {
            workers[pid] = nil
            state.ended(pid)
            let ending = process.beginEnding(
                pid, by: spec.shutdown, killGrace: spec.killGrace)
            if let ending { endings.append(ending) }
        }
        try await ChildEnding.finishAll(endings, process)
    }
}

extension ServerRef {
    /// What a pool does at the moment.
    ///
    /// - Throws: ``CallError``.
    public func poolStatus<Worker>(
        timeout: Duration = .seconds(5)
    ) async throws(CallError) -> PoolStatus where Server == Pool<Worker> {
        try await ask(timeout: timeout) { Server.Message(kind: .status($0)) }
    }
}
