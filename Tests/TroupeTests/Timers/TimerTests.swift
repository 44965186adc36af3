//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Timers", .timeLimit(.minutes(4)))
struct TimerTests {
    @Test("waits take any duration: a negative one is none, an enormous one is for ever")
    func anyTimeout() async throws {
        try await withNode { node in
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

    @Test("a timer that belongs to no process dies with its node")
    func ofTheNode() async throws {
        let scheduler = Scheduler.threads(1)
        defer { scheduler.shutDown() }
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            try node.send("w", to: "nobody", after: .seconds(1000))
            #expect(node.timers.count == 1)
        }
        #expect(scheduler.timers.count == 0)
    }

    @Test("a timer from outside for a process that has ended is over, and keeps its node")
    func ofNobody() async throws {
        weak var node: Node?
        var timer: TimerRef?
        do {
            let new = try Node(name: "short")
            let ended = try new.spawn { _ in }
            _ = try await ended.exitReason
            timer = try new.send("late", to: .pid(ended.pid), after: .seconds(1000))
            await new.stop()
            node = new
        }
        #expect(node != nil)
        #expect(timer?.remaining == nil && timer?.cancel() == nil)
        timer = nil
        await waitWhile { [weak node] in node != nil }
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
