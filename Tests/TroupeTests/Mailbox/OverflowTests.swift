//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Mailboxes: bounds and what happens at them", .timeLimit(.minutes(4)))
struct OverflowTests {
    private func blocked(
        _ node: Node, capacity: Int, _ overflow: OverflowPolicy, name: String? = nil
    ) async throws -> (server: ServerRef<Recorder>, log: Log<String>, gate: Gate) {
        try await node.spawnBlocked(
            .init(name: name, mailbox: .init(capacity: capacity, overflow: overflow)))
    }

    @Test("dropNewest: the message is gone, the sender is not told, the event is")
    func dropNewest() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.messageDropped) { events.append($0) })
        try await withNode(options) { node in
            let (server, log, gate) = try await blocked(node, capacity: 2, .dropNewest)
            for number in 0..<5 { try server.send(number) }
            gate.open()
            #expect(await log.wait(for: 2) == ["0", "1"])
            guard case .messageDropped(let pid, .dropNewest, 3) = events.elements.last else {
                Issue.record("\(events.elements)")
                return
            }
            #expect(pid == server.pid && events.elements.count == 3)
        }
    }

    @Test("dropOldest: the newest stay, and order is kept")
    func dropOldest() async throws {
        try await withNode { node in
            let (server, log, gate) = try await blocked(node, capacity: 3, .dropOldest)
            for number in 0..<10 { try server.send(number) }
            gate.open()
            #expect(await log.wait(for: 3) == ["7", "8", "9"])
            try server.send(10)
            #expect(await log.wait(for: 4).last == "10")
        }
    }

    @Test("dropOldest fails the call that it drops")
    func dropOldestCall() async throws {
        try await withNode { node in
            let counter = try node.spawn(
                Counter.self, 1,
                options: .init(
                    mailbox: .init(capacity: 1, overflow: .dropOldest), ownThread: true))
            let (gate, started) = (Gate(), Gate())
            try counter.cast(.block(gate, started: started))
            await started.wait()
            async let outcome = { () async -> CallError? in
                do throws(CallError) {
                    _ = try await counter.call(.value)
                    return nil
                } catch { return error }
            }()
            await waitWhile { counter.cell.queueLength == 0 }
            try counter.cast(.increment(by: 5))
            #expect(await outcome == .mailboxFull(counter.pid, capacity: 1))
            gate.open()
            await waitWhile { counter.cell.queueLength > 0 }
            #expect(try await counter.call(.value) == 6)
        }
    }

    @Test("a fallback that does not exist, or is the process itself, rejects")
    func fallbackMissing() async throws {
        try await withNode { node in
            for target in ["nobody", "own"] {
                let (server, _, gate) = try await blocked(
                    node, capacity: 1, .fallback(.name(target), tag: "x"), name: "own")
                try server.send(1)
                #expect(throws: SendError<Int>.self) { try server.send(2) }
                gate.open()
                node.exit(server.pid, .shutdown)
                await waitWhile { node.isAlive(server.pid) }
            }
        }
    }

    @Test("stop: the process ends with MailboxOverflow, after its running handler")
    func stop() async throws {
        try await withNode { node in
            let (server, log, gate) = try await blocked(node, capacity: 1, .stop)
            try server.send(1)
            #expect(throws: SendError<Int>.self) { try server.send(2) }
            gate.open()
            let text = "terminate \(ExitReason.error(MailboxOverflow(capacity: 1)))"
            #expect(await log.wait(for: 1) == [text])
        }
    }

    @Test("waiting senders are served in order, as room comes, and lose nothing")
    func waiting() async throws {
        try await withNode { node in
            let (server, log, gate) = try await blocked(node, capacity: 2, .reject)
            for number in 0..<2 { try server.send(number) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 2..<20 {
                    group.addTask {
                        try await node.send(
                            number, to: .pid(server.pid), waitingUpTo: .seconds(30))
                    }
                    await waitWhile { server.cell.sendWaiterCount < number - 1 }
                }
                // While others wait the mailbox is full for everybody else.
                #expect(throws: SendError<Int>.self) { try server.send(99) }
                gate.open()
                try await group.waitForAll()
            }
            #expect(await log.wait(for: 20) == (0..<20).map(String.init))
        }
    }

    @Test("a waiting send ends at its deadline, when cancelled, and when the process ends")
    func waitingEnds() async throws {
        try await withNode { node in
            let (server, _, gate) = try await blocked(node, capacity: 1, .reject)
            try server.send(0)
            let late = await #expect(throws: SendError<Int>.self) {
                try await node.send(1, to: .pid(server.pid), waitingUpTo: .milliseconds(10))
            }
            #expect(late?.failure == .timeout(server.pid) && late?.message == 1)
            let task = Task {
                try await node.send(2, to: .pid(server.pid), waitingUpTo: .seconds(60))
            }
            await waitWhile { server.cell.sendWaiterCount == 0 }
            task.cancel()
            let cancelled = await #expect(throws: SendError<Int>.self) { try await task.value }
            #expect(cancelled?.failure == .cancelled)
            #expect(server.cell.sendWaiterCount == 0)
            async let outcome = { () async -> SendFailure? in
                do throws(SendError<Int>) {
                    try await node.send(3, to: .pid(server.pid), waitingUpTo: .seconds(60))
                    return nil
                } catch { return error.failure }
            }()
            await waitWhile { server.cell.sendWaiterCount == 0 }
            node.kill(server.pid)
            gate.open()
            #expect(await outcome == .processUnknown(server.pid))
        }
    }

    @Test("a bound of less than one message is an error", arguments: [0, -1, Int.max])
    func badCapacity(capacity: Int) async throws {
        try await withNode { node in
            let error = #expect(throws: SpawnError.self) {
                _ = try node.spawn(
                    Counter.self, 1, options: .init(mailbox: .init(capacity: capacity)))
            }
            guard case .mailboxCapacityInvalid(capacity) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("a send to a node without a connection says so and hands the message back")
    func unreachable() async throws {
        try await withNode { node in
            let away = Pid(node: "away", id: 16, creation: node.creation)
            let error = #expect(throws: SendError<String>.self) { try node.send("m", to: away) }
            #expect(error?.failure == .noConnection(node: "away") && error?.message == "m")
        }
    }
}
