//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: timers", .timeLimit(.minutes(4)))
struct TimerConformanceTests {
    @Test("TIMER-01 a message comes after its delay, never early")
    func neverEarly() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let clock = ContinuousClock()
                let start = clock.now
                // Those between 0 and 40 ms, each once, out of order.
                for delay in (0..<41).map({ $0 * 7 % 41 }) {
                    try process.send(delay, after: .milliseconds(delay))
                }
                var delays: Set<Int> = []
                for _ in 0..<41 {
                    let delay = try #require(try await process.receive() as? Int)
                    #expect(clock.now - start >= .milliseconds(delay))
                    delays.insert(delay)
                }
                #expect(delays == Set(0..<41))
            }
        }
    }

    @Test("TIMER-02 a timer delivers the message as it was given, to a process or a server")
    func payload() async throws {
        struct Tick: Equatable, Sendable { let number: Int }
        try await withNode { node in
            let log = Log<String>()
            _ = try node.spawn(Recorder.self, .init(log), options: .init(name: "server"))
            try await node.inProcess { process in
                try process.send(Tick(number: 7), after: .zero)
                let tick = try await process.receive() as? Tick
                #expect(tick == Tick(number: 7))
                let timer = try process.startTimer(Tick(number: 8), after: .zero)
                let timeout = try await process.receive() as? MessageTimeout
                #expect(timeout?.timer == timer.reference)
                #expect(timeout?.message as? Tick == Tick(number: 8))
                try process.send("to a name", to: "server", after: .zero)
                _ = await log.wait(for: 1)
                // An alias, too, is looked up when the timer fires.
                let alias = process.makeAlias()
                try process.send("to an alias", to: .alias(alias), after: .zero)
                let message = try await process.receive() as? String
                #expect(message == "to an alias")
            }
            #expect(log.elements == ["to a name"])
        }
    }

    @Test("TIMER-03 cancel returns what was left, and the message does not come")
    func cancel() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let far = Duration.seconds(1000)
                let left = try #require(try process.send("never", after: far).cancel())
                #expect(left > .zero && left <= far)
                // Of two that are due soon, the first one is cancelled in time, or else it came.
                let soon = try process.send("soon", after: .milliseconds(20))
                let isInTime = soon.cancel() != nil
                try process.send("later", after: .milliseconds(30))
                let message = try await process.receive() as? String
                #expect(message == (isInTime ? "later" : "soon"))
                if !isInTime { _ = try await process.receive() }
            }
        }
    }

    @Test("TIMER-04 a timer that has fired or was cancelled has nothing left")
    func cancelTwice() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let cancelled = try process.send("never", after: .seconds(1000))
                #expect(cancelled.cancel() != nil)
                #expect(cancelled.remaining == nil)
                #expect(cancelled.cancel() == nil)
                let fired = try process.send("now", after: .zero)
                let message = try await process.receive() as? String
                #expect(message == "now")
                #expect(fired.remaining == nil)
                #expect(fired.cancel() == nil)
            }
        }
    }

    @Test("TIMER-06 what a timer has left can be read; cancel says the same")
    func remaining() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                for delay in [Duration.seconds(1), .seconds(1000), .seconds(1_000_000)] {
                    let timer = try process.send("never", after: delay)
                    let before = node.scheduler.now
                    let read = try #require(timer.remaining)
                    let cancelled = try #require(timer.cancel())
                    let spent = Duration.nanoseconds(Int64(node.scheduler.now - before))
                    #expect(read <= delay && read >= cancelled && read - cancelled <= spent)
                }
            }
        }
    }

    @Test("TIMER-08 timers fire in the order of their deadlines")
    func order() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                // The deadline of each lies between two readings of the clock.
                var earliest: [UInt64] = []
                var latest: [UInt64] = []
                // Some are less than a tick of the wheel apart.
                let delays = [40_000, 0, 60_000, 20_900, 20_600, 20_300, 20_000, 0, 10_000]
                for (index, delay) in delays.enumerated() {
                    earliest.append(node.scheduler.now + UInt64(delay) * 1000)
                    try process.send(index, after: .microseconds(delay))
                    latest.append(node.scheduler.now + UInt64(delay) * 1000)
                }
                var seen: [Int] = []
                for _ in delays {
                    let index = try #require(try await process.receive() as? Int)
                    for before in seen where latest[index] < earliest[before] {
                        Issue.record("\(delays[index]) µs after \(delays[before]) µs")
                    }
                    seen.append(index)
                }
                #expect(seen.sorted() == Array(delays.indices))
            }
        }
    }

    @Test("TIMER-09 negative and enormous delays and intervals are errors")
    func badDelays() async throws {
        try await withNode { node in
            let century = Duration.seconds(100 * 366 * 86_400)
            try await node.inProcess { process in
                for delay in [Duration.seconds(-1), .nanoseconds(-1)] {
                    #expect(throws: TimerError.tooShort(delay)) {
                        try process.send(1, after: delay)
                    }
                }
                for delay in [Duration.seconds(Int64.max), century + .nanoseconds(1)] {
                    #expect(throws: TimerError.tooLong(delay)) { try process.send(1, after: delay) }
                    #expect(throws: TimerError.tooLong(delay)) { try process.send(1, every: delay) }
                    #expect(throws: TimerError.tooLong(delay)) {
                        try node.send(1, to: .pid(process.pid), after: delay)
                    }
                }
                for interval in [Duration.zero, .seconds(-1), .microseconds(999)] {
                    #expect(throws: TimerError.tooShort(interval)) {
                        try process.send(1, every: interval)
                    }
                }
                let longest = try process.send(1, after: century)
                #expect(longest.cancel() != nil)
                #expect(process._handle.cell.timerCount == 0)
            }
        }
    }

    @Test("TIMER-10 a delay of 2³¹ milliseconds is kept as it is")
    func long() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let delay = Duration.milliseconds(Int64(1) << 31)
                let before = node.scheduler.now
                let timer = try process.send("never", after: delay)
                let left = try #require(timer.remaining)
                let spent = Duration.nanoseconds(Int64(node.scheduler.now - before))
                #expect(left <= delay && left >= delay - spent)
                let cancelled = try #require(timer.cancel())
                #expect(cancelled <= left)
            }
        }
    }

    @Test("TIMER-14 a timer for an instant fires then or after it, one that has passed at once")
    func instant() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let instant = node.clock.now.advanced(by: .milliseconds(20))
                try process.send("later", at: instant)
                try process.send("at once", at: node.clock.now.advanced(by: .seconds(-1)))
                let first = try await process.receive() as? String
                let second = try await process.receive() as? String
                #expect(node.clock.now >= instant)
                #expect([first, second] == ["at once", "later"])
            }
        }
    }

    @Test("TIMER-15 tens of thousands of timers at one instant all fire, and others go on")
    func many() async throws {
        let scheduler = Scheduler.threads(1)
        defer { scheduler.shutDown() }
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let (count, done) = (30_000, Log<String>())
            let counter = try await node.spawn(AsyncCounter.self, 1)
            let other = try node.spawn { process in
                try process.send("begin", after: .milliseconds(20))
                _ = try await process.receive()
                for _ in 0..<10 { _ = try await counter.call(.value, timeout: .seconds(60)) }
                done.append("the others")
            }
            let process = try node.spawn(options: .init(mailbox: .init(capacity: count))) {
                process in
                for number in 0..<count { try process.send(number, after: .milliseconds(20)) }
                var sum = 0
                for _ in 0..<count { sum += try await process.receive() as? Int ?? 0 }
                done.append("the many")
                return sum
            }
            #expect(try await process.value == count * (count - 1) / 2)
            #expect(try await other.exitReason == .normal)
            // The thread that they share was given to the others now and then.
            #expect(done.elements == ["the others", "the many"])
        }
    }

    @Test("TIMER-18 an interval sends again and again, without drift, until it is cancelled")
    func interval() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let interval: UInt64 = 5_000_000
                let earliest = node.scheduler.now
                let timer = try process.send("tick", every: .milliseconds(5))
                let latest = node.scheduler.now
                for count in 1...10 {
                    let tick = try await process.receive() as? String
                    #expect(tick == "tick")
                    #expect(node.scheduler.now >= earliest + UInt64(count) * interval)
                    // The next deadline is a multiple of the interval after the start, however late
                    // this tick was.
                    let before = node.scheduler.now
                    guard let left = timer.remaining?.clampedNanoseconds, left > 0 else { continue }
                    let lower = before + left - latest
                    let upper = node.scheduler.now + left - earliest
                    #expect(upper / interval * interval >= lower, "tick \(count)")
                }
                #expect(timer.cancel() != nil)
                #expect(timer.cancel() == nil && timer.remaining == nil)
                // What was sent before that may still be in the mailbox; nothing comes later.
                while try await process.receive(timeout: .zero) != nil {}
                try process.send("end", after: .milliseconds(15))
                let message = try await process.receive() as? String
                #expect(message == "end")
            }
        }
    }
}
