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
/// A worker has one request at a time. When it fails its caller is told, or the request is done
/// again, as ``PoolSpec/retryCount`` says, and another worker takes its place. Requests that wait
/// are not lost. A caller that has given up is passed over.
///
/// The pool is the supervisor of its workers, and can itself be the child of a supervisor.
///
/// - Source: Ergo's `act.Pool`; the elastic size is that of Erlang's `poolboy`.
public struct Pool<Worker: ServerProtocol>: AsyncGenServer, SupervisorBehaviour {
    public typealias Call = Worker.Call
    public typealias Reply = Worker.Reply
    public typealias Direct = Worker.Call
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

    /// Tells the pool to look for workers that have nothing to do.
    private struct Trim: Sendable {}

    private let spec: PoolSpec<Worker>
    private var state: PoolState<Job>
    private var window: RestartWindow
    private var workers: [Pid: ServerRef<Worker>] = [:]
    private var running: [RequestID: (worker: Pid, job: Job)] = [:]
    private var isTrimming = false

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
                try await endAll(process)
                throw ExitReason.shutdown(failure)
            }
        }
    }

    /// Gives the request to a worker.
    public mutating func handleCall(
        _ request: Worker.Call, from: From<Worker.Reply>, process: ServerProcess
    ) async throws -> CallResult<Worker.Reply> {
        let job = Job(request: request, from: from, retriesLeft: spec.retryCount)
        switch state.arrived(job) {
        case .start(let pid): start(job, on: pid, process)
        case .wait: break
        case .refuse(let refused):
            refused.from.cell.fail(.mailboxFull(process.pid, capacity: spec.capacity))
        case .grow: try await grow(process)
        }
        return .noReply
    }

    /// Tells what it does.
    public mutating func handleCast(_ message: Message, process: ServerProcess) async throws {
        switch message.kind {
        case .status(let replyTo):
            replyTo.reply(
                PoolStatus(
                    workers: state.pids, idleCount: state.idleCount,
                    waitingCount: state.waitingCount))
        }
    }

    /// Takes replies of workers, and note of those that have ended.
    public mutating func handleInfo(
        _ message: any Sendable, process: ServerProcess
    ) async throws {
        switch message {
        case let response as MessageResponse:
            guard let (worker, job) = running.removeValue(forKey: response.request) else { break }
            finish(job, response)
            giveWork(to: worker, process)
            while let (idle, waiting) = state.takeWaiting() { start(waiting, on: idle, process) }
        case let exit as MessageExit:
            guard workers.removeValue(forKey: exit.from) != nil else { break }
            state.ended(exit.from)
            process.report(.terminated(exit.reason), child: nil, exit.from)
            try countFailure(exit.from, process)
            try await grow(process)
        case is Trim:
            isTrimming = false
            try await trim(process)
        default: process.reportUnhandled(message)
        }
        try trimLater(process)
    }

    /// Ends the workers, all at the same time. Callers that wait are told of the end of the pool.
    public mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        try await endAll(process)
    }

    // MARK: - Work

    private mutating func start(_ job: Job, on pid: Pid, _ process: ServerProcess) {
        guard let worker = workers[pid] else { return }
        // The caller's deadline is the limit.
        let id = process.sendRequest(job.request, to: worker, timeout: .seconds(Int64.max))
        running[id] = (pid, job)
    }

    private mutating func finish(_ job: Job, _ response: MessageResponse) {
        do throws(CallError) {
            if let reply = try response.reply(as: Worker.Reply.self) { job.from.reply(reply) }
        } catch {
            switch error {
            case .exited where job.retriesLeft > 0, .noProcess where job.retriesLeft > 0:
                var again = job
                again.retriesLeft -= 1
                state.returned(again)
            default: job.from.cell.fail(error)
            }
        }
    }

    /// Gives a worker that is done its next job. One that has ended, but whose exit has not come
    /// yet, would only fail it.
    private mutating func giveWork(to pid: Pid, _ process: ServerProcess) {
        guard workers[pid] != nil, process.node.isAlive(pid) else { return }
        let now = process.node.clock.now
        while let job = state.nextJob(for: pid, at: now) {
            if job.from.cell.isDone { continue }
            return start(job, on: pid, process)
        }
    }

    // MARK: - Workers

    /// - Returns: why the worker was not started.
    private mutating func startWorker(
        _ process: ServerProcess
    ) async throws -> ChildStartFailure? {
        do {
            let worker = try await spec.start(ChildStarter(process))
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
        if window.record(at: process.node.clock.now) { return }
        process.report(.givenUp, child: nil, pid)
        throw ExitReason.shutdown
    }

    /// Ends workers that have been idle for too long.
    private mutating func trim(_ process: ServerProcess) async throws {
        for pid in state.idleTooLong(spec.idleTimeout, at: process.node.clock.now) {
            state.ended(pid)
            workers[pid] = nil
            try await process.end(pid, by: spec.shutdown)
        }
    }

    /// Has the pool look again while there are more workers than the least number.
    private mutating func trimLater(_ process: ServerProcess) throws {
        guard !isTrimming, state.workerCount > spec.workers.lowerBound else { return }
        isTrimming = true
        try process.send(Trim(), after: max(spec.idleTimeout, .milliseconds(1)))
    }

    private mutating func endAll(_ process: ServerProcess) async throws {
        let endings = workers.keys.compactMap { process.beginEnding($0, by: spec.shutdown) }
        for ending in endings { try await ending.finish(process) }
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
