//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("What a simulation finds by itself")
struct DetectorTests {
    @Test("a deadlock, with who waits for whom")
    func deadlock() async throws {
        let failure = await failure { simulation in
            let node = try simulation.node()
            let lazy = try node.spawn { process in _ = try await process.receive() }
            let worker = try await node.spawn(Worker.self)
            try worker.cast { _ in _ = try await lazy.exitReason }
            _ = try await lazy.exitReason
        }
        guard case .deadlock(let waits)? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(waits.contains { $0.contains("closure") && $0.contains("waits for a message") })
    }

    @Test("a deadlock of callers that do not know that they wait in a circle")
    func deadlockOfCallers() async throws {
        struct Deferring: GenServer {
            typealias Call = Pid?
            typealias Reply = Int
            private var waiting: [From<Int>] = []
            init(_: Void, process: ServerProcess) {}
            mutating func handleCall(
                _ request: Pid?, from: From<Int>, process: ServerProcess
            ) -> CallResult<Int> {
                waiting.append(from)
                return .noReply
            }
        }
        let failure = await failure { simulation in
            let node = try simulation.node()
            let server = try node.spawn(Deferring.self)
            let caller = try node.spawn { _ in
                try await server.call(nil, timeout: .seconds(Int64.max))
            }
            _ = try await caller.value
        }
        guard case .deadlock(let waits)? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(waits.count == 1)
        #expect(waits[0].contains("waits for a reply of Deferring"))
    }

    @Test("a livelock, with who goes round")
    func livelock() async throws {
        struct Restless: GenServer {
            init(_: Void, process: ServerProcess) throws { try process.send(1, to: process.pid) }
            mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
                try process.send(1, to: process.pid)
            }
        }
        let failure = await failure(options: .init(livelockSteps: 1_000)) { simulation in
            _ = try simulation.node().spawn(Restless.self)
            try await simulation.sleep(for: .seconds(1))
        }
        guard case .livelock(1_000, let actors)? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(actors.allSatisfy { $0.hasPrefix("Restless") })
    }

    @Test("a message that was taken and is lost")
    func messageLoss() async throws {
        let program: @Sendable (Simulation) async throws -> Void = { simulation in
            let mailbox = MailboxOptions(capacity: 2, overflow: .dropOldest)
            let tally = try simulation.node().spawn(
                Tally.self, 0, options: ProcessOptions(mailbox: mailbox))
            for _ in 0..<3 { try tally.cast(.add(1)) }
            _ = try await tally.call(.count)
        }
        let failure = await failure(program)
        guard case .messageLoss(let what)? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(what.contains("Tally"))
        // One who expects it says so.
        var options = SimulationOptions()
        options.detectors.remove(.messageLoss)
        try await withSimulation(seed: 1, options: options, program)
    }

    @Test("a timer's message that nobody gets")
    func undelivered() async throws {
        let failure = await failure { simulation in
            try simulation.node().send(1, to: .name("nobody"), after: .seconds(1))
            try await simulation.sleep(for: .seconds(2))
        }
        guard case .messageLoss? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test("processes that run on when the body is over, if one asks for it")
    func survivors() async throws {
        let program: @Sendable (Simulation) async throws -> Void = { simulation in
            _ = try simulation.node().spawn(Tally.self, 0, options: ProcessOptions(name: "left"))
        }
        try await withSimulation(seed: 1, program)
        let failure = await failure(
            options: .init(detectors: [.default, .survivors]), program)
        guard case .leak(let what)? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(what == ["left#64"])
    }

    @Test("a simulation that does not end")
    func tooManySteps() async throws {
        let failure = await failure(options: .init(stepMax: 500, shrinkingRuns: 0)) { simulation in
            while true { try await simulation.sleep(for: .seconds(1)) }
        }
        guard case .tooManySteps(500)? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }
}
