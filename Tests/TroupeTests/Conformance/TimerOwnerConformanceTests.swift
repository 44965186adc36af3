//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: whom timers belong to", .timeLimit(.minutes(4)))
struct TimerOwnerConformanceTests {
    /// Runs `body` with a node whose timers nobody else uses, and checks that none is left.
    private func withOwnTimers(_ body: (Node) async throws -> Void) async throws {
        let scheduler = Scheduler.threads(1)
        defer { scheduler.shutDown() }
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler), body)
        #expect(scheduler.timers.count == 0)
    }

    @Test("TIMER-12 a timer dies with the process that it is for")
    func receiverEnds() async throws {
        try await withOwnTimers { node in
            let receiver = try node.spawnListener()
            let byNode = try node.send("z", to: .pid(receiver.pid), after: .seconds(1000))
            try await node.inProcess { process in
                let once = try process.send("x", to: .pid(receiver.pid), after: .seconds(1000))
                let often = try process.send("y", to: .pid(receiver.pid), every: .seconds(1000))
                #expect(node.timers.count == 3)
                #expect(receiver.cell.timerCount == 3)
                #expect(process._handle.cell.timerCount == 2)
                process.exit(receiver.pid, .kill)
                #expect(try await receiver.exitReason == .killed)
                #expect(node.timers.count == 0)
                #expect(process._handle.cell.timerCount == 0)
                for timer in [once, often, byNode] {
                    #expect(timer.remaining == nil && timer.cancel() == nil)
                }
                // One that is started after the end is over at once.
                let late = try process.send("w", to: .pid(receiver.pid), after: .seconds(1000))
                #expect(late.remaining == nil && late.cancel() == nil)
                #expect(node.timers.count == 0)
            }
        }
    }

    @Test("TIMER-16 a timer dies with the process that started it, though its receiver lives")
    func starterEnds() async throws {
        try await withOwnTimers { node in
            let log = Log<String>()
            let receiver = try node.spawn(Recorder.self, .init(log), options: .init(name: "n"))
            let starter = try node.spawn { process in
                try process.send("by pid", to: .pid(receiver.pid), after: .seconds(1000))
                try process.send("by name", to: "n", after: .seconds(1000))
                try process.send("often", to: .pid(receiver.pid), every: .seconds(1000))
                try process.send("own", every: .seconds(1000))
                return node.timers.count
            }
            #expect(try await starter.value == 4)
            #expect(node.timers.count == 0)
            #expect(receiver.cell.timerCount == 0)
            #expect(node.isAlive(receiver.pid))
            // One that the node started belongs to no other process.
            try node.send("of the node", to: .pid(receiver.pid), after: .zero)
            #expect(await log.wait(for: 1) == ["of the node"])
        }
    }

    @Test("TIMER-17 timers are local: a process of another node, or of an earlier start, is none")
    func remote() async throws {
        try await withOwnTimers { node in
            try await node.inProcess { process in
                let away = Pid(node: "away", id: process.pid.id, creation: node.creation)
                let old = Pid(node: "test", id: process.pid.id, creation: node.creation + 1)
                for (pid, error) in [
                    (away, TimerError.notLocal(away)), (old, .incarnation(old)),
                ] {
                    #expect(throws: error) {
                        try process.send("m", to: .pid(pid), after: .zero)
                    }
                    #expect(throws: error) {
                        try process.send("m", to: .pid(pid), every: .seconds(1))
                    }
                    #expect(throws: error) {
                        try node.send("m", to: .pid(pid), after: .zero)
                    }
                }
                #expect(node.timers.count == 0)
            }
        }
    }
}
