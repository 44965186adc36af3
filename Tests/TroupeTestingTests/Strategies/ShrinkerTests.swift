//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import TroupeTesting

@Suite("Shrinking")
struct ShrinkerTests {
    private func outcome(_ values: [Int], fails: Bool = true) -> SimulationRun.Outcome {
        SimulationRun.Outcome(
            failure: fails ? .deadlock([]) : nil,
            decisions: values.map { Decisions.Decision(bound: 10, value: $0) },
            trace: SimulationTrace(), steps: values.count, faultCount: 0, spawnCount: 0)
    }

    /// Shrinks a schedule of which only some positions matter.
    private func shrink(_ values: [Int], needed: Set<Int>) -> (values: [Int], attempts: Int) {
        var shrinker = Shrinker(outcome(values))
        while let schedule = shrinker.next() {
            let tried = values.indices.map { schedule.decisions[$0] ?? 0 }
            let fails = needed.allSatisfy { tried[$0] != 0 }
            shrinker.tried(outcome(tried, fails: fails))
        }
        return (shrinker.best.decisions.map(\.value), shrinker.attempts)
    }

    @Test(
        "what does not matter becomes tame", arguments: [[], [0], [63], [3, 40], [0, 1, 2, 63]])
    func shrinks(_ needed: [Int]) {
        let (values, attempts) = shrink(Array(repeating: 3, count: 64), needed: Set(needed))
        #expect(values.indices.filter { values[$0] != 0 } == needed)
        // Far fewer attempts than the 64 of one by one, each repeated.
        #expect(attempts < 130)
    }

    @Test("a run that fails in another way does not count")
    func otherFailure() {
        var shrinker = Shrinker(outcome([1, 1]))
        _ = shrinker.next()
        shrinker.tried(
            SimulationRun.Outcome(
                failure: .leak([]), decisions: [], trace: SimulationTrace(), steps: 0,
                faultCount: 0, spawnCount: 0))
        #expect(shrinker.best.decisions.count == 2)
    }

    @Test("nothing is tried for the orderly schedule")
    func orderly() {
        var shrinker = Shrinker(outcome([0, 0]))
        let next = shrinker.next()
        #expect(next == nil)
    }
}
