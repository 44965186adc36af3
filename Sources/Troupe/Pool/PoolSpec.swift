//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What happens to one more request when as many wait in a ``Pool`` as may.
public enum PoolOverflow: Sendable, Hashable {
    /// Its caller gets `.mailboxFull`. The default.
    case reject
    /// The caller that has waited longest gets `.mailboxFull`.
    case dropOldest
}

/// What a ``Pool`` is started with.
public struct PoolSpec<Worker: ServerProtocol>: Sendable {
    /// How many workers there are at least and at most. With more than one number the pool starts
    /// workers when requests would have to wait, and ends those that have nothing to do.
    public var workers: ClosedRange<Int>
    /// How many requests may wait for a worker; 1000 unless you say otherwise. The mailbox of the
    /// pool, through which every request comes, has its own bound.
    public var capacity: Int
    /// What happens to one more.
    public var overflow: PoolOverflow
    /// How often a request is done again when its worker has failed while it handled it. Only for
    /// requests that may be done twice; 0, the default, tells the caller of the failure. A request
    /// that the worker had not begun to handle is given to another one in any case.
    public var retryCount: Int
    /// How long a worker beyond the least number has to be idle to be ended; 30 s unless you say
    /// otherwise.
    public var idleTimeout: Duration
    /// How many workers may fail before the pool gives up and ends with `.shutdown`. A worker that
    /// ends by itself has failed, whatever its reason; so has one that cannot be started.
    public var limit: RestartLimit
    /// How workers are ended.
    public var shutdown: Shutdown
    /// How long a killed worker may take to return from its callback before it is reported as stuck
    /// and left behind.
    public var killGrace: Duration

    let start: @Sendable (ChildStarter) async throws -> ServerRef<Worker>

    /// Makes a specification from a function that starts a worker.
    ///
    /// - Parameters:
    ///   - workers: how many workers there are at least and at most.
    ///   - capacity: how many requests may wait for a worker.
    ///   - overflow: what happens to one more.
    ///   - retryCount: how often a request is done again when its worker has failed.
    ///   - idleTimeout: how long a worker beyond the least number has to be idle to be ended.
    ///   - limit: how many workers may fail before the pool gives up.
    ///   - shutdown: how workers are ended.
    ///   - killGrace: how long a killed worker may take to return from its callback.
    ///   - function: starts a worker. It runs in the pool, which waits for it. The worker should be
    ///     linked from the beginning; one that is not is linked afterwards.
    public init(
        workers: ClosedRange<Int>, capacity: Int = 1000, overflow: PoolOverflow = .reject,
        retryCount: Int = 0, idleTimeout: Duration = .seconds(30),
        limit: RestartLimit = RestartLimit(), shutdown: Shutdown = .timeout(.seconds(5)),
        killGrace: Duration = .seconds(1),
        startedBy function:
            @escaping @concurrent @Sendable (ChildStarter) async throws -> ServerRef<Worker>
    ) {
        self.workers = workers
        self.capacity = capacity
        self.overflow = overflow
        self.retryCount = retryCount
        self.idleTimeout = idleTimeout
        self.limit = limit
        self.shutdown = shutdown
        self.killGrace = killGrace
        start = { starter in
            let worker = try await function(starter.copy())
            // It does nothing to a worker that is linked. One that has ended before it could be
            // linked is seen all the same.
            do {
                try starter.link(to: worker.pid)
            } catch {
                starter.cell.receiveUnlinkedExit(.noProcess, from: worker.pid)
            }
            return worker
        }
    }

    /// Makes a specification of a fixed number of workers.
    public init(
        _ worker: Worker.Type, _ argument: Worker.Argument, workers: Int,
        options: ProcessOptions = .default
    ) where Worker: GenServer {
        self.init(worker, argument, workers: workers...max(workers, 0), options: options)
    }

    /// Makes a specification of an elastic number of workers.
    public init(
        _ worker: Worker.Type, _ argument: Worker.Argument, workers: ClosedRange<Int>,
        options: ProcessOptions = .default
    ) where Worker: GenServer {
        self.init(workers: workers) { starter in
            try starter.spawnLinked(worker, argument, options: options)
        }
    }

    /// Makes a specification of a fixed number of workers whose handlers may wait.
    public init(
        _ worker: Worker.Type, _ argument: Worker.Argument, workers: Int,
        options: ProcessOptions = .default
    ) where Worker: AsyncGenServer {
        self.init(worker, argument, workers: workers...max(workers, 0), options: options)
    }

    /// Makes a specification of an elastic number of workers whose handlers may wait.
    public init(
        _ worker: Worker.Type, _ argument: Worker.Argument, workers: ClosedRange<Int>,
        options: ProcessOptions = .default
    ) where Worker: AsyncGenServer {
        self.init(workers: workers) { starter in
            try await starter.spawnLinked(worker, argument, options: options)
        }
    }

    /// Everything that is wrong with it; empty when nothing is.
    public var mistakes: [SpecMistake] {
        var kinds: [SpecMistake.Kind] = []
        if workers.lowerBound < 0 || workers.upperBound < 1 {
            kinds.append(.workerCountInvalid(workers))
        }
        if capacity < 0 { kinds.append(.queueCapacityInvalid(capacity)) }
        if retryCount < 0 { kinds.append(.retryCountInvalid(retryCount)) }
        if idleTimeout < .zero { kinds.append(.durationNegative(idleTimeout)) }
        if case .timeout(let limit) = shutdown, limit < .zero {
            kinds.append(.durationNegative(limit))
        }
        return kinds.map { SpecMistake(path: [], kind: $0) }
            + SupervisorSpec(limit: limit, killGrace: killGrace, children: []).mistakes
    }

    /// Throws if anything is wrong with it.
    public func check() throws(SpecInvalid) {
        let mistakes = mistakes
        if !mistakes.isEmpty { throw SpecInvalid(mistakes: mistakes) }
    }
}
