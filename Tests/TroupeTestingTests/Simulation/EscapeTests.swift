//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Dispatch
import Testing
import Troupe
import TroupeTesting

/// What is not an operation of the library cannot be simulated; it is found and named.
@Suite("What leaves a simulation")
struct EscapeTests {
    private func escape(
        _ body: @escaping @Sendable (Simulation) async throws -> Void
    ) async -> (by: String, what: String)? {
        let failure = await failure(body)
        guard case .escape(let who, let what)? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return nil
        }
        return (who, what)
    }

    /// Says in real time that something has happened.
    private final class Signal: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)

        func send() { semaphore.signal() }
        func waitBlocking() { semaphore.wait() }
    }

    @Test("a sleep of Swift's own in a handler")
    func sleep() async throws {
        let escape = await escape { simulation in
            let worker = try await simulation.node().spawn(Worker.self)
            _ = try await worker.call { _ in
                try await ContinuousClock().sleep(for: .milliseconds(5))
                return 1
            }
        }
        #expect(escape?.by == "Worker#64")
    }

    @Test("a sleep of Swift's own in the body")
    func sleepOfBody() async throws {
        let escape = await escape { _ in try await ContinuousClock().sleep(for: .milliseconds(5)) }
        #expect(escape?.by == "body")
    }

    @Test("a continuation that another thread resumes")
    func dispatch() async throws {
        let escape = await escape { simulation in
            let worker = try await simulation.node().spawn(Worker.self)
            _ = try await worker.call { _ in
                // One that is resumed before the task waits for it is not noticed.
                for _ in 0..<10_000 {
                    await withCheckedContinuation { continuation in
                        DispatchQueue.global().async { continuation.resume() }
                    }
                }
                return 1
            }
        }
        #expect(escape?.by == "Worker#64")
    }

    @Test("a task of its own that sends")
    func task() async throws {
        let escape = await escape { simulation in
            let node = try simulation.node()
            let tally = try node.spawn(Tally.self, 0)
            let worker = try await node.spawn(Worker.self)
            let hasSent = Signal()
            _ = try await worker.call { _ in
                Task {
                    try tally.cast(.add(1))
                    hasSent.send()
                }
                return 1
            }
            hasSent.waitBlocking()
        }
        #expect(escape?.by == "Worker#65")
    }

    @Test("a detached task that sends cannot be traced to anybody, but is found")
    func detachedTask() async throws {
        let escape = await escape { simulation in
            let tally = try simulation.node().spawn(Tally.self, 0)
            let hasSent = Signal()
            Task.detached {
                try tally.cast(.add(1))
                hasSent.send()
            }
            hasSent.waitBlocking()
        }
        #expect(escape?.by.hasPrefix("somebody") == true)
    }

    @Test("child tasks of a handler do not leave it")
    func childTasks() async throws {
        try await withSimulation(seed: 1) { simulation in
            let node = try simulation.node()
            let tally = try node.spawn(Tally.self, 1)
            let worker = try await node.spawn(Worker.self)
            let sum = try await worker.call { _ in
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 0..<3 {
                        group.addTask {
                            try await node.clock.sleep(for: .seconds(number))
                            return try await tally.call(.count)
                        }
                    }
                    return try await group.reduce(0, +)
                }
            }
            #expect(sum == 3)
        }
    }

    @Test("actors are part of it, and their callers go on in it")
    func actors() async throws {
        actor Box {
            var sum = 0
            func add(_ amount: Int) -> Int {
                sum += amount
                return sum
            }
        }
        for seed in 1...20 as ClosedRange<UInt64> {
            let program: @Sendable (Simulation) async throws -> String = { simulation in
                let node = try simulation.node()
                let box = Box()
                let adders = try (1...3).map { amount in
                    try node.spawn { process in
                        for _ in 0..<3 {
                            _ = await box.add(amount)
                            try await process.sleep(for: .milliseconds(1))
                        }
                    }
                }
                for adder in adders { try await adder.value }
                #expect(await box.add(0) == 18)
                return simulation.trace.description
            }
            let first = try await withSimulation(seed: seed, program)
            #expect(try await withSimulation(seed: seed, program) == first)
        }
    }
}
