//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("GenServer", .timeLimit(.minutes(4)))
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
            await waitWhile { counter.cell.queueLength > 0 }
            #expect(try await counter.call(.value) == 11)
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

    @Test("a call that its caller's thread handles too slowly fails")
    func timeoutOfClaimedCall() async throws {
        try await withNode { node in
            let server = try await ServerKind.plain.spawn(on: node)
            let slow = Command.run { spin(for: .milliseconds(20), on: $0.node) }
            #expect(
                await server.failure(of: slow, timeout: .milliseconds(1)) == .timeout(server.pid))
            #expect(try await server.call(.note("lives")) == 1)
        }
    }

    @Test("a plain server that makes a blocking call to itself does not wait for ever")
    func blockingSelf() async throws {
        try await withNode { node in
            let log = Log<CallError?>()
            let server = try node.spawn(PlainServer.self, Script())
            let ask = Command.run { process in
                guard case let process as ServerContext<PlainServer> = process else { return }
                do throws(CallError) {
                    _ = try process.ref.directBlocking(.note("x"), timeout: .seconds(1000))
                } catch { log.append(error) }
            }
            try server.cast(ask)
            #expect(await log.wait(for: 1) == [.wouldBlockScheduler(server.pid)])
            // The mailbox is empty: this call is handled here, on no thread of the scheduler.
            _ = try await server.state { _ in true }
            await waitWhile { server.info?.activity != .waiting }
            _ = try await server.call(ask)
            #expect(log.elements.last == .callingSelf(server.pid))
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

    private func counterOutcome(_ counter: ServerRef<Counter>) async -> CallError? {
        do {
            _ = try await counter.call(.silent)
            return nil
        } catch {
            return error
        }
    }
}
