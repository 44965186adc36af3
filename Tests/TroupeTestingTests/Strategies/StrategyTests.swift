//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe

@testable import TroupeTesting

@Suite("Strategies")
struct StrategyTests {
    private let actors: [SimulatedActor] = [.body, .timers, .task(1), .task(2)]

    private func chosen(_ strategy: SimulationStrategy, seed: UInt64, count: Int) -> [Int] {
        var decisions = Decisions(strategy, seed: seed)
        return (1...count).map { decisions.next(among: actors, at: $0) }
    }

    @Test("random chooses everybody about as often")
    func random() {
        let chosen = chosen(.random, seed: 1, count: 4_000)
        for index in 0..<4 {
            #expect((800...1_200).contains(chosen.filter { $0 == index }.count))
        }
    }

    @Test("round robin always takes who has waited longest")
    func roundRobin() {
        #expect(Set(chosen(.roundRobin, seed: 1, count: 100)) == [0])
    }

    @Test("priorities stay until they change, so many times")
    func priorities() {
        for seed in 1...50 as ClosedRange<UInt64> {
            let chosen = chosen(.priorities(changes: 2, steps: 100), seed: seed, count: 200)
            let switches = zip(chosen, chosen.dropFirst()).filter { $0 != $1 }.count
            #expect(switches <= 2)
        }
        let first = (1...200).map { chosen(.priorities(), seed: $0, count: 1)[0] }
        #expect(Set(first) == [0, 1, 2, 3])
    }

    @Test("decisions that are written down are made again; others are tame")
    func script() throws {
        var decisions = Decisions(try #require(SimulationSchedule("1:3 2:9 4:1")))
        let made = (0..<6).map { decisions.next(among: actors, at: $0) }
        // 9 is not below the bound of 4.
        #expect(made == [0, 3, 0, 0, 1, 0])
        #expect(decisions.made.map(\.value) == made)
    }

    @Test("there is no decision where there is no choice")
    func noChoice() {
        var decisions = Decisions(.random, seed: 1)
        let next = decisions.next(among: [.body], at: 1)
        let number = decisions.number(below: 1)
        let happens = decisions.happens(probability: 0)
        #expect(next == 0 && number == 0 && !happens)
        #expect(decisions.made.isEmpty)
    }

    @Test("the successors of a schedule are all schedules")
    func successors() {
        var seen: Set<[Int]> = []
        var next: SimulationSchedule? = SimulationSchedule([])
        // A program that decides among 2, then 3, then, after a 1, among 2 more.
        while let schedule = next {
            var decisions = Decisions(schedule)
            _ = decisions.number(below: 2)
            if decisions.number(below: 3) == 1 { _ = decisions.number(below: 2) }
            seen.insert(decisions.made.map(\.value))
            next = schedule.successor(of: decisions.made)
        }
        #expect(seen.count == 8)
    }
}
