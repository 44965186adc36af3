//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Pools", .timeLimit(.minutes(4)))
struct PoolTests {
    /// A pool whose workers are kept busy by calls that wait for the gate, one for each.
    private func busy(
        _ node: Node, _ spec: PoolSpec<AsyncCounter>, gate: Gate, calls: Int,
        _ body: (WaitingPool) async throws -> Void
    ) async throws {
        let pool = try await node.spawn(Pool<AsyncCounter>.self, spec)
        try await withThrowingTaskGroup { group in
            for _ in 0..<calls {
                group.addTask {
                    let reply = try await pool.call(.wait(gate), timeout: .seconds(60))
                    #expect(reply == 1)
                }
            }
            try await pool.untilStatus {
                $0.idleCount == 0 && $0.workers.count + $0.waitingCount >= calls
            }
            try await body(pool)
            gate.open()
            try await group.waitForAll()
        }
        #expect(try await pool.poolStatus().waitingCount == 0)
    }

    @Test("a fixed pool has its workers from the beginning, linked, and uses them all")
    func fixed() async throws {
        try await withNode { node in
            let gate = Gate()
            let spec = PoolSpec(AsyncCounter.self, 1, workers: 3)
            try await busy(node, spec, gate: gate, calls: 4) { pool in
                let status = try await pool.poolStatus()
                #expect(status.workers.count == 3 && status.waitingCount == 1)
                #expect(status.failureCount == 0 && status.retryCount == 0)
                #expect(node.info(pool.pid).map { Set($0.links) } == Set(status.workers))
                #expect(node.count == 4)
            }
            await waitWhile { node.count > 4 }
        }
    }

    @Test("requests are answered by workers of both kinds, to processes and to plain code")
    func answers() async throws {
        try await withNode { node in
            let direct = try await node.spawn(
                Pool<Counter>.self, PoolSpec(Counter.self, 5, workers: 1))
            #expect(try await direct.call(.value) == 5)
            #expect(try await direct.call(.add(2)) == 7)
            #expect(try await direct.direct(.value) == 7)
            let blocking = await node.runBlocking {
                Swift.Result { try direct.directBlocking(.value) }
            }
            #expect(try blocking.get() == 7)
            let waiting = try await node.spawn(
                Pool<AsyncCounter>.self, PoolSpec(AsyncCounter.self, 6, workers: 2))
            #expect(try await waiting.call(.value) == 6)
            let pending = waiting.sendRequest(.value)
            #expect(try await pending.receive() == 6)
            let left = try await node.runProcess { process in
                let id = process.sendRequest(.value, to: direct)
                let response = try await process.receive() as? MessageResponse
                #expect(response?.request == id)
                #expect(try response?.reply(as: Int.self) == 7)
                #expect(try await direct.call(.value) == 7)
            }.left
            #expect(left == [])
        }
    }

    @Test("a worker that defers its reply has no other request until it has replied")
    func deferred() async throws {
        try await withNode { node in
            let workers = Log<ServerRef<Counter>>()
            let spec = PoolSpec(workers: 1...1) { starter in
                let worker = try starter.spawnLinked(Counter.self, 3)
                workers.append(worker)
                return worker
            }
            let pool = try await node.spawn(Pool<Counter>.self, spec)
            let isStored = Gate()
            async let first = pool.call(.later(isStored))
            await isStored.wait()
            async let second = pool.call(.add(1))
            try await pool.untilStatus { $0.waitingCount == 1 }
            try workers.elements[0].cast(.increment(by: 10))
            try workers.elements[0].cast(.replyToLater)
            #expect(try await first == 13)
            #expect(try await second == 14)
        }
    }

    @Test("replies that are nil are replies")
    func optionalReplies() async throws {
        try await withNode { node in
            let pool = try await node.spawn(
                Pool<Fickle>.self, PoolSpec(Fickle.self, (), workers: 2))
            for _ in 0..<10 {
                #expect(try await pool.call(.nothing) == nil)
                #expect(try await pool.call(.number) == 1)
            }
        }
    }

    @Test("an elastic pool grows when requests would wait, up to the most, and shrinks again")
    func elastic() async throws {
        try await withNode { node in
            let gate = Gate()
            var spec = PoolSpec(AsyncCounter.self, 1, workers: 1...3)
            spec.idleTimeout = .milliseconds(30)
            try await busy(node, spec, gate: gate, calls: 5) { pool in
                let status = try await pool.poolStatus()
                #expect(status.workers.count == 3 && status.waitingCount == 2)
            }
            let pool = try await node.spawn(
                Pool<AsyncCounter>.self, spec, options: .init(name: "p"))
            #expect(try await pool.poolStatus().workers.count == 1)
            let began = node.clock.now
            let wide = Gate()
            let calls = (0..<3).map { _ in pool.sendRequest(.wait(wide)) }
            try await pool.untilStatus { $0.workers.count == 3 && $0.idleCount == 0 }
            wide.open()
            for call in calls { #expect(try await call.receive() == 1) }
            try await pool.untilStatus { $0.workers.count == 1 }
            #expect(began.duration(to: node.clock.now) >= .milliseconds(30))
            #expect(try await pool.call(.value) == 1)
            let status = try await pool.poolStatus()
            #expect(status.idleCount == 1 && status.failureCount == 0)
            await waitWhile { node.count > 4 }
        }
    }

    @Test("a pool may begin without workers, keep those it has for ever, or for no time at all")
    func idleTimeouts() async throws {
        try await withNode { node in
            for timeout in [Duration.zero, .seconds(Int64.max)] {
                var spec = PoolSpec(Counter.self, 1, workers: 0...2)
                spec.idleTimeout = timeout
                let pool = try await node.spawn(Pool<Counter>.self, spec)
                #expect(try await pool.poolStatus().workers == [])
                for _ in 0..<10 { #expect(try await pool.call(.value) == 1) }
                if timeout == .zero {
                    try await pool.untilStatus { $0.workers == [] }
                } else {
                    #expect(try await pool.poolStatus().workers.count == 1)
                }
                try await pool.stop()
            }
        }
    }

    @Test("when the queue is full the new caller is refused, or the one that waits longest")
    func overflow() async throws {
        try await withNode { node in
            for overflow in [PoolOverflow.reject, .dropOldest] {
                let gate = Gate()
                var spec = PoolSpec(AsyncCounter.self, 1, workers: 1)
                (spec.capacity, spec.overflow) = (2, overflow)
                let pool = try await node.spawn(Pool<AsyncCounter>.self, spec)
                let calls = (0..<3).map { _ in pool.sendRequest(.wait(gate)) }
                try await pool.untilStatus { $0.waitingCount == 2 }
                let last = pool.sendRequest(.value)
                let refused = overflow == .reject ? last : calls[1]
                await #expect(throws: CallError.mailboxFull(pool.pid, capacity: 2)) {
                    try await refused.receive(timeout: .seconds(30))
                }
                #expect(try await pool.poolStatus().waitingCount == 2)
                gate.open()
                for call in [calls[0], overflow == .reject ? calls[1] : last, calls[2]] {
                    #expect(try await call.receive(timeout: .seconds(30)) == 1)
                }
                try await pool.stop()
            }
        }
    }

    @Test("callers that have given up are passed over, and make room for others")
    func givenUp() async throws {
        try await withNode { node in
            let (gate, handled) = (Gate(), Log<Int>())
            var spec = PoolSpec(workers: 1...1) { starter in
                try await starter.spawnLinked(Handling.self, handled)
            }
            spec.capacity = 2
            let pool = try await node.spawn(Pool<Handling>.self, spec)
            let first = pool.sendRequest(.wait(0, gate))
            try await pool.untilStatus { $0.idleCount == 0 }
            // One runs out of time, the other is cancelled.
            let late = await pool.failure(of: .value(1), timeout: .milliseconds(5))
            #expect(late == .timeout(pool.pid))
            let cancelled = Task { await pool.failure(of: .value(2)) }
            cancelled.cancel()
            #expect(await cancelled.value == .cancelled)
            let wanted = (3...4).map { pool.sendRequest(.value($0)) }
            try await pool.untilStatus { $0.waitingCount == 2 }
            #expect(
                await pool.failure(of: .value(5))
                    == .mailboxFull(pool.pid, capacity: 2))
            gate.open()
            for reply in [first] + wanted { _ = try await reply.receive(timeout: .seconds(30)) }
            #expect(handled.elements == [0, 3, 4])
        }
    }

    @Test("every mistake of a specification is named, before anything starts")
    func mistakes() async throws {
        try await withNode { node in
            var spec = PoolSpec(Counter.self, 0, workers: -2)
            spec.capacity = -1
            spec.retryCount = -2
            spec.idleTimeout = .seconds(-3)
            spec.shutdown = .timeout(.seconds(-4))
            spec.limit = RestartLimit(-5)
            spec.killGrace = .seconds(-6)
            #expect(
                spec.mistakes.map(\.kind) == [
                    .workerCountInvalid(-2...0), .queueCapacityInvalid(-1), .retryCountInvalid(-2),
                    .durationNegative(.seconds(-3)), .durationNegative(.seconds(-4)),
                    .limitInvalid(RestartLimit(-5)), .durationNegative(.seconds(-6)),
                ])
            let failure = await spawnFailure { () async throws(SpawnError) in
                try await node.spawn(Pool<Counter>.self, spec)
            }
            #expect(failure?.initReason == .error(SpecInvalid(mistakes: spec.mistakes)))
            for sizes in [0...0, -1...4] {
                let mistakes = PoolSpec(Counter.self, 0, workers: sizes).mistakes
                #expect(mistakes.map(\.kind) == [.workerCountInvalid(sizes)])
            }
            #expect(PoolSpec(Counter.self, 0, workers: 0...1).mistakes == [])
            #expect(node.count == 0)
        }
    }

    @Test("many clients at once: each call has its answer, and nothing is done twice")
    func throughput() async throws {
        let wanted = TestEnvironment.number("TROUPE_STRESS_OPERATIONS") ?? 10_000
        let (clients, calls) = (8, min(wanted / 10, 10_000))
        try await withNode { node in
            for sizes in [4...4, 1...8] {
                let pool = try await node.spawn(
                    Pool<Summing>.self, PoolSpec(Summing.self, (), workers: sizes))
                let sums = try await withThrowingTaskGroup(of: Int.self) { group in
                    for client in 0..<clients {
                        group.addTask {
                            var sum = 0
                            for number in 0..<calls {
                                let value = client * calls + number
                                sum += try await pool.call(.add(value), timeout: .seconds(120))
                            }
                            return sum
                        }
                    }
                    return try await group.reduce(0, +)
                }
                let all = clients * calls
                #expect(sums == all * (all - 1) / 2)
                let status = try await pool.poolStatus()
                #expect(status.waitingCount == 0 && status.idleCount == status.workers.count)
                var (added, count) = (0, 0)
                for pid in status.workers {
                    guard case .process(let cell) = node.locate(pid) else { continue }
                    let worker = ServerRef<Summing>(cell)
                    added += try await worker.call(.sum)
                    count += try await worker.call(.count)
                }
                #expect(count <= all)
                if sizes.lowerBound == sizes.upperBound {
                    #expect(added == sums && count == all)
                }
                try await pool.stop()
            }
        }
    }
}

/// Writes down which requests it handles, before it does.
struct Handling: AsyncGenServer {
    enum Call: Sendable { case value(Int), wait(Int, Gate), sleep(Int), fail(Int) }

    let log: Log<Int>

    init(_ log: Log<Int>, process: ServerProcess) { self.log = log }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) async throws -> CallResult<Int> {
        switch request {
        case .value(let number):
            log.append(number)
            return .reply(number)
        case .wait(let number, let gate):
            log.append(number)
            await gate.wait()
            return .reply(number)
        case .sleep(let number):
            log.append(number)
            try await process.sleep(for: .seconds(3600))
            return .reply(number)
        case .fail(let number):
            log.append(number)
            throw TestError(number)
        }
    }
}

/// Adds up what it is sent, and echoes it.
struct Summing: GenServer {
    enum Call: Sendable { case add(Int), sum, count }

    var sum = 0
    var count = 0

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        switch request {
        case .add(let value):
            sum += value
            count += 1
            return .reply(value)
        case .sum: return .reply(sum)
        case .count: return .reply(count)
        }
    }
}
