//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Scheduler", .timeLimit(.minutes(4)))
struct SchedulerTests {
    @Test("a process that floods itself starves nobody", arguments: [1, 2])
    func fairness(threads: Int) async throws {
        struct Flooder: GenServer {
            init(_: Void, process: ServerProcess) throws { try process.send(0, to: process.pid) }
            mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
                try process.send(0, to: process.pid)
                try? process.send(0, to: process.pid)
            }
        }
        let scheduler = Scheduler.threads(threads)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            for _ in 0..<4 {
                _ = try node.spawn(Flooder.self, options: .init(mailbox: .init(capacity: 100)))
            }
            let counter = try node.spawn(Counter.self, 0)
            let caller = try node.spawn { process in
                for _ in 0..<200 { _ = try await counter.call(.add(1)) }
                return try await counter.call(.value)
            }
            #expect(try await caller.value == 200)
        }
        scheduler.shutDown()
    }

    @Test("a closure that never waits shares its thread at every receive", arguments: [1, 2])
    func closureFairness(threads: Int) async throws {
        let scheduler = Scheduler.threads(threads)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            for _ in 0..<3 {
                try node.spawn { process in
                    while true {
                        try process.send(1, to: process.pid)
                        _ = try await process.receive()
                    }
                }
            }
            let other = try node.spawn { process in
                try process.send("hello", to: process.pid)
                return try await process.receive() as? String
            }
            #expect(try await other.value == "hello")
        }
        scheduler.shutDown()
    }

    @Test("a node of 100,000 processes stays responsive")
    func responsive() async throws {
        try await withNode { node in
            var servers: [ServerRef<Counter>] = []
            for number in 0..<100_000 {
                servers.append(try node.spawn(Counter.self, number))
                // Other tests run on this thread, too.
                if number % 1000 == 0 { await Task.yield() }
            }
            for server in servers { try server.cast(.increment(by: 1)) }
            #expect(try await servers[99_999].call(.value) == 100_000)
            #expect(try await node.spawn { _ in 7 }.value == 7)
            var sum = 0
            for server in servers { sum += try await server.call(.value) }
            #expect(sum == (0..<100_000).reduce(0, +) + 100_000)
        }
    }

    @Test("a process with a thread of its own may block without holding up the others")
    func ownThread() async throws {
        let scheduler = Scheduler.threads(1)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let gate = Gate()
            let blocked = try (0..<3).map { _ in
                try node.spawn(Counter.self, 1, options: .init(ownThread: true))
            }
            for server in blocked {
                let started = Gate()
                try server.cast(.block(gate, started: started))
                await started.wait()
            }
            let counter = try node.spawn(Counter.self, 5)
            try counter.cast(.increment(by: 1))
            #expect(try await counter.call(.value) == 6)
            gate.open()
            for server in blocked { #expect(try await server.call(.value) == 1) }
        }
        scheduler.shutDown()
    }

    @Test("what waits alone behind a long handler is taken by another thread")
    func stuckWorker() async throws {
        let scheduler = Scheduler.threads(2)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            for _ in 0..<50 {
                let (log, gate) = (Log<String>(), Gate())
                let stuck = try node.spawn(Recorder.self, .init(log))
                let other = try node.spawn(Recorder.self, .init(log))
                try stuck.cast { _ in
                    // Pushed onto the queue of the thread that is blocked from here on.
                    try other.cast { _ in gate.open() }
                    gate.waitBlocking()
                    log.append("free")
                }
                #expect(await log.wait(for: 1) == ["free"])
            }
        }
        scheduler.shutDown()
    }

    @Test("what comes from outside has its turn before long, however busy the thread is")
    func outside() async throws {
        let scheduler = Scheduler.threads(1)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let log = Log<String>()
            let recorder = try node.spawn(Recorder.self, .init(log))
            try await node.inProcess(.init()) { _ in
                for round in 1...100 {
                    let parker = Parker()
                    Platform.startThread(name: "outside") {
                        try? recorder.send(round)
                        parker.unpark()
                    }
                    parker.park()
                    var turns = 0
                    while log.elements.count < round {
                        await Task.yield()
                        turns += 1
                    }
                    #expect(turns <= 2)
                }
            }
        }
        scheduler.shutDown()
    }

    @Test("init nests as deep as one likes")
    func deepNesting() async throws {
        struct Nested: GenServer {
            init(_ depth: Int, process: ServerProcess) throws {
                if depth > 0 { _ = try process.spawnLinked(Nested.self, depth - 1) }
            }
        }
        try await withNode { node in
            let first = try node.spawn(Nested.self, 2000)
            #expect(node.count == 2001)
            node.exit(first.pid, .custom("all"))
            await waitWhile { node.count > 0 }
        }
    }

    @Test("tasks of the user run on the scheduler's threads when they prefer it")
    func taskExecutor() async throws {
        let scheduler = Scheduler.threads(1)
        let isCurrent = await Task(executorPreference: scheduler) { scheduler.isCurrent }.value
        #expect(isCurrent)
        #expect(scheduler.threadCount == 1 && !scheduler.isCurrent)
        scheduler.shutDown()
    }

    @Test("a blocking call from a thread that runs processes is refused, elsewhere it works")
    func blockingCalls() async throws {
        try await withNode { node in
            let counter = try node.spawn(Counter.self, 5)
            let log = Log<String>()
            let caller = try node.spawn(Recorder.self, .init(log))
            let call: Recorder.Cast = { _ in
                do throws(CallError) {
                    log.append("\(try counter.directBlocking(.value))")
                } catch {
                    log.append("\(error == .wouldBlockScheduler(counter.pid))")
                }
            }
            try caller.cast(call)
            #expect(await log.wait(for: 1) == ["true"])
            let own = try node.spawn(Recorder.self, .init(log), options: .init(ownThread: true))
            try own.cast(call)
            #expect(await log.wait(for: 2) == ["true", "5"])
            // From a plain thread.
            Platform.startThread(name: "plain") {
                log.append("\((try? counter.directBlocking(.add(1))) ?? -1)")
            }
            #expect(await log.wait(for: 3) == ["true", "5", "6"])
        }
    }
}
