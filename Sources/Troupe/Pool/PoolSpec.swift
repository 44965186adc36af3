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
    /// How many requests may wait for a worker.
    public var capacity: Int
    /// What happens to one more.
    public var overflow: PoolOverflow
    /// How often a request is done again when its worker has failed. Only for requests that may be
    /// done twice; 0 tells the caller of the failure.
    public var retryCount: Int
    /// How long a worker beyond the least number has to be idle to be ended.
    public var idleTimeout: Duration
    /// How many workers may fail before the pool gives up and ends with `.shutdown`.
    public var limit: RestartLimit
    /// How workers are ended.
    public var shutdown: Shutdown

    let start: @Sendable (ChildStarter) async throws -> ServerRef<Worker>

    /// Makes a specification from a function that starts a worker, linked.
    public init(
        workers: ClosedRange<Int>, capacity: Int = 1000, overflow: PoolOverflow = .reject,
        retryCount: Int = 0, idleTimeout: Duration = .seconds(30),
        limit: RestartLimit = RestartLimit(), shutdown: Shutdown = .timeout(.seconds(5)),
        startedBy function: @escaping @Sendable (ChildStarter) async throws -> ServerRef<Worker>
    ) {
        self.workers = workers
        self.capacity = capacity
        self.overflow = overflow
        self.retryCount = retryCount
        self.idleTimeout = idleTimeout
        self.limit = limit
        self.shutdown = shutdown
        start = function
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
            + SupervisorSpec(limit: limit, children: []).mistakes
    }

    /// Throws if anything is wrong with it.
    public func check() throws(SpecInvalid) {
        let mistakes = mistakes
        if !mistakes.isEmpty { throw SpecInvalid(mistakes: mistakes) }
    }
}
