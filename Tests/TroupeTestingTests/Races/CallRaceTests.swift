//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import TroupeTesting

@testable import Troupe

@Suite("Simulated races of calls", .timeLimit(.minutes(30)))
struct CallRaceTests {
    // MARK: - Deadlines

    /// Replies a while after it was asked.
    private struct LateReplier: GenServer {
        struct Due: Sendable { let number: Int }

        let wasFirst: Journal<Bool>
        var waiting: [Int: From<Int>] = [:]
        var asked = 0

        init(_ wasFirst: Journal<Bool>, process: ServerProcess) { self.wasFirst = wasFirst }

        mutating func handleCall(
            _ delay: Duration, from: From<Int>, process: ServerProcess
        ) throws -> CallResult<Int> {
            asked += 1
            waiting[asked] = from
            try process.send(Due(number: asked), after: delay)
            return .noReply
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
            guard let due = message as? Due, let from = waiting.removeValue(forKey: due.number)
            else { return }
            wasFirst.append(from.reply(due.number))
        }
    }

    private static func lateReply(
        _ simulation: Simulation, callers: Int, rounds: Int
    ) async throws {
        let node = try simulation.node()
        let wasFirst = Journal<Bool>()
        let server = try node.spawn(LateReplier.self, wasFirst)
        let callers = try (0..<callers).map { _ in
            try node.spawn { process in
                var replyCount = 0
                for _ in 0..<rounds {
                    do throws(CallError) {
                        _ = try await server.call(.milliseconds(2), timeout: .milliseconds(2))
                        replyCount += 1
                    } catch {
                        try Violation.unless(error == .timeout(server.pid), "\(error)")
                    }
                    let rest = try await process.receive(timeout: .zero)
                    try Violation.unless(rest == nil, "left in the mailbox: \(rest as Any)")
                }
                try await process.expectNothing()
                return replyCount
            }
        }
        var replyCount = 0
        for caller in callers { replyCount += try await caller.value }
        await simulation.settle()
        // Both sides agree on which replies were in time.
        #expect(wasFirst.entries.count == callers.count * rounds)
        #expect(wasFirst.entries.count { $0 } == replyCount)
        #expect(server.cell.deferredCallCount == 0)
    }

    @Test("RACE-12 a call whose reply comes at its deadline has one outcome, and leaves nothing")
    func lateReply() async throws {
        var options = SimulationOptions()
        options.faults = [.lateTimer(probability: 0.3, by: .milliseconds(1))]
        try await explore(.lateReply, options: options) { simulation, _ in
            try await Self.lateReply(simulation, callers: 2, rounds: 3)
        }
        for delays in [0, 2] {
            try await exploreAll(delays: delays) { simulation, _ in
                try await Self.lateReply(simulation, callers: 1, rounds: 1)
            }
        }
    }

    // MARK: - A server that ends

    private enum Request: CaseIterable, Sendable {
        case stopWithReply, replyAndFail, fail, deferAndFail

        /// Whether the reply is sent before the server ends, if it gets so far.
        var isAnswered: Bool { self == .stopWithReply || self == .replyAndFail }

        func answer(
            from: From<Int>, _ process: some ProcessContext
        ) throws -> CallResult<Int> {
            switch self {
            case .stopWithReply: return .stop(.custom("own"), reply: 7)
            case .replyAndFail:
                from.reply(7)
                throw ExitReason.custom("own")
            case .fail: throw ExitReason.custom("own")
            case .deferAndFail:
                try process.send("fail", to: process.pid)
                return .noReply
            }
        }
    }

    private struct Ender: GenServer {
        init(_: Void, process: ServerProcess) {}

        mutating func handleCall(
            _ request: Request, from: From<Int>, process: ServerProcess
        ) throws -> CallResult<Int> {
            try request.answer(from: from, process)
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
            throw ExitReason.custom("own")
        }
    }

    private struct AsyncEnder: AsyncGenServer {
        init(_: Void, process: ServerProcess) async {}

        mutating func handleCall(
            _ request: Request, from: From<Int>, process: ServerProcess
        ) async throws -> CallResult<Int> {
            await pause(1)
            return try request.answer(from: from, process)
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
            throw ExitReason.custom("own")
        }
    }

    private static func exitDuringCall(
        _ simulation: Simulation, _ request: Request, isAsync: Bool, isKilled: Bool
    ) async throws {
        let node = try simulation.node()
        let caller = try node.spawn { process in
            let pid: Pid
            let ref: MonitorRef
            let call: @Sendable () async throws(CallError) -> Int
            if isAsync {
                let server: ServerRef<AsyncEnder>
                (server, ref) = try await process.spawnMonitored(AsyncEnder.self)
                pid = server.pid
                call = { () async throws(CallError) in try await server.call(request) }
            } else {
                let server: ServerRef<Ender>
                (server, ref) = try process.spawnMonitored(Ender.self)
                pid = server.pid
                call = { () async throws(CallError) in try await server.call(request) }
            }
            if isKilled { try node.spawnKiller(of: pid) }
            await pause(1)
            var reply: Int?
            var failure: CallError?
            do throws(CallError) { reply = try await call() } catch { failure = error }
            var messages = try await process.rest()
            let down = messages.popLast() as? MessageDown
            guard messages.isEmpty, let down, down.ref == ref else {
                throw Violation(description: "\(messages), \(down as Any)")
            }
            switch failure {
            case nil:
                try Violation.unless(request.isAnswered && reply == 7, "\(reply as Any)")
            case .exited(let reason):
                try Violation.unless(
                    reason == down.reason && (!request.isAnswered || reason == .killed),
                    "\(reason)")
            default:
                try Violation.unless(failure == .noProcess(pid), "\(failure as Any)")
            }
            let possible: [ExitReason] = isKilled ? [.custom("own"), .killed] : [.custom("own")]
            try Violation.unless(possible.contains(down.reason), "\(down)")
            try Violation.unless(!node.isAlive(pid), "it has not ended")
        }
        try await caller.value
    }

    @Test("RACE-13 a call to a server that ends gets the reply, if there was one, else the reason")
    func exitDuringCall() async throws {
        try await explore(.exitDuringCall) { simulation, _ in
            try await Self.exitDuringCall(
                simulation, Request.allCases[simulation.random(in: 0..<4)],
                isAsync: simulation.random(in: 0..<2) == 1,
                isKilled: simulation.random(in: 0..<2) == 1)
        }
        for request in Request.allCases {
            for isAsync in [false, true] {
                try await exploreAll { simulation, _ in
                    try await Self.exitDuringCall(
                        simulation, request, isAsync: isAsync, isKilled: true)
                }
            }
        }
    }

    // MARK: - A caller that ends

    /// Answers later.
    private struct Deferring: GenServer {
        enum Cast: Sendable { case reply }

        let wasFirst: Journal<Bool>
        var callers: [From<Int>] = []

        init(_ wasFirst: Journal<Bool>, process: ServerProcess) { self.wasFirst = wasFirst }

        mutating func handleCall(
            _ request: Bool, from: From<Int>, process: ServerProcess
        ) -> CallResult<Int> {
            if request { return .reply(2) }
            callers.append(from)
            return .noReply
        }

        mutating func handleCast(_ message: Cast, process: ServerProcess) {
            wasFirst.append(callers.popLast()?.reply(1) ?? false)
        }
    }

    private static func callerDies(_ simulation: Simulation) async throws {
        let node = try simulation.node()
        let wasFirst = Journal<Bool>()
        let server = try node.spawn(Deferring.self, wasFirst)
        let caller = try node.spawn { _ in
            try await server.call(false, timeout: .seconds(1000))
        }
        try node.spawnKiller(of: caller.pid)
        try node.spawn { _ in try server.cast(.reply) }
        let reason = try await caller.exitReason
        await simulation.settle()
        if reason == .normal {
            #expect(wasFirst.entries == [true])
        } else {
            #expect(reason == .killed)
        }
        #expect(server.cell.deferredCallCount == 0)
        // The server goes on, whether the reply was for nobody or the call came after it.
        let answer = try await server.call(true)
        #expect(answer == 2)
        try server.cast(.reply)
        await simulation.settle()
        #expect(wasFirst.entries.count == 2 && wasFirst.entries.last == false)
    }

    @Test("RACE-15 the reply to a caller that has died goes nowhere, and the server forgets it")
    func callerDies() async throws {
        // A caller that is not killed in time would wait for its reply very long.
        try await explore(.callerDies) { simulation, _ in try await Self.callerDies(simulation) }
        for delays in [0, 2] {
            try await exploreAll(delays: delays) { simulation, _ in
                try await Self.callerDies(simulation)
            }
        }
    }

    @Test("callers of a server that dies go on in an order that the seed decides")
    func callersOfDead() async throws {
        for seed in UInt64(1)...20 {
            try await expectSameTrace(seed: seed) { simulation in
                let node = try simulation.node()
                let server = try node.spawn(Deferring.self, Journal())
                let order = Journal<Int>()
                for number in 0..<5 {
                    try node.spawn { _ in
                        let answer = try? await server.call(false)
                        try Violation.unless(answer == nil, "\(answer as Any)")
                        order.append(number)
                    }
                }
                await simulation.settle()
                node.kill(server.pid)
                await simulation.settle()
                simulation.log("\(order.entries)")
                #expect(order.entries.count == 5)
            }
        }
    }
}
