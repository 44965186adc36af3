//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("TimerWheel: a pure data structure")
struct TimerWheelTests {
    /// Expectations cannot capture a wheel.
    private final class Wheel {
        private var wheel: TimerWheel<Int>

        init(now: UInt64) { wheel = TimerWheel(now: now) }
        init(now: UInt64, tickShift: UInt64) { wheel = TimerWheel(now: now, tickShift: tickShift) }

        var count: Int { wheel.count }
        func insert(deadline: UInt64, _ payload: Int) -> TimerWheelToken {
            wheel.insert(deadline: deadline, payload)
        }
        func cancel(_ token: TimerWheelToken) -> (deadline: UInt64, payload: Int)? {
            wheel.cancel(token)
        }
        func deadline(of token: TimerWheelToken) -> UInt64? { wheel.deadline(of: token) }
        func nextAdvance() -> UInt64? { wheel.nextAdvance() }
        func earliestDeadline() -> UInt64? { wheel.earliestDeadline() }
        func advance(to now: UInt64) -> [Int] { wheel.advance(to: now) }
        func removeAll() -> [Int] { wheel.removeAll() }
    }

    private let millisecond: UInt64 = 1_000_000
    /// One tick; see `TimerWheel`.
    private let tick: UInt64 = 1 << 20

    @Test("a timer is never early and late by less than a tick")
    func neverEarly() {
        for deadline in [0, 1, tick - 1, tick, tick + 1, 63 * tick, 64 * tick, 4097 * tick + 5] {
            let wheel = Wheel(now: 0)
            _ = wheel.insert(deadline: deadline, 1)
            if deadline > 0 { #expect(wheel.advance(to: deadline - 1) == []) }
            #expect(wheel.advance(to: deadline + tick - 1) == [1])
            #expect(wheel.count == 0)
        }
    }

    @Test("a wheel with ticks of a nanosecond is exact, and knows what comes next")
    func exact() {
        var random = SeededGenerator(seed: 11)
        let wheel = Wheel(now: 1 << 40, tickShift: 0)
        var deadlines: [UInt64] = []
        for index in 0..<500 {
            let span = UInt64.random(
                in: 0...(1 << UInt64.random(in: 1...50, using: &random)), using: &random)
            _ = wheel.insert(deadline: (1 << 40) + span, index)
            deadlines.append((1 << 40) + span)
        }
        _ = wheel.insert(deadline: .max, -1)
        let order = deadlines.indices.sorted { (deadlines[$0], $0) < (deadlines[$1], $1) }
        var fired: [Int] = []
        while let next = wheel.earliestDeadline(), next < TimerWheel<Int>.latestDeadline {
            #expect(next == deadlines[order[fired.count]])
            if next > 1 << 40 { #expect(wheel.advance(to: next - 1) == []) }
            fired += wheel.advance(to: next)
        }
        #expect(fired == order)
        #expect(wheel.earliestDeadline() == TimerWheel<Int>.latestDeadline)
    }

    @Test("timers come in the order of their deadlines, equal ones in the order of insertion")
    func order() {
        let wheel = Wheel(now: 0)
        _ = wheel.insert(deadline: 500, 3)
        _ = wheel.insert(deadline: 400, 1)
        _ = wheel.insert(deadline: 400, 2)
        _ = wheel.insert(deadline: 70 * tick, 5)
        _ = wheel.insert(deadline: 2 * tick, 4)
        #expect(wheel.advance(to: 100 * tick) == [1, 2, 3, 4, 5])
    }

    @Test("a deadline in the past is due at the next advance")
    func past() {
        let wheel = Wheel(now: 1000 * tick)
        _ = wheel.insert(deadline: 3, 1)
        #expect(wheel.nextAdvance() == 1000 * tick)
        #expect(wheel.advance(to: 1000 * tick) == [1])
    }

    @Test("cancel gives the deadline once; a fired timer cannot be cancelled")
    func cancel() {
        let wheel = Wheel(now: 0)
        let one = wheel.insert(deadline: 5 * tick, 1)
        let two = wheel.insert(deadline: 5 * tick, 2)
        #expect(wheel.cancel(one)?.deadline == 5 * tick)
        #expect(wheel.cancel(one)?.deadline == nil)
        #expect(wheel.deadline(of: two) == 5 * tick)
        #expect(wheel.advance(to: 6 * tick) == [2])
        #expect(wheel.cancel(two)?.deadline == nil)
        // The slot is used again under another serial.
        _ = wheel.insert(deadline: 9 * tick, 3)
        #expect(wheel.cancel(one)?.deadline == nil)
        #expect(wheel.cancel(two)?.deadline == nil)
        #expect(wheel.count == 1)
    }

    @Test("the token of nothing finds nothing")
    func none() {
        let wheel = Wheel(now: 0)
        #expect(wheel.cancel(.none)?.deadline == nil)
        _ = wheel.insert(deadline: 5, 1)
        #expect(wheel.cancel(.none)?.deadline == nil && wheel.deadline(of: .none) == nil)
    }

    @Test("thousands are held at once, and all of them are found")
    func many() {
        let wheel = Wheel(now: 0)
        let tokens = (0..<5000).map { wheel.insert(deadline: UInt64($0 % 977) * tick, $0) }
        #expect(wheel.count == 5000)
        for (index, token) in tokens.enumerated() where index % 3 == 0 {
            #expect(wheel.cancel(token)?.payload == index)
        }
        let expected = (0..<5000).filter { $0 % 3 != 0 }
        #expect(wheel.advance(to: 500 * tick).sorted() == expected.filter { $0 % 977 <= 500 })
        #expect(wheel.removeAll().sorted() == expected.filter { $0 % 977 > 500 })
        #expect(wheel.count == 0 && wheel.nextAdvance() == nil)
    }

    @Test("an enormous deadline is held and can be cancelled")
    func enormous() {
        let wheel = Wheel(now: 12_345)
        let token = wheel.insert(deadline: .max, 1)
        #expect(wheel.advance(to: 1 << 60) == [])
        #expect(wheel.cancel(token)?.payload == 1)
        #expect(wheel.nextAdvance() == nil)
    }

    @Test("agrees with a sorted list over random inserts, cancels and advances", arguments: 1...20)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var now = random.next() >> 20
        let wheel = Wheel(now: now)
        var model: [(deadline: UInt64, id: Int, token: TimerWheelToken)] = []
        var nextID = 0
        for _ in 0..<2000 {
            switch random.next() % 4 {
            case 0, 1:
                let span = tick << (random.next() % 20)
                let deadline = now &+ random.next() % span
                model.append((deadline, nextID, wheel.insert(deadline: deadline, nextID)))
                nextID += 1
            case 2 where !model.isEmpty:
                let index = Int(random.next() % UInt64(model.count))
                let entry = model.remove(at: index)
                #expect(wheel.cancel(entry.token)?.payload == entry.id)
            default:
                if let next = wheel.nextAdvance(), let earliest = model.map(\.deadline).min() {
                    #expect(next < earliest + tick)
                }
                now += random.next() % (tick << (random.next() % 18))
                let due = wheel.advance(to: now)
                let fired = Set(due)
                for entry in model {
                    if entry.deadline > now { #expect(!fired.contains(entry.id)) }
                    if entry.deadline + tick <= now { #expect(fired.contains(entry.id)) }
                }
                let deadlines = due.compactMap { id in model.first { $0.id == id }?.deadline }
                #expect(deadlines.count == due.count)
                // Sorted by tick; within one tick by deadline.
                #expect(zip(deadlines, deadlines.dropFirst()).allSatisfy { $0 <= $1 })
                model.removeAll { fired.contains($0.id) }
            }
            #expect(wheel.count == model.count)
        }
    }
}
