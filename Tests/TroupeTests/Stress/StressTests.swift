//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Synchronization
import Testing

@testable import Troupe

/// Random operations on 200 processes, on real threads.
///
/// `TROUPE_STRESS_OPERATIONS` and `TROUPE_STRESS_SEED` choose another number than 100,000, and another
/// seed. CI runs a million.
@Suite("Stress", .timeLimit(.minutes(10)))
struct StressTests {
    private static let driverCount = 4

    /// Carries out the first operations of a plan.
    ///
    /// - Returns: what did not hold.
    private func run(_ plan: StressPlan, first count: Int) async throws -> [String] {
        let balance = Atomic(0)
        let events = EventHandler([.spawned, .exited]) { event in
            switch event {
            case .spawned: balance.add(1, ordering: .relaxed)
            case .exited: balance.subtract(1, ordering: .relaxed)
            default: break
            }
        }
        return try await withNode(NodeOptions(events: events)) { node in
            let crowd = StressCrowd(on: node)
            await withTaskGroup { group in
                for driver in 0..<Self.driverCount {
                    group.addTask {
                        for index in stride(from: driver, to: count, by: Self.driverCount) {
                            await crowd.perform(plan[index])
                        }
                    }
                }
            }
            return await crowd.check { balance.load(ordering: .relaxed) }
        }
    }

    @Test("random operations on 200 processes, a million in CI, leave everything consistent")
    func million() async throws {
        let count = TestEnvironment.number("TROUPE_STRESS_OPERATIONS") ?? 100_000
        let seed = TestEnvironment.number("TROUPE_STRESS_SEED") ?? 20_261_121
        let plan = StressPlan(seed: UInt64(seed))
        let violations = try await run(plan, first: count)
        guard !violations.isEmpty else { return }
        let prefix = try await shortestFailingPrefix(of: count) { length in
            try await !run(plan, first: length).isEmpty
        }
        Issue.record(
            """
            seed \(seed), \(count) operations: \(violations.count) violations, \
            first \(violations.prefix(5)); fails with the first \(prefix) operations, \
            the last of which is \(plan[prefix - 1])
            """)
    }

    @Test("the shortest failing prefix is found by halving")
    func shrinking() async {
        for shortest in [1, 2, 137, 999, 1000] {
            #expect(await shortestFailingPrefix(of: 1000) { $0 >= shortest } == shortest)
        }
        // Of one that fails now and then only lengths that were seen to fail are returned.
        var random = SeededGenerator(seed: 5)
        for _ in 0..<20 {
            var seen: Set = [1000]
            let found = await shortestFailingPrefix(of: 1000) { length in
                let fails = length >= 100 && Bool.random(using: &random)
                if fails { seen.insert(length) }
                return fails
            }
            #expect(seen.contains(found) && found >= 100)
        }
    }
}
