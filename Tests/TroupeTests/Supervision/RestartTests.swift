//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Restart window and back-off")
struct RestartTests {
    private static func time(_ milliseconds: UInt64) -> NodeClock.Instant {
        NodeClock.Instant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test("a restart at the very end of the period still counts, one later does not")
    func edge() {
        for (second, isWithin) in [(UInt64(0), false), (999, false), (1000, false), (1001, true)] {
            var window = RestartWindow(RestartLimit(1, within: .seconds(1)))
            #expect(window.record(at: Self.time(0)) == true)
            #expect(window.record(at: Self.time(second)) == isWithin)
        }
    }

    @Test("a count of zero allows nothing")
    func none() {
        var window = RestartWindow(RestartLimit(0, within: .seconds(1)))
        #expect(window.record(at: Self.time(0)) == false)
        #expect(window.record(at: Self.time(5000)) == false)
    }

    @Test("against all restarts that were ever recorded, with random gaps")
    func model() {
        for seed in 0..<20 {
            var random = SeededGenerator(seed: UInt64(seed))
            let limit = RestartLimit(Int.random(in: 0...8, using: &random), within: .seconds(1))
            var window = RestartWindow(limit)
            var (all, now): ([UInt64], UInt64) = ([], 0)
            for _ in 0..<400 {
                now += UInt64.random(in: 0...300, using: &random)
                all.append(now)
                let count = all.count { $0 + 1000 >= now }
                #expect(window.record(at: Self.time(now)) == (count <= limit.count))
                #expect(window.count == count)
            }
        }
    }

    @Test("10,000 restarts: no more is remembered than the period holds, at the same cost")
    func bounded() {
        var window = RestartWindow(RestartLimit(5, within: .milliseconds(10)))
        for number in 0..<10_000 {
            #expect(window.record(at: Self.time(UInt64(number) * 3)) == true)
            #expect(window.count <= 4)
            let stored = Mirror(reflecting: window).children.compactMap { $0.value as? [Any] }
            #expect(stored.count == 1 && stored[0].count <= 40)
        }
    }

    @Test("a delay grows by the factor, up to the maximum")
    func growth() {
        let backoff = RestartBackoff(from: .milliseconds(100), upTo: .seconds(2), jitter: 0)
        let delays = (0..<7).map { backoff.delay(after: $0, random: 1) }
        #expect(
            delays == [100, 200, 400, 800, 1600, 2000, 2000].map { Duration.milliseconds($0) })
        let flat = RestartBackoff(from: .seconds(1), upTo: .seconds(9), factor: 1, jitter: 0)
        #expect(
            [0, 1, 1000].map { flat.delay(after: $0, random: 0) } == [1, 1, 1].map { .seconds($0) })
        let slow = RestartBackoff(from: .seconds(1), upTo: .seconds(4), factor: 1.5, jitter: 0)
        #expect(slow.delay(after: 2, random: 0) == .milliseconds(2250))
    }

    @Test("jitter makes a delay shorter by up to its part, never longer")
    func jitter() {
        let backoff = RestartBackoff(from: .seconds(10), upTo: .seconds(100), jitter: 0.2)
        #expect(backoff.delay(after: 0, random: 0) == .seconds(10))
        #expect(backoff.delay(after: 0, random: 1) == .seconds(8))
        #expect(backoff.delay(after: 0, random: 0.5) == .seconds(9))
        for failures in 0..<10 {
            let full = backoff.delay(after: failures, random: 0)
            for random in stride(from: 0.0, through: 1, by: 0.1) {
                let delay = backoff.delay(after: failures, random: random)
                #expect(delay <= full && delay >= full * 0.799)
            }
        }
        let all = RestartBackoff(from: .seconds(10), upTo: .seconds(10), jitter: 1)
        #expect(all.delay(after: 3, random: 1) == .zero)
    }

    @Test("extreme values neither trap nor take long")
    func extremes() {
        let longest = Duration.seconds(Int64.max)
        let durations: [Duration] = [
            .nanoseconds(1), .seconds(1), .seconds(1_000_000_000), longest, longest + longest,
        ]
        for initial in durations {
            for maximum in durations where maximum >= initial {
                for factor in [1, 1.000_000_001, 1.5, 2, 100] {
                    for failures in [0, 1, 2, 63, 64, 1000, 1_000_000_000, Int.max] {
                        let backoff = RestartBackoff(
                            from: initial, upTo: maximum, factor: factor, jitter: 0.5)
                        for random in [0, 1.0] {
                            let delay = backoff.delay(after: failures, random: random)
                            // Such durations are not exact.
                            #expect(
                                delay >= min(initial, longest) * 0.49 && delay <= maximum * 1.01)
                        }
                    }
                }
            }
        }
    }
}
