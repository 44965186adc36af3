//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Timers", .timeLimit(.minutes(1)))
struct TimerTests {
    // TIMER-08, the order, is `TimerWheelTests.order`: with a real clock the time between two
    // sends may be longer than the difference of their delays.
    @Test("TIMER-01 messages come after their delays, never early")
    func neverEarly() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let clock = ContinuousClock()
                let start = clock.now
                for delay in [30, 0, 20, 10] {
                    try process.send(delay, after: .milliseconds(delay))
                }
                var delays: Set<Int> = []
                for _ in 0..<4 {
                    let delay = try #require(try await process.receive() as? Int)
                    #expect(clock.now - start >= .milliseconds(delay))
                    delays.insert(delay)
                }
                return delays
            }
            #expect(try await process.value == [0, 10, 20, 30])
        }
    }

    @Test("TIMER-03 TIMER-04 TIMER-06 TIMER-10 cancel and read give what is left, once")
    func cancel() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let far = Duration.milliseconds(Int64(1) << 31)
                let timer = try process.send("never", after: far)
                let left = try #require(timer.remaining)
                #expect(left > far - .seconds(20) && left <= far)
                let cancelled = try #require(timer.cancel())
                #expect(cancelled <= left && left - cancelled < .seconds(20))
                #expect(timer.cancel() == nil && timer.remaining == nil)
                let fired = try process.send("now", after: .zero)
                let message = try await process.receive() as? String
                #expect(message == "now")
                #expect(fired.cancel() == nil && fired.remaining == nil)
                return try await process.receive(timeout: .zero) == nil
            }
            #expect(try await process.value)
            #expect(node.timers.count == 0 || node.scheduler === Scheduler.default)
        }
    }

    @Test("TIMER-09 negative and enormous delays are errors")
    func badInput() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                for delay in [Duration.seconds(-1), .seconds(Int64.max), .nanoseconds(-1)] {
                    #expect(throws: TimerError.self) { try process.send(1, after: delay) }
                }
                #expect(throws: TimerError.self) { try process.send(1, every: .zero) }
                return true
            }
            #expect(try await process.value)
            // Waits take any duration: negative is none, enormous is for ever.
            let counter = try node.spawn(Counter.self, 4)
            #expect(try await counter.call(.value, timeout: .seconds(Int64.max)) == 4)
            await #expect(throws: CallError.timeout(counter.pid)) {
                _ = try await counter.call(.silent, timeout: .seconds(-5))
            }
            let task = Task { try await counter.call(.silent, timeout: .seconds(Int64.max)) }
            task.cancel()
            await #expect(throws: CallError.cancelled) { _ = try await task.value }
        }
    }

    @Test("a timer dies with the process that started it, and with its receiver")
    func owners() async throws {
        let scheduler = Scheduler.threads(1)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let receiver = try node.spawn { process in
                while true { _ = try await process.receive() }
            }
            let owner = try node.spawn { process in
                try process.send("x", to: .pid(receiver.pid), after: .seconds(1000))
                try process.send("y", every: .seconds(1000))
                return node.timers.count
            }
            #expect(try await owner.value == 2)
            #expect(node.timers.count == 0)
            #expect(receiver.cell.timerCount == 0)
            let timer = try node.send("z", to: .pid(receiver.pid), after: .seconds(1000))
            #expect(receiver.cell.timerCount == 1)
            node.kill(receiver.pid)
            _ = try await receiver.exitReason
            #expect(timer.remaining == nil && node.timers.count == 0)
            try node.send("w", to: "nobody", after: .seconds(1000))
            #expect(node.timers.count == 1)
        }
        #expect(scheduler.timers.count == 0)
        scheduler.shutDown()
    }

    @Test("TIMER-18 an interval sends again and again, without drift, until it is cancelled")
    func interval() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let clock = ContinuousClock()
                let start = clock.now
                let timer = try process.send("tick", every: .milliseconds(5))
                for count in 1...10 {
                    _ = try await process.receive()
                    #expect(clock.now - start >= .milliseconds(5 * count))
                }
                #expect(timer.cancel() != nil)
                return true
            }
            #expect(try await process.value)
        }
    }

    @Test("TIMER-15 tens of thousands of timers at one instant all arrive")
    func many() async throws {
        try await withNode { node in
            let count = 30_000
            let options = ProcessOptions(mailbox: .init(capacity: count))
            let process = try node.spawn(options: options) { process in
                for number in 0..<count { try process.send(number, after: .milliseconds(20)) }
                var sum = 0
                for _ in 0..<count { sum += try await process.receive() as? Int ?? 0 }
                return sum
            }
            #expect(try await process.value == count * (count - 1) / 2)
        }
    }

    @Test("receive with a timeout returns nil when nothing comes, and what comes in time")
    func receiveTimeout() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let clock = ContinuousClock()
                let start = clock.now
                let nothing = try await process.receive(timeout: .milliseconds(10))
                #expect(nothing == nil && clock.now - start >= .milliseconds(10))
                try process.send("soon", after: .milliseconds(1))
                let soon = try await process.receive(timeout: .seconds(30)) as? String
                try await process.sleep(for: .milliseconds(2))
                return soon
            }
            #expect(try await process.value == "soon")
        }
    }
}
