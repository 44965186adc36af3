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

    @Test("stop: a request has failed when the server is told to end, whose exit comes after that")
    func stopAfterFailure() async throws {
        try await withNode { node in
            let mailbox = MailboxOptions(capacity: 1, overflow: .stop)
            let counter = try node.spawn(
                Counter.self, 1, options: .init(mailbox: mailbox, ownThread: true))
            let (gate, started) = (Gate(), Gate())
            try counter.cast(.block(gate, started: started))
            await started.wait()
            try counter.cast(.increment(by: 1))
            let reply = TypedReplyCell<Int>(callee: counter.pid)
            let observer = StopObserver(counter.cell)
            reply.observe(observer, token: 0)
            counter.send(.value, replyingTo: reply)
            #expect(observer.wasToldToEnd.value == false)
            #expect(throws: CallError.mailboxFull(counter.pid, capacity: 1)) { try reply.take() }
            gate.open()
            await waitWhile { node.isAlive(counter.pid) }
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

    @Test("senders that fill a large mailbox lose nothing, and each keeps its order")
    func manySenders() async throws {
        try await withNode { node in
            let (server, log, gate) = try await blocked(node, capacity: 1000, .reject)
            for number in 0..<1000 { try server.send(number) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sender in 1...4 {
                    group.addTask {
                        for number in 0..<500 {
                            try await node.send(
                                sender * 1000 + number, to: .pid(server.pid),
                                waitingUpTo: .seconds(60))
                        }
                    }
                }
                await waitWhile { server.cell.sendWaiterCount < 4 }
                gate.open()
                try await group.waitForAll()
            }
            let numbers = await log.wait(for: 3000).compactMap { Int($0) }
            for sender in 0...4 {
                let own = numbers.filter { $0 / 1000 == sender }
                #expect(own.count == (sender == 0 ? 1000 : 500) && own == own.sorted())
            }
        }
    }

    @Test("who waits for room is let in when the process has looked at everything else")
    func portionOfSelective() async throws {
        // Time stands still, so nobody gets a place because the time is up.
        let time = VirtualTime()
        let scheduler = time.makeScheduler(threads: 2)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let (begin, full) = (Gate(), Gate())
            let options = ProcessOptions(mailbox: MailboxOptions(capacity: 400))
            let process = try node.spawn(options: options) { process in
                await begin.wait()
                // Passes over all numbers but one.
                _ = try await process.receive(Int.self)
                let text = try await process.receive(String.self)
                await full.wait()
                return text
            }
            for number in 0..<400 { try process.send(number) }
            async let sending: Void = node.send(
                "hello", to: .pid(process.pid), waitingUpTo: .seconds(60))
            await waitWhile { process.cell.sendWaiterCount == 0 }
            begin.open()
            try await sending
            full.open()
            #expect(try await process.value == "hello")
        }
        time.shutDown()
    }

    /// Lets a body take a number out of a full mailbox each time that the gate in its turn opens, while
    /// one sender waits for room for 200 ms of a time that stands still.
    private func oneWaits(
        turns: Int,
        _ body: (
            VirtualTime, ProcessRef<Int>, _ take: (Int) async -> Void,
            _ sent: () async throws -> Void
        ) async throws -> Void
    ) async throws {
        let time = VirtualTime()
        let scheduler = time.makeScheduler(threads: 2)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let gates = (0..<turns).map { _ in (begin: Gate(), taken: Gate()) }
            let (atEnd, options) = (Gate(), ProcessOptions(mailbox: MailboxOptions(capacity: 400)))
            let process = try node.spawn(options: options) { process in
                var sum = 0
                for gate in gates {
                    await gate.begin.wait()
                    sum += try await process.receive(Int.self)
                    gate.taken.open()
                }
                await atEnd.wait()
                return sum
            }
            for number in 0..<400 { try process.send(number) }
            let sending = Task {
                try await node.send(400, to: .pid(process.pid), waitingUpTo: .milliseconds(200))
            }
            await waitWhile { process.cell.sendWaiterCount == 0 }
            try await body(
                time, process,
                { turn in
                    gates[turn].begin.open()
                    await gates[turn].taken.wait()
                }, { try await sending.value })
            atEnd.open()
            #expect(try await process.value == (0..<turns).reduce(0, +))
        }
        time.shutDown()
    }

    @Test("a send does not time out while there is room that nobody has given away yet")
    func portionAtDeadline() async throws {
        try await oneWaits(turns: 1) { time, process, take, sent in
            await take(0)
            #expect(process.cell.sendWaiterCount == 1)
            time.advance(by: .milliseconds(200))
            try await sent()
        }
    }

    @Test(
        "who has waited for some milliseconds gets the place that is free, and no portion is awaited"
    )
    func portionOfSlow() async throws {
        try await oneWaits(turns: 3) { time, process, take, sent in
            await take(0)
            await take(1)
            #expect(process.cell.sendWaiterCount == 1)
            time.advance(by: .milliseconds(20))
            await take(2)
            try await sent()
        }
    }

    @Test("who waits for long is not put off because another begins to")
    func patience() async throws {
        try await oneWaits(turns: 1) { time, process, take, sent in
            time.advance(by: .milliseconds(20))
            let second = another(process, waitingUpTo: .seconds(60))
            await waitWhile { process.cell.sendWaiterCount < 2 }
            await take(0)
            // The place of that number is there at the next look.
            time.advance(by: .milliseconds(4))
            #expect(process.cell.hasUrgentSender)
            second.cancel()
            _ = await second.result
            time.advance(by: .milliseconds(200))
            try await sent()
        }
    }

    @Test("the one place that is free at a deadline is that of who has waited longest")
    func orderAtDeadline() async throws {
        try await oneWaits(turns: 1) { time, process, take, sent in
            let second = another(process, waitingUpTo: .milliseconds(100))
            await waitWhile { process.cell.sendWaiterCount < 2 }
            await take(0)
            time.advance(by: .milliseconds(100))
            try await sent()
            await #expect(throws: SendError<Int>.self) { try await second.value }
        }
    }

    private func another(
        _ process: ProcessRef<Int>, waitingUpTo timeout: Duration
    ) -> Task<Void, any Error> {
        Task { try await process.cell.node.send(401, to: .pid(process.pid), waitingUpTo: timeout) }
    }

    @Test(
        "who sends without waiting gets no place that another waits for, and any that is left over")
    func placesOfOthers() async throws {
        try await oneWaits(turns: 2) { time, process, take, sent in
            await take(0)
            #expect(throws: SendError<Int>.self) { try process.send(500) }
            #expect(throws: SendError<Int>.self) { try process.send(500) }
            await take(1)
            try process.send(500)
            #expect(throws: SendError<Int>.self) { try process.send(500) }
            #expect(process.cell.sendWaiterCount == 1)
            time.advance(by: .milliseconds(200))
            try await sent()
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

/// Notes whether a server has been told to end when a reply of it comes.
private final class StopObserver: ReplyObserver {
    let wasToldToEnd = Shared<Bool?>(nil)
    private let server: ProcessCell

    init(_ server: ProcessCell) { self.server = server }

    func replyArrived(token: Int) {
        wasToldToEnd.update { $0 = server.withCore { $0.lifecycle.stopReason != nil } }
    }
}
