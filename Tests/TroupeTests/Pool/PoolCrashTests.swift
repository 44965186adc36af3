//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Pools whose workers crash", .timeLimit(.minutes(4)))
struct PoolCrashTests {
    private let unlimited = RestartLimit(1_000_000_000)

    @Test("the caller of a worker that crashes is told why; another worker takes its place")
    func crash() async throws {
        try await withReports { node, reports in
            var spec = PoolSpec(Counter.self, 1, workers: 2)
            spec.limit = unlimited
            let pool = try await node.spawn(Pool<Counter>.self, spec)
            let before = try await pool.poolStatus().workers
            #expect(await pool.failure(of: .fail(7)) == .exited(.error(TestError(7))))
            try await pool.untilStatus { $0.failureCount == 1 && $0.workers.count == 2 }
            let after = try await pool.poolStatus()
            #expect(Set(after.workers).intersection(before).count == 1)
            #expect(after.idleCount == 2 && after.retryCount == 0)
            #expect(try await pool.call(.value) == 1)
            #expect(
                reports.elements.map(\.occurrence) == [
                    .started, .started, .terminated(.error(TestError(7))), .started,
                ])
            #expect(reports.elements.allSatisfy { $0.supervisor == pool.pid && $0.child == nil })
            // An end that is clean is one all the same.
            #expect(try await pool.call(.stop(.normal)) == 1)
            try await pool.untilStatus { $0.failureCount == 2 && $0.workers.count == 2 }
            #expect(node.count == 3)
        }
    }

    @Test("a request whose worker crashes is done again as often as is allowed")
    func retry() async throws {
        try await withNode { node in
            for retryCount in 0...3 {
                let attempts = Shared(0)
                var spec = PoolSpec(workers: 1...1) { starter in
                    try starter.spawnLinked(Unlucky.self, attempts)
                }
                (spec.retryCount, spec.limit) = (retryCount, unlimited)
                let pool = try await node.spawn(Pool<Unlucky>.self, spec)
                // It takes three attempts.
                let failure = await pool.failure(of: 3)
                #expect(failure == (retryCount < 2 ? .exited(.error(TestError(3))) : nil))
                let expected = min(retryCount, 2)
                #expect(attempts.value == expected + 1)
                try await pool.untilStatus {
                    $0.workers.count == 1 && $0.idleCount == 1 && $0.retryCount == expected
                }
                try await pool.stop()
            }
        }
    }

    @Test("requests that wait are not lost when workers crash")
    func waitingSurvive() async throws {
        try await withNode { node in
            for workers in [1...1, 2...2, 0...3] {
                let handled = Log<Int>()
                var spec = PoolSpec(Handling.self, handled, workers: workers)
                spec.limit = unlimited
                let pool = try await node.spawn(Pool<Handling>.self, spec)
                let count = workers.upperBound
                let blocked = (0..<count).map { _ in pool.sendRequest(.sleep(-1)) }
                let waiting = (0..<20).map { number in
                    pool.sendRequest(number % 3 == 0 ? .fail(number) : .value(number))
                }
                try await pool.untilStatus { $0.waitingCount == 20 }
                // A request that has not begun is given to another worker.
                _ = await handled.wait(for: count)
                for pid in try await pool.poolStatus().workers { node.kill(pid) }
                for reply in blocked {
                    await #expect(throws: CallError.exited(.killed)) {
                        try await reply.receive(timeout: .seconds(30))
                    }
                }
                for (number, reply) in waiting.enumerated() {
                    if number % 3 == 0 {
                        await #expect(throws: CallError.exited(.error(TestError(number)))) {
                            try await reply.receive(timeout: .seconds(30))
                        }
                    } else {
                        #expect(try await reply.receive(timeout: .seconds(30)) == number)
                    }
                }
                let blockedOnes = Array(repeating: -1, count: count)
                #expect(handled.elements.sorted() == blockedOnes + Array(0..<20))
                try await pool.stop()
            }
        }
    }

    @Test("a request that was given to a worker that ends before it begins is done by another")
    func unbegun() async throws {
        try await withNode { node in
            let workers = Log<ServerRef<Counter>>()
            var spec = PoolSpec(workers: 1...1) { starter in
                let worker = try starter.spawnLinked(
                    Counter.self, workers.elements.count, options: .init(ownThread: true))
                workers.append(worker)
                return worker
            }
            spec.limit = unlimited
            let pool = try await node.spawn(Pool<Counter>.self, spec)
            let (gate, isBlocked) = (Gate(), Gate())
            try workers.elements[0].cast(.block(gate, started: isBlocked))
            await isBlocked.wait()
            // For the pool the worker is idle, so it is given the request.
            let reply = pool.sendRequest(.value)
            try await pool.untilStatus { $0.idleCount == 0 }
            node.kill(workers.elements[0].pid)
            gate.open()
            #expect(try await reply.receive(timeout: .seconds(30)) == 1)
            let status = try await pool.poolStatus()
            #expect(status.failureCount == 1 && status.retryCount == 0)
        }
    }

    @Test("a worker that ends after its reply loses no request that it was given meanwhile")
    func endsAfterReply() async throws {
        try await withNode { node in
            var spec = PoolSpec(Fickle.self, (), workers: 2)
            spec.limit = unlimited
            let pool = try await node.spawn(Pool<Fickle>.self, spec)
            try await withThrowingTaskGroup { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<250 {
                            let reply = try await pool.call(.last, timeout: .seconds(60))
                            #expect(reply == 2)
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await pool.untilStatus { $0.failureCount == 1000 && $0.idleCount == 2 }
            #expect(try await pool.poolStatus().retryCount == 0)
        }
    }

    @Test("idle workers that are killed lose no request")
    func idleKilled() async throws {
        try await withNode { node in
            var spec = PoolSpec(Counter.self, 1, workers: 2)
            spec.limit = unlimited
            // Whoever is killed while it handles a request has it done again.
            spec.retryCount = .max
            let pool = try await node.spawn(Pool<Counter>.self, spec)
            for _ in 0..<200 {
                for pid in try await pool.poolStatus().workers { node.kill(pid) }
                #expect(try await pool.call(.value, timeout: .seconds(60)) == 1)
            }
        }
    }

    @Test("a pool whose workers crash too often gives up, and tells all callers")
    func storm() async throws {
        try await withReports { node, reports in
            var spec = PoolSpec(AsyncCounter.self, 1, workers: 2)
            spec.limit = RestartLimit(2)
            let pool = try await node.spawn(Pool<AsyncCounter>.self, spec)
            // It looks at none before all have been sent.
            try await pool.suspend()
            let running = pool.sendRequest(.sleep(.seconds(3600)))
            let crashing = (0..<3).map { pool.sendRequest(.fail($0)) }
            let waiting = (0..<5).map { _ in pool.sendRequest(.value) }
            try await pool.resume()
            #expect(try await pool.exitReason == .shutdown)
            for (number, reply) in crashing.enumerated() {
                await #expect(throws: CallError.exited(.error(TestError(number)))) {
                    try await reply.receive(timeout: .seconds(30))
                }
            }
            for reply in [running] + waiting {
                await #expect(throws: CallError.exited(.shutdown)) {
                    try await reply.receive(timeout: .seconds(30))
                }
            }
            #expect(reports.elements.map(\.occurrence).contains(.givenUp))
            #expect(await pool.failure(of: .value) == .noProcess(pool.pid))
            #expect(node.count == 0)
        }
    }

    @Test("a worker that does not start: the pool does not either, or gives up later")
    func startFails() async throws {
        try await withNode { node in
            let starts = Shared(0)
            func spec(_ good: Int) -> PoolSpec<Counter> {
                starts.value = 0
                return PoolSpec(workers: 3...3) { starter in
                    let isGood = starts.increment() <= good
                    return try starter.spawnLinked(Counter.self, isGood ? 1 : -1)
                }
            }
            let failure = await spawnFailure { () async throws(SpawnError) in
                try await node.spawn(Pool<Counter>.self, spec(2))
            }
            let error = SpawnError.initFailed(.error(TestError(-1)))
            #expect(
                failure?.initReason == .shutdown(ChildStartFailure(id: "", error: error)))
            #expect(node.count == 0)

            let pool = try await node.spawn(Pool<Counter>.self, spec(3))
            let failureOfCall = await pool.failure(of: .fail(1))
            #expect(failureOfCall == .exited(.error(TestError(1))))
            #expect(try await pool.exitReason == .shutdown)
            // The crash, and the attempt to start another.
            #expect(starts.value == 4)
            #expect(node.count == 0)
        }
    }

    @Test("start functions that return a worker twice, an ended one, or one that is not linked")
    func strangeStarts() async throws {
        try await withNode { node in
            let one = try node.spawn(Counter.self, 1)
            let twice = PoolSpec(workers: 2...2) { _ in one }
            let failure = await spawnFailure { () async throws(SpawnError) in
                try await node.spawn(Pool<Counter>.self, twice)
            }
            let error = SupervisorError.alreadyStarted("Counter", one.pid)
            #expect(
                failure?.initReason == .shutdown(ChildStartFailure(id: "", error: error)))
            // It was a worker for a moment, and ended with the others.
            #expect(node.count == 0)

            let starts = Shared(0)
            var spec = PoolSpec(workers: 1...1) { _ in
                starts.increment() == 1 ? one : try node.spawn(Counter.self, 2)
            }
            spec.limit = RestartLimit(2)
            let pool = try await node.spawn(Pool<Counter>.self, spec)
            #expect(try await pool.call(.value) == 2)
            let status = try await pool.poolStatus()
            #expect(status.failureCount == 1 && status.workers.count == 1)
            #expect(node.info(pool.pid)?.links == status.workers)
            node.kill(status.workers[0])
            #expect(try await pool.call(.value) == 2)
            try await pool.stop()
            #expect(node.count == 0)
        }
    }

    @Test("a pool that is stopped while it is busy ends its workers and tells its callers")
    func stop() async throws {
        try await withReports { node, reports in
            let pool = try await node.spawn(
                Pool<AsyncCounter>.self, PoolSpec(AsyncCounter.self, 1, workers: 2))
            let calls = (0..<5).map { _ in pool.sendRequest(.sleep(.seconds(3600))) }
            try await pool.untilStatus { $0.waitingCount == 3 }
            try await pool.stop(.shutdown("done"))
            for call in calls {
                await #expect(throws: CallError.exited(.shutdown("done"))) {
                    try await call.receive(timeout: .seconds(30))
                }
            }
            #expect(node.count == 0)
            #expect(reports.elements.map(\.occurrence) == [.started, .started])

            let killed = try await node.spawn(
                Pool<AsyncCounter>.self, PoolSpec(AsyncCounter.self, 1, workers: 2))
            let lost = (0..<3).map { _ in killed.sendRequest(.sleep(.seconds(3600))) }
            try await killed.untilStatus { $0.waitingCount == 1 }
            node.kill(killed.pid)
            for call in lost {
                await #expect(throws: CallError.exited(.killed)) {
                    try await call.receive(timeout: .seconds(30))
                }
            }
            await waitWhile { node.count > 0 }
        }
    }

    @Test("a pool under a supervisor comes back under its name")
    func supervised() async throws {
        try await withNode { node in
            let tree = try await node.spawn(
                Supervisor.self,
                SupervisorSpec {
                    ChildSpec(
                        Pool<Counter>.self, PoolSpec(Counter.self, 1, workers: 2), name: "pool")
                })
            let find = { @Sendable in node.whereis("pool", as: Pool<Counter>.self) }
            let first = try #require(find())
            #expect(try await first.call(.value) == 1)
            #expect(try await tree.countChildren().supervisors == 1)
            // Twice is once too often for the pool, and once for its supervisor.
            for number in 0..<2 {
                #expect(
                    await first.failure(of: .fail(number)) == .exited(.error(TestError(number))))
            }
            #expect(try await first.exitReason == .shutdown)
            await waitWhile { (find() ?? first) == first }
            let second = try #require(find())
            #expect(try await second.call(.value) == 1)
            try await tree.stop()
            #expect(node.count == 0)
        }
    }

    @Test("clients go on while workers are killed all the time; every call has one answer")
    func chaos() async throws {
        try await withNode { node in
            var spec = PoolSpec(Summing.self, (), workers: 1...4)
            (spec.limit, spec.retryCount, spec.idleTimeout) = (unlimited, .max, .milliseconds(1))
            let pool = try await node.spawn(Pool<Summing>.self, spec)
            let killer = Task {
                var random = SeededGenerator(seed: 1)
                while !Task.isCancelled {
                    let workers = try await pool.poolStatus().workers
                    if let victim = workers.randomElement(using: &random) { node.kill(victim) }
                    await Task.yield()
                }
            }
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for client in 0..<4 {
                    group.addTask {
                        var sum = 0
                        for number in 0..<300 {
                            sum += try await pool.call(
                                .add(client * 300 + number), timeout: .seconds(120))
                        }
                        return sum
                    }
                }
                return try await group.reduce(0, +)
            }
            killer.cancel()
            _ = await killer.result
            #expect(sum == 1200 * 1199 / 2)
            #expect(try await pool.poolStatus().failureCount > 0)
            try await pool.stop()
            await waitWhile { node.count > 0 }
        }
    }
}

/// Fails at a request until it has been tried as often as the request says.
struct Unlucky: GenServer {
    typealias Call = Int

    let attempts: Shared<Int>

    init(_ attempts: Shared<Int>, process: ServerProcess) { self.attempts = attempts }

    mutating func handleCall(
        _ request: Int, from: From<Int>, process: ServerProcess
    ) throws -> CallResult<Int> {
        if attempts.increment() < request { throw TestError(request) }
        return .reply(request)
    }
}
