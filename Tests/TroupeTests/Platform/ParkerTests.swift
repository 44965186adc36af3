//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Parker: a permit is never lost", .timeLimit(.minutes(4)))
struct ParkerTests {
    /// What two threads hand to each other.
    private final class Token: @unchecked Sendable {
        // Unchecked: the variables belong to the thread whose turn it is.
        var count = 0
        var mistakeCount = 0
    }

    /// Longer than any test takes, in nanoseconds.
    private static let patience: UInt64 = 60_000_000_000

    @Test("a permit that is given before is kept, one at most")
    func permits() {
        let parker = Parker()
        parker.unpark()
        parker.unpark()
        parker.park()
        #expect(!parker.park(until: Platform.monotonicNanoseconds()))
        parker.unpark()
        // It is looked for before the clock.
        #expect(parker.park(until: 0))
        #expect(!parker.park(until: 0))
    }

    @Test("a wait ends at its deadline, at once if that is past, and never before")
    func deadlines() {
        let parker = Parker()
        #expect(!parker.park(until: 0))
        for length: UInt64 in [0, 1, 1000, 100_000, 2_000_000] {
            let deadline = Platform.monotonicNanoseconds() + length
            #expect(!parker.park(until: deadline))
            #expect(Platform.monotonicNanoseconds() >= deadline)
        }
    }

    @Test("two threads hand a token back and forth, and each wakes up", arguments: [false, true])
    func handOver(haveDeadline: Bool) async {
        let (token, parkers, rounds) = (Token(), [Parker(), Parker()], 2000)
        await onThreads(2) { number in
            for round in 0..<rounds {
                // The first thread has the token at the beginning.
                if number == 1 || round > 0 {
                    if haveDeadline {
                        let deadline = Platform.monotonicNanoseconds() + Self.patience
                        if !parkers[number].park(until: deadline) { return }
                    } else {
                        parkers[number].park()
                    }
                }
                if token.count != 2 * round + number { token.mistakeCount += 1 }
                token.count += 1
                parkers[1 - number].unpark()
            }
        }
        #expect(token.count == 2 * rounds && token.mistakeCount == 0)
    }

    @Test("a permit that comes at the deadline is taken by that wait or by the next, once")
    func atDeadline() async {
        let (token, parker, answer, rounds) = (Token(), Parker(), Parker(), 1000)
        await onThreads(2) { number in
            for round in 0..<rounds {
                if number == 0 {
                    let soon = Platform.monotonicNanoseconds() + UInt64(round % 50) * 1000
                    if !parker.park(until: soon) { parker.park() }
                    // More than one permit, or one that nobody gave, would have been too early.
                    if token.count != round + 1 { token.mistakeCount += 1 }
                    answer.unpark()
                } else {
                    for _ in 0..<(round % 7) { Platform.yieldThread() }
                    token.count += 1
                    parker.unpark()
                    answer.park()
                }
            }
        }
        #expect(token.count == rounds && token.mistakeCount == 0)
        #expect(!parker.park(until: 0) && !answer.park(until: 0))
    }

    @Test("who is woken by several threads sees what the last of them did")
    func severalWakers() async {
        let (parker, given, wakes, turns) = (Parker(), Count(), Count(), 2000)
        await onThreads(3, tasks: 2) { number in
            if number == 0 {
                while given.value < 4 * turns {
                    parker.park()
                    wakes.add()
                }
            } else {
                for _ in 0..<turns {
                    given.add()
                    parker.unpark()
                }
            }
        }
        // That all have returned is the test; more wakes than permits would be wrong, too.
        #expect(wakes.value <= 4 * turns)
    }
}
