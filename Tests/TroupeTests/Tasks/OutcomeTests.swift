//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Outcomes of tasks, as pure values")
struct OutcomeSlotTests {
    enum Input: CaseIterable, Sendable { case bodyReturned, claimed }

    /// All orders in which at most one of each comes.
    static let orders: [[Input]] = [
        [], [.bodyReturned], [.claimed], [.bodyReturned, .claimed], [.claimed, .bodyReturned],
    ]

    @Test("the value wins over every reason, whenever it is claimed", arguments: orders)
    func value(order: [Input]) {
        for reason in ExitReason.examples {
            var slot = OutcomeSlot<Int>()
            for input in order {
                switch input {
                case .bodyReturned: slot.bodyReturned(1)
                case .claimed:
                    let isFirst = slot.claimed()
                    #expect(isFirst)
                }
            }
            let hasReturned = order.contains(.bodyReturned)
            #expect(slot.hasValue == hasReturned)
            #expect(slot.isClaimed == order.contains(.claimed))
            let outcome = slot.handedOver(reason)
            #expect(outcome == (hasReturned ? .success(1) : .failure(reason)))
            #expect(!slot.hasValue)
        }
    }

    @Test("it is claimed once")
    func once() {
        var slot = OutcomeSlot<Int>()
        let claims = (0..<3).map { _ in slot.claimed() }
        #expect(claims == [true, false, false])
    }

    @Test("what a shutdown answers: nothing for an end that it has brought about")
    func answers() {
        for reason in ExitReason.examples {
            let outcome = Result<Int, ExitReason>.failure(reason)
            for timeout in [Duration.zero, .seconds(5)] {
                let answer = Shutdown.timeout(timeout).answer(outcome)
                #expect(answer == (reason == .shutdown ? nil : outcome))
            }
            #expect(Shutdown.brutalKill.answer(outcome) == (reason == .killed ? nil : outcome))
        }
        for manner in [Shutdown.timeout(.zero), .brutalKill] {
            #expect(manner.answer(Result<Int, ExitReason>.success(1)) == .success(1))
        }
    }
}

@Suite("The window of a stream, as a pure value")
struct StreamWindowTests {
    @Test("less than one at a time is one, and no number is too large")
    func limits() {
        for (limit, expected) in [(-3, 1), (0, 1), (1, 1), (7, 7), (Int.max, Int(Int32.max / 2))] {
            let window = StreamWindow(limit: limit)
            #expect(window.limit == expected && window.mayStart && window.isEmpty)
        }
    }

    /// Goes through everything that can happen to `count` tasks: start one, end one that runs, take
    /// the next outcome.
    private func explore(
        _ window: StreamWindow, started: Int, running: Set<Int>, taken: Int, count: Int,
        seen: inout Set<[Int]>
    ) {
        guard seen.insert([started, taken] + running.sorted()).inserted else { return }
        #expect(window.runningCount == running.count && running.count <= window.limit)
        #expect(window.isEmpty == (started == taken))
        #expect(started - taken <= 2 * window.limit)
        // It never gets stuck: something can be started, or runs, or can be taken.
        if window.mayStart, started < count {
            var next = window
            let token = next.started()
            #expect(token == started)
            explore(
                next, started: started + 1, running: running.union([token]), taken: taken,
                count: count, seen: &seen)
        }
        for token in running {
            var next = window
            next.ended(token)
            explore(
                next, started: started, running: running.subtracting([token]), taken: taken,
                count: count, seen: &seen)
        }
        var next = window
        let head = next.takeHead()
        #expect(head == (taken < started && !running.contains(taken) ? taken : nil))
        if head != nil {
            explore(
                next, started: started, running: running, taken: taken + 1, count: count,
                seen: &seen)
        } else {
            #expect(window.mayStart || !running.isEmpty)
        }
    }

    @Test(
        "outcomes are taken in order and all bounds are kept, whatever ends when", arguments: 1...3)
    func exhaustive(limit: Int) {
        var seen: Set<[Int]> = []
        explore(
            StreamWindow(limit: limit), started: 0, running: [], taken: 0, count: 8, seen: &seen)
        #expect(seen.contains([8, 8]) && seen.count > 20)
    }
}
