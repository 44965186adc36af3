//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@testable import FindTheBug

@Suite("Exploring")
struct ExplorationTests {
    /// As many processes as there are numbers write them down, each in so many steps.
    private func orders(_ processCount: Int) async throws -> (SimulationReport, Set<[Int]>) {
        let seen = Journal<[Int]>()
        let report = try await exploreExhaustively { simulation in
            let node = try simulation.node()
            let journal = Journal<Int>()
            for number in 0..<processCount { try node.spawn { _ in journal.append(number) } }
            await simulation.settle()
            seen.append(journal.entries)
        }
        return (report, Set(seen.entries))
    }

    @Test("an exhaustive search sees every order of independent processes", arguments: 1...4)
    func permutations(_ count: Int) async throws {
        let (report, orders) = try await orders(count)
        #expect(report.isComplete)
        #expect(orders.count == (1...count).reduce(1, *))
    }

    @Test("an exhaustive search ends at its limit, and says so")
    func limit() async throws {
        let report = try await exploreExhaustively(runMax: 10) { simulation in
            let node = try simulation.node()
            for _ in 0..<5 { try node.spawn { _ in } }
            await simulation.settle()
        }
        #expect(report.runs == 10)
        #expect(!report.isComplete)
    }

    @Test("an exhaustive search finds the one order that fails")
    func exhaustiveBug() async throws {
        let failure = try await #require(throws: SimulationFailure.self) {
            try await exploreExhaustively { simulation in
                let node = try simulation.node()
                let journal = Journal<Int>()
                for number in 0..<4 { try node.spawn { _ in journal.append(number) } }
                await simulation.settle()
                if journal.entries == [3, 1, 2, 0] { throw BugFound("3120") }
            }
        }
        guard case .thrown(let error) = failure.cause else {
            Issue.record("\(failure)")
            return
        }
        #expect(error is BugFound)
    }

    @Test("exhaustively with a fault: at every point where it can happen")
    func exhaustiveFaults() async throws {
        let reasons = Journal<ExitReason>()
        let options = SimulationOptions(faults: [.kill(probability: 0.5, limit: 1)])
        let report = try await exploreExhaustively(options: options) { simulation in
            let process = try simulation.node().spawn { process in
                for _ in 0..<3 { try await process.sleep(for: .seconds(1)) }
            }
            reasons.append(try await process.exitReason)
        }
        #expect(report.isComplete)
        // Once without, and once at each of its steps.
        #expect(reasons.entries.filter { $0 == .normal }.count == 1)
        #expect(reasons.entries.filter { $0 == .killed }.count == report.runs - 1)
        #expect(report.runs >= 4)
    }

    @Test("priorities hold one process up for as long as it takes, which chance does not")
    func priorities() async throws {
        // Process 0 has to come after 40 steps of another.
        let program: @Sendable (Simulation) async throws -> Void = { simulation in
            let node = try simulation.node()
            let journal = Journal<Int>()
            try node.spawn { _ in journal.append(0) }
            try node.spawn { _ in
                for _ in 0..<40 { await Task.yield() }
                journal.append(1)
            }
            await simulation.settle()
            if journal.entries == [1, 0] { throw BugFound("[1, 0]") }
        }
        try await explore(seeds: 1...200, program)
        await #expect(throws: SimulationFailure.self) {
            try await explore(
                seeds: 1...20, options: .init(strategy: .priorities(changes: 1, steps: 400)),
                program)
        }
    }

    @Test("the shortest schedule is short, and fails in the same way when it is run again")
    func shrinking() async throws {
        let program: @Sendable (Simulation) async throws -> Void = { simulation in
            let node = try simulation.node()
            let journal = Journal<Int>()
            for number in 0..<6 {
                try node.spawn { _ in
                    await Task.yield()
                    journal.append(number)
                }
            }
            await simulation.settle()
            if let zero = journal.entries.firstIndex(of: 0),
                let five = journal.entries.firstIndex(of: 5), five < zero
            {
                throw BugFound("5 before 0")
            }
        }
        let failure = try await #require(throws: SimulationFailure.self) {
            try await explore(seeds: 1...100, program)
        }
        // One decision would be enough: not to let 0 go on when it could. None of two can be left out.
        #expect(failure.schedule.description.split(separator: " ").count <= 2)
        #expect(failure.steps.shortest <= failure.steps.first)
        let schedule = try #require(SimulationSchedule(failure.schedule.description))
        #expect(schedule == failure.schedule)
        let again = try await #require(throws: SimulationFailure.self) {
            try await withSimulation(replaying: schedule, program)
        }
        #expect(again.trace == failure.trace)
    }

    @Test(
        "a schedule is read only from what one has written", arguments: ["x", "1", "1:0", "-1:2"])
    func badSchedule(_ text: String) {
        #expect(SimulationSchedule(text) == nil)
    }

    @Test("the orderly schedule is written as a dash")
    func emptySchedule() {
        #expect(SimulationSchedule("-")?.description == "-")
    }
}
