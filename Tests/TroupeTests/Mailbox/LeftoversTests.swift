//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// A server that writes down its casts and infos, and ends when it is told to.
private struct Clerk: GenServer {
    enum Cast: Sendable {
        case note(Int)
        case fail(Int)
        case ask(ReplyTo<Int>)
    }

    let log: Log<String>

    struct Argument: Sendable {
        let log: Log<String>
        var failsAtStart = false
    }

    init(_ argument: Argument, process: ServerProcess) throws {
        log = argument.log
        if argument.failsAtStart { throw TestError(1) }
    }

    mutating func handleCall(
        _ request: String, from: From<String>, process: ServerProcess
    ) -> CallResult<String> {
        log.append("call \(request)")
        return .reply(request)
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .note(let number): log.append("cast \(number)")
        case .fail(let code): throw TestError(code)
        case .ask(let replyTo): replyTo.reply(1)
        }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        switch message {
        case let down as MessageDown: log.append("down \(down.reason)")
        case let fallback as MessageFallback:
            if case Cast.note(let number)? = fallback.message as? Cast {
                log.append("\(fallback.tag) \(fallback.process) cast \(number)")
            } else {
                log.append("\(fallback.tag) \(fallback.process) info \(fallback.message)")
            }
        default: log.append("info \(message)")
        }
    }
}

/// The same with handlers that may wait.
private struct AsyncClerk: AsyncGenServer {
    let log: Log<String>

    init(_ log: Log<String>, process: ServerProcess) async { self.log = log }

    mutating func handleCast(_ message: Int, process: ServerProcess) async throws {
        if message < 0 { throw TestError(message) }
        log.append("cast \(message)")
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
        log.append("info \(message)")
    }
}

@Suite("What becomes of unread messages when a process ends", .timeLimit(.minutes(4)))
struct LeftoversTests {
    /// Gives a suspended clerk a cast that it fails on and what must not be read before.
    private func leave(_ clerk: ServerRef<Clerk>, _ numbers: Range<Int>) async throws {
        try await clerk.suspend()
        try clerk.cast(.fail(9))
        for number in numbers {
            if number.isMultiple(of: 2) {
                try clerk.cast(.note(number))
            } else {
                try clerk.send(number)
            }
        }
    }

    private func resumeToEnd(_ clerk: ServerRef<Clerk>) async throws {
        try? await clerk.resume()
        guard case .error = try await clerk.exitReason else {
            Issue.record("it has not crashed")
            return
        }
    }

    // MARK: - Dropping

    @Test("by default they are dropped, without a report, as in OTP")
    func dropped() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.messageDropped) { events.append($0) })
        try await withNode(options) { node in
            let log = Log<String>()
            let clerk = try node.spawn(Clerk.self, .init(log: log))
            try await leave(clerk, 0..<4)
            try await resumeToEnd(clerk)
            let next = try node.spawn(Clerk.self, .init(log: log))
            _ = try await next.call("end")
            #expect(log.elements == ["call end"])
            #expect(events.elements.isEmpty)
        }
    }

    // MARK: - Keeping

    @Test("kept casts and infos come first in the next instance, in order; the culprit is not kept")
    func kept() async throws {
        let (counts, kept) = (Log<Int>(), KeptMailbox())
        let crashes = EventHandler([.crashed]) { _ in counts.append(kept.count) }
        try await withNode(NodeOptions(events: crashes)) { node in
            let log = Log<String>()
            let options = ProcessOptions(name: "clerk", leftovers: .keep(in: kept))
            let first = try node.spawn(Clerk.self, .init(log: log), options: options)
            try await leave(first, 0..<4)
            try await resumeToEnd(first)
            #expect(log.elements.isEmpty && kept.count == 4)
            // Before it was unknown, from when on the next one may be started.
            #expect(counts.elements == [4])
            let second = try node.spawn(Clerk.self, .init(log: log), options: options)
            #expect(kept.count == 0)
            try second.cast(.note(100))
            _ = try await second.call("end")
            #expect(
                log.elements == ["cast 0", "info 1", "cast 2", "info 3", "cast 100", "call end"])
        }
    }

    @Test("what is kept is there before init runs, which may send to itself")
    func beforeInit() async throws {
        try await withNode { node in
            let (log, kept) = (Log<String>(), KeptMailbox())
            let options = ProcessOptions(name: "r", leftovers: .keep(in: kept))
            let first = try node.spawn(Recorder.self, .init(log), options: options)
            try await first.suspend()
            try first.send("kept")
            node.kill(first.pid)
            _ = try await first.exitReason
            let second = try node.spawn(
                Recorder.self,
                .init(log) { process in
                    #expect(process.info.mailboxCount == 1)
                    try process.send("from init", to: process.pid)
                }, options: options)
            #expect(await log.wait(for: 2) == ["kept", "from init"])
            try await second.stop()
        }
    }

    @Test("it is kept for every kind of end, also while the handler runs", arguments: 0..<5)
    func everyReason(_ way: Int) async throws {
        try await withNode { node in
            let kept = KeptMailbox()
            let (server, _, gate) = try await node.spawnBlocked(
                .init(leftovers: .keep(in: kept)))
            switch way {
            case 0: node.kill(server.pid)
            case 1: node.exit(server.pid, .shutdown)
            case 2: node.exit(server.pid, .error(TestError(1)))
            case 3: try server.cast { _ in throw ExitReason.normal }
            default: try server.cast { _ in throw TestError(2) }
            }
            try server.send("a")
            try server.send("b")
            gate.open()
            _ = try await server.exitReason
            #expect(kept.count == 2)
        }
    }

    @Test("a server that awaits, cancelled in its handler, leaves the same")
    func asyncServers() async throws {
        try await withNode { node in
            let (log, kept) = (Log<String>(), KeptMailbox())
            let options = ProcessOptions(leftovers: .keep(in: kept))
            let first = try await node.spawn(AsyncClerk.self, log, options: options)
            try await first.suspend()
            for number in [1, -1, 2, 3] { try first.cast(number) }
            try first.send("x")
            try await first.resume()
            _ = try await first.exitReason
            #expect(kept.count == 3)
            let second = try await node.spawn(AsyncClerk.self, log, options: options)
            #expect(await log.wait(for: 4) == ["cast 1", "cast 2", "cast 3", "info x"])
            try await second.stop()
            #expect(kept.count == 0)
        }
    }

    @Test("calls, asks, directs and requests are not kept: their callers are told at once")
    func callers() async throws {
        try await withNode { node in
            let (log, kept) = (Log<String>(), KeptMailbox())
            let options = ProcessOptions(leftovers: .keep(in: kept))
            let clerk = try node.spawn(Clerk.self, .init(log: log), options: options)
            try await clerk.suspend()
            let call = Task { try await clerk.call("call", timeout: .seconds(1000)) }
            let ask = Task { try await clerk.ask(timeout: .seconds(1000)) { .ask($0) } }
            let direct = Task { try await clerk.direct("direct", timeout: .seconds(1000)) }
            let pending = clerk.sendRequest("request")
            await waitWhile { clerk.cell.queueLength < 4 }
            try clerk.cast(.note(1))
            node.kill(clerk.pid)
            await #expect(throws: CallError.exited(.killed)) { try await call.value }
            await #expect(throws: CallError.exited(.killed)) { try await ask.value }
            await #expect(throws: CallError.exited(.killed)) { try await direct.value }
            await #expect(throws: CallError.exited(.killed)) { try await pending.receive() }
            // The callers are told while the mailbox is cleared, before it is kept.
            _ = try await clerk.exitReason
            #expect(kept.count == 1 && log.elements.isEmpty)
        }
    }

    @Test("EXITs, DOWNs and senders that wait for room leave nothing")
    func signals() async throws {
        try await withNode { node in
            let (log, kept) = (Log<String>(), KeptMailbox())
            let options = ProcessOptions(
                mailbox: .init(capacity: 1), leftovers: .keep(in: kept), trapsExits: true)
            let server = try node.spawn(
                Recorder.self,
                .init(log) { process in
                    let child = try process.spawnLinked { _ = try await $0.receive() }
                    _ = process.monitor(child.pid)
                    try process.send(child.pid, to: process.pid)
                }, options: options)
            guard let child = await log.wait(for: 1).first else { return }
            try await server.suspend()
            let pid = try #require(node.processes.first { "\($0)" == child })
            node.kill(pid)
            try server.send("kept")
            let waiting = Task {
                try await node.send("waiting", to: .pid(server.pid), waitingUpTo: .seconds(1000))
            }
            await waitWhile { server.cell.sendWaiterCount == 0 }
            node.kill(server.pid)
            await #expect(throws: SendError<String>.self) { try await waiting.value }
            _ = try await server.exitReason
            #expect(kept.count == 1)
        }
    }

    @Test("closure processes keep what they have passed over, and what channels hold, in order")
    func closures() async throws {
        try await withNode { node in
            let kept = KeptMailbox()
            let options = ProcessOptions(leftovers: .keep(in: kept))
            let (hasTaken, mayEnd) = (Gate(), Gate())
            let first = try node.spawn(options: options) { process in
                let channel = process.listen("topic")
                let taken = try await process.receive(String.self) { $0 == "take" }
                hasTaken.open()
                await mayEnd.wait()
                _ = channel
                return taken
            }
            try first.send(1)
            try first.send(TopicMessage(sender: nil, topic: "topic", payload: 2))
            try first.send(3)
            try first.send("take")
            await hasTaken.wait()
            try first.send(4)
            mayEnd.open()
            #expect(try await first.value == "take")
            #expect(kept.count == 4)
            let second = try node.spawn(options: options) { process in
                var seen: [String] = []
                for _ in 0..<4 {
                    switch try await process.receive() {
                    case let topic as TopicMessage: seen.append("topic \(topic.payload)")
                    case let other: seen.append("\(other)")
                    }
                }
                return seen
            }
            #expect(try await second.value == ["1", "topic 2", "3", "4"])
            #expect(kept.count == 0)
        }
    }

    @Test(
        "what exceeds the next mailbox is dropped, counted and reported", arguments: [true, false])
    func excess(_ dropsOldest: Bool) async throws {
        let events = Log<Event>()
        let options = NodeOptions(
            events: EventHandler([.messageDropped, .spawned]) { events.append($0) })
        try await withNode(options) { node in
            let (log, kept) = (Log<String>(), KeptMailbox())
            let first = try node.spawn(
                Clerk.self, .init(log: log), options: .init(leftovers: .keep(in: kept)))
            try await leave(first, 0..<6)
            try await resumeToEnd(first)
            let policy: OverflowPolicy = dropsOldest ? .dropOldest : .reject
            let second = try node.spawn(
                Clerk.self, .init(log: log),
                options: .init(
                    mailbox: .init(capacity: 4, overflow: policy), leftovers: .keep(in: kept)))
            let seen = await log.wait(for: 4)
            #expect(
                seen
                    == (dropsOldest
                        ? ["cast 2", "info 3", "cast 4", "info 5"]
                        : ["cast 0", "info 1", "cast 2", "info 3"]))
            #expect(try second.statistics().messagesDropped == 2)
            let all = events.elements
            guard all.count == 3, case .spawned(second.pid, _) = all[1],
                case .messageDropped(second.pid, policy, droppedSoFar: 2) = all[2]
            else {
                Issue.record("\(all)")
                return
            }
        }
    }

    @Test("a process of another type drops them and reports that; closures are one type")
    func misfits() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.messageDropped) { events.append($0) })
        try await withNode(options) { node in
            let (log, kept) = (Log<String>(), KeptMailbox())
            let options = ProcessOptions(leftovers: .keep(in: kept))
            let first = try node.spawn(Clerk.self, .init(log: log), options: options)
            try await leave(first, 0..<3)
            try await resumeToEnd(first)
            let second = try node.spawn(Recorder.self, .init(log), options: options)
            #expect(kept.count == 0)
            try await second.stop()
            #expect(log.elements == ["terminate normal"])
            guard case .leftoversDropped(second.pid, count: 3)? = events.elements.first else {
                Issue.record("\(events.elements)")
                return
            }
            #expect(events.elements.count == 1)
        }
    }

    @Test("after a start that fails they are still there, whether in init, by name or by key")
    func failedStarts() async throws {
        try await withNode { node in
            let (log, kept) = (Log<String>(), KeptMailbox())
            var options = ProcessOptions(leftovers: .keep(in: kept))
            let first = try node.spawn(Clerk.self, .init(log: log), options: options)
            try await leave(first, 0..<3)
            try await resumeToEnd(first)
            #expect(throws: SpawnError.self) {
                try node.spawn(
                    Clerk.self, .init(log: log, failsAtStart: true), options: options)
            }
            #expect(kept.count == 3)
            let holder = try node.spawn(options: .init(name: "taken")) { process in
                _ = try await process.receive()
            }
            options.name = "taken"
            #expect(throws: SpawnError.nameTaken("taken", by: holder.pid)) {
                try node.spawn(Clerk.self, .init(log: log), options: options)
            }
            options.name = ""
            #expect(throws: SpawnError.nameInvalid("")) {
                try node.spawn(Clerk.self, .init(log: log), options: options)
            }
            options.name = nil
            #expect(kept.count == 3 && node.count == 1)
            try holder.send("end")
            let second = try node.spawn(Clerk.self, .init(log: log), options: options)
            #expect(await log.wait(for: 3) == ["cast 0", "info 1", "cast 2"])
            try await second.stop()
        }
    }

    @Test(
        "several that share a kept mailbox: in the order of their ends, up to the mailbox's bound")
    func shared() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.messageDropped) { events.append($0) })
        try await withNode(options) { node in
            let (log, kept) = (Log<String>(), KeptMailbox())
            let options = ProcessOptions(
                mailbox: .init(capacity: 5), leftovers: .keep(in: kept))
            let clerks = try (0..<3).map { _ in
                try node.spawn(Clerk.self, .init(log: log), options: options)
            }
            for (index, clerk) in clerks.enumerated() {
                try await leave(clerk, index * 10..<index * 10 + 2)
            }
            for clerk in clerks { try await resumeToEnd(clerk) }
            #expect(kept.count == 5)
            guard case .leftoversDropped(clerks[2].pid, count: 1)? = events.elements.first else {
                Issue.record("\(events.elements)")
                return
            }
            _ = try node.spawn(Clerk.self, .init(log: log), options: options)
            #expect(
                await log.wait(for: 5) == ["cast 0", "info 1", "cast 10", "info 11", "cast 20"])
        }
    }

    private final class Probe: Sendable {
        let log: Log<String>
        init(_ log: Log<String>) { self.log = log }
        deinit { log.append("gone") }
    }

    @Test("letting go of a kept mailbox drops what it holds")
    func lettingGo() async throws {
        try await withNode { node in
            let log = Log<String>()
            do {
                let kept = KeptMailbox()
                let process = try node.spawn(options: .init(leftovers: .keep(in: kept))) {
                    _ = try await $0.receive(String.self)
                }
                for _ in 0..<3 { try process.send(Probe(log)) }
                node.kill(process.pid)
                _ = try await process.exitReason
                #expect(kept.count == 3 && log.elements.isEmpty)
            }
            #expect(await log.wait(for: 3).count == 3)
        }
    }

    @Test("a destructor of a message that has no room may use the kept mailbox: no lock is held")
    func destructors() async throws {
        final class Curious: Sendable {
            let kept: KeptMailbox
            let log: Log<Int>
            init(_ kept: KeptMailbox, _ log: Log<Int>) { (self.kept, self.log) = (kept, log) }
            deinit { log.append(kept.count) }
        }
        try await withNode { node in
            let (kept, log) = (KeptMailbox(), Log<Int>())
            for capacity in [3, 2] {
                let process = try node.spawn(
                    options: .init(
                        mailbox: .init(capacity: capacity), leftovers: .keep(in: kept))
                ) { process in
                    try await process.sleep(for: .seconds(1000))
                }
                if capacity == 3 {
                    for _ in 0..<3 { try process.send(Curious(kept, log)) }
                }
                node.kill(process.pid)
                _ = try await process.exitReason
            }
            #expect(log.elements.count == 1 && kept.count == 2)
        }
    }

    // MARK: - Handing over

    @Test("handed over: wrapped, in order, and before the DOWN")
    func handedOver() async throws {
        try await withNode { node in
            let (log, heirLog) = (Log<String>(), Log<String>())
            let heir = try node.spawn(Recorder.self, .init(heirLog), options: .init(name: "heir"))
            let clerk = try node.spawn(
                Clerk.self, .init(log: log),
                options: .init(leftovers: .handOver(to: "heir", tag: "late")))
            let isWatching = Gate()
            try heir.cast { process in
                _ = process.monitor(clerk.pid)
                isWatching.open()
            }
            await isWatching.wait()
            try await leave(clerk, 0..<3)
            try await resumeToEnd(clerk)
            let seen = await heirLog.wait(for: 4)
            #expect(seen.count == 4 && seen[1] == "fallback late 1")
            #expect(seen[0].hasPrefix("fallback late") && seen[0].hasSuffix("note(0)"))
            #expect(seen[2].hasPrefix("fallback late") && seen[2].hasSuffix("note(2)"))
            #expect(seen[3].hasPrefix("down") && log.elements.isEmpty)
        }
    }

    @Test("handed over to a server of the same type, which sees the casts as they were sent")
    func handedOverCasts() async throws {
        try await withNode { node in
            let (log, heirLog) = (Log<String>(), Log<String>())
            let heir = try node.spawn(Clerk.self, .init(log: heirLog))
            let clerk = try node.spawn(
                Clerk.self, .init(log: log),
                options: .init(leftovers: .handOver(to: .pid(heir.pid), tag: "t")))
            let pending = clerk.sendRequest("first")
            _ = try await pending.receive()
            try await leave(clerk, 0..<2)
            let late = clerk.sendRequest("late")
            try await resumeToEnd(clerk)
            await #expect(throws: CallError.self) { try await late.receive() }
            #expect(
                await heirLog.wait(for: 2)
                    == ["t \(clerk.pid) cast 0", "t \(clerk.pid) info 1"])
        }
    }

    @Test("nobody to hand over to, or one without room: dropped and reported")
    func nobodyToHandOverTo() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.messageDropped) { events.append($0) })
        try await withNode(options) { node in
            let log = Log<String>()
            let heirLog = Log<String>()
            let heir = try node.spawn(
                Recorder.self, .init(heirLog),
                options: .init(name: "small", mailbox: .init(capacity: 1)))
            try await heir.suspend()
            let targets: [(Destination, Int)] = [
                ("nobody", 3), ("self", 3), ("small", 2), (.pid(node.pid(id: 1 << 40)), 3),
            ]
            for (target, dropped) in targets {
                let clerk = try node.spawn(
                    Clerk.self, .init(log: log),
                    options: .init(
                        name: "self", leftovers: .handOver(to: target, tag: "t")))
                try await leave(clerk, 0..<3)
                try await resumeToEnd(clerk)
                guard case .leftoversDropped(clerk.pid, dropped)? = events.elements.last else {
                    Issue.record("\(target): \(events.elements)")
                    return
                }
            }
            #expect(events.elements.count == targets.count)
            try await heir.resume()
            #expect(await heirLog.wait(for: 1).count == 1)
        }
    }

    @Test("the option can be read")
    func options() async throws {
        try await withNode { node in
            let kept = KeptMailbox()
            try await node.inProcess(.init(leftovers: .keep(in: kept))) { process in
                guard case .keep(let own) = process.options.leftovers else {
                    Issue.record("\(process.options.leftovers)")
                    return
                }
                #expect(own === kept)
            }
            try await node.inProcess(.init()) { process in
                guard case .drop = process.options.leftovers else {
                    Issue.record("\(process.options.leftovers)")
                    return
                }
            }
        }
    }

    @Test("no message is lost or doubled over 200 restarts under fire")
    func underFire() async throws {
        try await withNode { node in
            let kept = KeptMailbox()
            let log = Log<String>()
            let options = ProcessOptions(
                name: "clerk", mailbox: .init(capacity: 1_000_000), leftovers: .keep(in: kept))
            let clerk = node.server(Clerk.self, named: "clerk")
            let sender = Task {
                var number = 0
                while number < 5000 {
                    do {
                        try clerk.cast(.note(number))
                        number += 1
                    } catch {
                        // Nobody is there for the moment.
                    }
                    await Task.yield()
                }
            }
            for _ in 0..<200 {
                let server = try node.spawn(Clerk.self, .init(log: log), options: options)
                await Task.yield()
                node.kill(server.pid)
                _ = try await server.exitReason
            }
            _ = try node.spawn(Clerk.self, .init(log: log), options: options)
            await sender.value
            let seen = await log.wait(for: 5000)
            #expect(seen == (0..<5000).map { "cast \($0)" })
        }
    }
}
