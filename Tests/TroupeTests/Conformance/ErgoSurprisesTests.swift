//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// What surprises users of Ergo, the actor library that Troupe took `Direct` and the environment
/// from, and must not surprise users of Troupe.
@Suite("Not as in Ergo", .timeLimit(.minutes(4)))
struct ErgoSurprisesTests {
    @Test("a direct request is answered, however many references its handler makes")
    func references() async throws {
        struct Maker: GenServer {
            init(_: Void, process: ServerProcess) {}

            mutating func handleCall(
                _ count: Int, from: From<Int>, process: ServerProcess
            ) -> CallResult<Int> {
                .reply(Set((0..<count).map { _ in process.makeReference() }).count)
            }
        }
        try await withNode { node in
            let maker = try node.spawn(Maker.self)
            // More than the 262,144 after which Ergo's references repeat.
            #expect(try await maker.direct(300_000, timeout: .seconds(60)) == 300_000)
        }
    }

    @Test("a failed init frees its name, and whoever asks next gets it")
    func failedInit() async throws {
        try await withNode { node in
            for _ in 0..<100 {
                #expect(throws: SpawnError.self) {
                    try node.spawn(Counter.self, -1, options: .init(name: "n"))
                }
                #expect(node.whereis("n") == nil)
                await #expect(throws: SpawnError.self) {
                    try await node.spawn(AsyncCounter.self, -1, options: .init(name: "n"))
                }
                #expect(node.whereis("n") == nil)
            }
            let counter = try node.spawn(Counter.self, 1, options: .init(name: "n"))
            #expect(node.whereis("n") == counter.pid)
        }
    }

    @Test("an exit reason is never replaced by another, however busy the process is")
    func exitReason() async throws {
        try await withNode { node in
            for round in 0..<300 {
                let counter = try await node.spawn(AsyncCounter.self, 0)
                for _ in 0..<20 { try counter.cast(.increment(by: 1)) }
                node.exit(counter.pid, .custom(round))
                #expect(try await counter.exitReason == .custom(round))
            }
        }
    }

    @Test("a monitor by a name that was registered late fires")
    func lateName() async throws {
        try await withNode { node in
            let target = try node.spawn { _ = try await $0.receive() }
            let watching = Gate()
            let watcher = try node.spawn { process in
                try node.register("late", target.pid)
                let ref = process.monitor(name: "late")
                watching.open()
                let down = try await process.receive() as? MessageDown
                #expect(down?.ref == ref)
                #expect(down?.object == .name("late", node: node.name))
                return down?.reason
            }
            await watching.wait()
            try target.send("end")
            #expect(try await watcher.value == .normal)
        }
    }

    @Test("a call to a process that is dying fails then, not at its deadline")
    func dyingCallee() async throws {
        try await withNode { node in
            let clock = ContinuousClock()
            let counter = try await node.spawn(AsyncCounter.self, 0)
            let (gate, started) = (Gate(), Gate())
            try counter.cast(.wait(gate, started: started))
            await started.wait()
            let call = counter.sendRequest(.value)
            let begin = clock.now
            node.exit(counter.pid, .shutdown)
            // Told to end, but its handler has not returned.
            let late = counter.sendRequest(.value)
            gate.open()
            await #expect(throws: CallError.exited(.shutdown)) {
                try await call.receive(timeout: .seconds(60))
            }
            await #expect(throws: CallError.self) {
                try await late.receive(timeout: .seconds(60))
            }
            #expect(clock.now - begin < .seconds(30))
        }
    }

    @Test("a delayed send does not outlive its owner")
    func delayedSend() async throws {
        try await withNode { node in
            let receiver = try node.spawn { process in
                var seen: [String] = []
                for _ in 0..<2 { seen.append("\(try await process.receive())") }
                return seen
            }
            let owner = try node.spawn { process in
                try process.send("dead", to: .pid(receiver.pid), after: .seconds(2))
            }
            _ = try await owner.value
            // It went with its owner: nothing is left to fire.
            #expect(receiver.cell.timerCount == 0)
            try node.send("a", to: .pid(receiver.pid), after: .milliseconds(5))
            try node.send("b", to: .pid(receiver.pid), after: .milliseconds(10))
            #expect(try await receiver.value == ["a", "b"])
        }
    }

    @Test("a closure traps the exit of its parent like any other")
    func parentsExit() async throws {
        try await withNode { node in
            let child = Log<ProcessRef<ExitReason?>>()
            let parent = try node.spawn { process in
                let options = ProcessOptions(trapsExits: true)
                child.append(
                    try process.spawnLinked(options: options) { process in
                        (try await process.receive() as? MessageExit)?.reason
                    })
                throw ExitReason.custom("parent")
            }
            #expect(try await parent.exitReason == .custom("parent"))
            #expect(try await child.wait(for: 1)[0].value == .custom("parent"))
        }
    }

    @Test("the bound of a mailbox holds for all messages together")
    func oneBound() async throws {
        try await withNode { node in
            let options = ProcessOptions(mailbox: .init(capacity: 3))
            let counter = try node.spawn(Counter.self, 0, options: options)
            try await counter.suspend()
            try counter.cast(.increment(by: 1))
            try counter.send("info")
            let call = counter.sendRequest(.value)
            #expect(throws: SendError<Counter.Cast>.self) { try counter.cast(.increment(by: 1)) }
            #expect(throws: SendError<String>.self) { try counter.send("info") }
            await #expect(throws: CallError.mailboxFull(counter.pid, capacity: 3)) {
                try await counter.call(.value)
            }
            try await counter.resume()
            #expect(try await call.receive() == 1)
        }
    }
}
