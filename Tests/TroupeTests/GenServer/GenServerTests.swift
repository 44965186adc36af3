//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("GenServer", .timeLimit(.minutes(1)))
struct GenServerTests {
    @Test("call, cast and ask reach their handlers in order")
    func basics() async throws {
        try await withNode { node in
            let counter = try node.spawn(Counter.self, 5)
            for _ in 0..<1000 { try counter.cast(.increment(by: 2)) }
            #expect(try await counter.call(.value) == 2005)
            #expect(try await counter.call(.add(1)) == 2006)
            #expect(try await counter.ask { .answer($0) } == 2006)
            #expect(try await counter.direct(.value) == 2006)
        }
    }

    @Test("the async server's handlers do the same")
    func asyncBasics() async throws {
        try await withNode { node in
            let counter = try await node.spawn(AsyncCounter.self, 5)
            for _ in 0..<1000 { try counter.cast(.increment(by: 2)) }
            #expect(try await counter.call(.value) == 2005)
            #expect(try await counter.direct(.value) == 2005)
        }
    }

    @Test("GS-03 an init that throws returns its error and leaves no trace")
    func initThrows() async throws {
        try await withNode { node in
            let options = ProcessOptions(name: "counter")
            let error = #expect(throws: SpawnError.self) {
                _ = try node.spawn(Counter.self, -7, options: options)
            }
            guard case .initFailed(let reason) = error else { throw TestError(1) }
            #expect(reason == .error(TestError(-7)))
            #expect(node.whereis("counter") == nil)
            #expect(node.processes.isEmpty)
            let asyncError = await #expect(throws: SpawnError.self) {
                _ = try await node.spawn(AsyncCounter.self, -8, options: options)
            }
            guard case .initFailed(let asyncReason) = asyncError else { throw TestError(2) }
            #expect(asyncReason == .error(TestError(-8)))
            #expect(node.whereis("counter") == nil)
            _ = try node.spawn(Counter.self, 0, options: options)
        }
    }

    @Test("PLIB-03 a failed start leaves the starter neither an EXIT nor a DOWN")
    func failedStartIsQuiet() async throws {
        try await withNode { node in
            let starter = try node.spawn(options: .init(trapsExits: true)) { process in
                #expect(throws: SpawnError.self) { _ = try process.spawnLinked(Counter.self, -1) }
                #expect(throws: SpawnError.self) {
                    _ = try process.spawnMonitored(Counter.self, -1)
                }
                await #expect(throws: SpawnError.self) {
                    _ = try await process.spawnLinked(AsyncCounter.self, -1)
                }
                await #expect(throws: SpawnError.self) {
                    _ = try await process.spawnMonitored(AsyncCounter.self, -1)
                }
                return try await process.receive(timeout: .zero) == nil && process.links.isEmpty
            }
            #expect(try await starter.value)
        }
    }

    @Test("GS-02 an init that asks to be ignored is no crash")
    func ignored() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.problems) { events.append($0) })
        try await withNode(options) { node in
            let error = #expect(throws: SpawnError.self) {
                _ = try node.spawn(
                    Recorder.self, .init(Log<String>()) { _ in throw IgnoreStart() },
                    options: .init(name: "ignored"))
            }
            guard case .ignored = error else { throw TestError(1) }
            #expect(node.whereis("ignored") == nil && node.count == 0)
        }
        #expect(events.elements.isEmpty)
    }

    @Test("GS-43 what terminate throws replaces the reason")
    func terminateThrows() async throws {
        struct Sloppy: GenServer {
            init(_: Void, process: ServerProcess) {}
            mutating func terminate(reason: ExitReason, process: ServerProcess) throws {
                throw TestError(7)
            }
        }
        try await withNode { node in
            let watcher = try node.spawn { process in
                let (server, _) = try process.spawnMonitored(Sloppy.self, ())
                process.exit(server.pid, .shutdown)
                return (try await process.receive() as? MessageDown)?.reason
            }
            #expect(try await watcher.value == .error(TestError(7)))
        }
    }

    @Test("GS-08 a taken name throws before init runs")
    func nameTaken() async throws {
        try await withNode { node in
            let options = ProcessOptions(name: "counter")
            let first = try node.spawn(Counter.self, 0, options: options)
            let error = #expect(throws: SpawnError.self) {
                _ = try node.spawn(Counter.self, -1, options: options)
            }
            guard case .nameTaken("counter", let holder) = error else { throw TestError(1) }
            #expect(holder == first.pid)
            #expect(node.count == 1)
        }
    }

    @Test("GS-29 direct reaches handleDirect, with request and reply types of its own")
    func direct() async throws {
        struct Spoken: GenServer {
            enum Call: Sendable { case number }
            struct Question: Sendable { let text: String }

            init(_: Void, process: ServerProcess) {}

            mutating func handleCall(
                _ request: Call, from: From<Int>, process: ServerProcess
            ) -> CallResult<Int> { .reply(1) }

            mutating func handleDirect(
                _ request: Question, from: From<String>, process: ServerProcess
            ) -> CallResult<String> { .reply(request.text + "!") }
        }
        try await withNode { node in
            let server = try node.spawn(Spoken.self)
            #expect(try await server.call(.number) == 1)
            #expect(try await server.direct(.init(text: "yes")) == "yes!")
        }
    }

    @Test("a cast that waits for room gets it, also at an async server")
    func waitingCast() async throws {
        try await withNode { node in
            let counter = try await node.spawn(
                AsyncCounter.self, 0, options: .init(mailbox: .init(capacity: 1)))
            let (gate, started) = (Gate(), Gate())
            try counter.cast(.wait(gate, started: started))
            await started.wait()
            try counter.cast(.increment(by: 1))
            #expect(throws: SendError<AsyncCounter.Cast>.self) {
                try counter.cast(.increment(by: 1))
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        try await counter.cast(.increment(by: 1), waitingUpTo: .seconds(30))
                    }
                }
                gate.open()
                try await group.waitForAll()
            }
            while counter.cell.queueLength > 0 { await Task.yield() }
            #expect(try await counter.call(.value) == 11)
        }
    }

    @Test("GS-10 a deferred reply is given by whoever holds the From, once")
    func deferredReply() async throws {
        try await withNode { node in
            let counter = try node.spawn(Counter.self, 5)
            let isStored = Gate()
            async let reply = counter.call(.later(isStored))
            await isStored.wait()
            #expect(try await counter.call(.add(1)) == 6)
            try counter.cast(.replyToLater)
            #expect(try await reply == 6)
            // A second reply is dropped.
            try counter.cast(.replyToLater)
            #expect(try await counter.call(.value) == 6)
        }
    }

    @Test("GS-11 GS-12 a call that is not answered in time fails, and the late reply is dropped")
    func timeout() async throws {
        try await withNode { node in
            let counter = try node.spawn(Counter.self, 5)
            await #expect(throws: CallError.timeout(counter.pid)) {
                _ = try await counter.call(.later(Gate()), timeout: .milliseconds(20))
            }
            try counter.cast(.replyToLater)
            #expect(try await counter.call(.value) == 5)
        }
    }

    @Test("GS-13 GS-16 a call to a process that is gone, or goes, fails at once")
    func calleeDies() async throws {
        try await withNode { node in
            let counter = try node.spawn(Counter.self, 5)
            await #expect(throws: CallError.exited(.error(TestError(3)))) {
                _ = try await counter.call(.fail(3))
            }
            await #expect(throws: CallError.noProcess(counter.pid)) {
                _ = try await counter.call(.value)
            }
            let other = try node.spawn(Counter.self, 5)
            async let outcome = counterOutcome(other)
            node.exit(other.pid, .custom("gone"))
            let result = await outcome
            #expect(result == .exited(.custom("gone")) || result == .noProcess(other.pid))
        }
    }

    private func counterOutcome(_ counter: ServerRef<Counter>) async -> CallError? {
        do {
            _ = try await counter.call(.silent)
            return nil
        } catch {
            return error
        }
    }

    @Test("GS-21 reply and stop: the caller gets the reply, then the server ends with the reason")
    func replyAndStop() async throws {
        try await withNode { node in
            let counter = try node.spawn(Counter.self, 5)
            let watcher = try node.spawn { process in
                let ref = process.monitor(counter.pid)
                #expect(try await counter.call(.stop(.shutdown("done"))) == 5)
                let down = try await process.receive() as? MessageDown
                #expect(down?.ref == ref)
                return down?.reason
            }
            #expect(try await watcher.value == .shutdown("done"))
        }
    }

    @Test("GS-15 a process that calls itself is told at once")
    func callingSelf() async throws {
        try await withNode { node in
            let counter = try await node.spawn(
                AsyncCounter.self, 5, options: .init(name: "self"))
            let error = await #expect(throws: CallError.self) {
                _ = try await counter.call(.askSelf)
            }
            #expect(error == .exited(.error(CallError.callingSelf(counter.pid))))
        }
    }

    @Test("a cycle of calls is refused at once, with the chain")
    func cycle() async throws {
        try await withNode { node in
            let a = try await node.spawn(AsyncCounter.self, 1)
            let b = try await node.spawn(AsyncCounter.self, 2)
            let c = try await node.spawn(AsyncCounter.self, 3)
            let error = await #expect(throws: CallError.self) {
                _ = try await a.call(.askNext([b, c, a]), timeout: .seconds(30))
            }
            // c sees the cycle and crashes with it; b and a crash because their callee did.
            let chain = CallError.cycle([c.pid, a.pid, b.pid])
            let crash = ExitReason.error(
                CallError.exited(.error(CallError.exited(.error(chain)))))
            #expect(error == .exited(crash))
        }
    }

    @Test("a handler that deferred its reply is not part of a cycle")
    func deferredIsNoCycle() async throws {
        try await withNode { node in
            let a = try await node.spawn(AsyncCounter.self, 1)
            let b = try await node.spawn(AsyncCounter.self, 2)
            let isStored = Gate()
            // b waits for a, which has deferred its reply: somebody else may give it. So when a
            // calls b that is no cycle, and ends at its deadline.
            let asking = Task { try await b.call(.askLater(a, isStored)) }
            await isStored.wait()
            let error = await #expect(throws: CallError.self) {
                _ = try await a.call(.askWithin(.milliseconds(20), b))
            }
            #expect(error == .exited(.error(CallError.timeout(b.pid))))
            _ = try? await asking.value
        }
    }

    @Test("GS-40 terminate runs for an exit, not for a kill")
    func terminateRuns() async throws {
        try await withNode { node in
            let log = Log<String>()
            let one = try node.spawn(Recorder.self, .init(log))
            node.exit(one.pid, .custom("stop"))
            #expect(await log.wait(for: 1) == ["terminate stop"])
            let two = try node.spawn(Recorder.self, .init(log))
            let watcher = try node.spawn { process in
                _ = process.monitor(two.pid)
                process.exit(two.pid, .kill)
                return (try await process.receive() as? MessageDown)?.reason
            }
            #expect(try await watcher.value == .killed)
            #expect(log.elements == ["terminate stop"])
        }
    }

    @Test("a kill takes effect when the running handler waits, and cancels its task")
    func killWhileWaiting() async throws {
        try await withNode { node in
            let counter = try await node.spawn(AsyncCounter.self, 1)
            async let outcome = callOutcome(counter)
            let watcher = try node.spawn { process in
                _ = process.monitor(counter.pid)
                return (try await process.receive() as? MessageDown)?.reason
            }
            node.kill(counter.pid)
            let reason = try await watcher.value
            #expect(reason == .killed || reason == .noProcess)
            let result = await outcome
            #expect(result == .exited(.killed) || result == .noProcess(counter.pid))
        }
    }

    private func callOutcome(_ counter: ServerRef<AsyncCounter>) async -> CallError? {
        do {
            _ = try await counter.call(.sleep(.seconds(100)))
            return nil
        } catch {
            return error
        }
    }

    @Test("the callers that wait in a full mailbox are told when the server ends")
    func callersInMailbox() async throws {
        try await withNode { node in
            let counter = try node.spawn(Counter.self, 1, options: .init(ownThread: true))
            let (gate, started) = (Gate(), Gate())
            try counter.cast(.block(gate, started: started))
            await started.wait()
            let outcomes = try await withThrowingTaskGroup(of: CallError?.self) { group in
                for _ in 0..<20 { group.addTask { await self.counterOutcome(counter) } }
                group.addTask {
                    node.kill(counter.pid)
                    gate.open()
                    return nil
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for outcome in outcomes.compactMap({ $0 }) {
                #expect(outcome == .exited(.killed) || outcome == .noProcess(counter.pid))
            }
        }
    }
}
