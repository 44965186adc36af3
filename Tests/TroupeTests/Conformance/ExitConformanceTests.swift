//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: how processes end", .timeLimit(.minutes(4)))
struct ExitConformanceTests {
    @Test("EXIT-01 a body that runs off its end ends the process with normal")
    func normalEnd() async throws {
        let events = Log<Event>()
        try await withNode(NodeOptions(events: EventHandler { events.append($0) })) { node in
            let process = try node.spawn { _ = try await $0.receive() }
            let observer = try await node.observe(process.pid)
            try process.send("end")
            #expect(try await process.exitReason == .normal)
            #expect(
                try await observer.exits() == [MessageExit(from: process.pid, reason: .normal)])
        }
        #expect(!events.elements.contains { $0.kind == .crashed })
    }

    @Test("EXIT-02 a crash touches nobody who is neither linked nor monitors")
    func crashAlone() async throws {
        try await withNode { node in
            let bystanders = [try node.idle(), try node.idle(.trapping)]
            let parent = try node.spawn(options: .trapping) { process in
                let child = try process.spawn { _ in throw TestError(1) }
                let sibling = try process.spawn { try await $0.receive() as? String }
                #expect(try await child.exitReason == .error(TestError(1)))
                try sibling.send("fine")
                #expect(try await sibling.value == "fine")
                return try await process.hasNothing()
            }
            #expect(try await parent.value)
            for bystander in bystanders { #expect(bystander.isWell) }
        }
    }

    @Test("EXIT-03 a large and nested reason arrives whole")
    func largeReason() async throws {
        struct Nested: Hashable, Sendable {
            indirect enum Tree: Hashable, Sendable { case leaf, node(Tree, Int) }
            var numbers = [[Int]](repeating: Array(0..<1000), count: 20)
            var text = String(repeating: "reason ", count: 10_000)
            var tree = (0..<200).reduce(Tree.leaf) { .node($0, $1) }
        }
        try await withNode { node in
            for reason in [ExitReason.custom(Nested()), .shutdown(Nested())] {
                let process = try node.spawn { process in
                    _ = try await process.receive()
                    throw reason
                }
                let observer = try await node.observe(process.pid)
                try process.send("end")
                let exits = try await observer.exits()
                #expect(exits.map(\.from) == [process.pid])
                switch exits.first?.reason {
                case .custom(let value), .shutdownWith(let value):
                    #expect(value as? Nested == Nested())
                default: Issue.record("another reason")
                }
                #expect(exits.first?.reason == reason)
            }
        }
    }

    @Test("EXIT-04 an error in a callback is the reason that its links see")
    func errorInCallback() async throws {
        try await withNode { node in
            let direct = try node.spawn(Counter.self, 0)
            let async = try await node.spawn(AsyncCounter.self, 0)
            let (one, two) = (
                try await node.observe(direct.pid), try await node.observe(async.pid)
            )
            try direct.cast(.fail(4))
            await #expect(throws: CallError.exited(.error(TestError(5)))) {
                _ = try await async.call(.fail(5))
            }
            #expect(
                try await one.exits()
                    == [MessageExit(from: direct.pid, reason: .error(TestError(4)))])
            #expect(
                try await two.exits()
                    == [MessageExit(from: async.pid, reason: .error(TestError(5)))])
        }
    }

    @Test("EXIT-05 an error that no body catches is the reason, also one that cannot be compared")
    func errorInBody() async throws {
        struct Incomparable: Error { let number: Int }
        try await withNode { node in
            let process = try node.spawn { process in
                _ = try await process.receive()
                throw Incomparable(number: 7)
            }
            let observer = try await node.observe(process.pid)
            try process.send("end")
            let exits = try await observer.exits()
            #expect(exits.map(\.from) == [process.pid])
            guard case .error(let error as Incomparable) = exits.first?.reason else {
                throw TestError(1)
            }
            #expect(error.number == 7)
        }
    }

    @Test("EXIT-26 a kill lets the running callback finish, nothing else, not even terminate")
    func killInCallback() async throws {
        try await withNode { node in
            let log = Log<String>()
            let (started, gate) = (Gate(), Gate())
            let server = try node.spawn(Recorder.self, .init(log), options: .init(ownThread: true))
            let observer = try await node.observe(server.pid)
            try server.cast { _ in
                started.open()
                gate.waitBlocking()
                log.append("finished")
            }
            try server.cast { _ in log.append("next") }
            await started.wait()
            node.kill(server.pid)
            #expect(observer.seen.isEmpty && node.isAlive(server.pid))
            gate.open()
            #expect(try await observer.exits() == [MessageExit(from: server.pid, reason: .killed)])
            #expect(log.elements == ["finished"])
        }
    }

    @Test("EXIT-27 a server that does not trap runs terminate when it gets an exit")
    func exitRunsTerminate() async throws {
        try await withNode { node in
            let log = Log<String>()
            let (started, gate) = (Gate(), Gate())
            let server = try node.spawn(Recorder.self, .init(log), options: .init(ownThread: true))
            let observer = try await node.observe(server.pid)
            try server.cast { _ in
                started.open()
                gate.waitBlocking()
                log.append("finished")
            }
            try server.cast { _ in log.append("next") }
            await started.wait()
            node.exit(server.pid, .custom("why"))
            gate.open()
            #expect(
                try await observer.exits()
                    == [MessageExit(from: server.pid, reason: .custom("why"))])
            #expect(log.elements == ["finished", "terminate why"])
        }
    }

    @Test("EXIT-28 names, aliases and timers are gone before anybody hears of the end")
    func resourcesFirst() async throws {
        try await HeldEnds.withNode { node, ends in
            let (aliases, gate) = (Log<Alias>(), Gate())
            let receiver = try node.spawn { try await $0.receive() as? String }
            let process = try node.spawn(options: HeldEnds.options) { process in
                try process.register("one")
                try process.register("two")
                try process.send("late", to: .pid(receiver.pid), after: .seconds(1000))
                aliases.append(process.makeAlias())
                await gate.wait()
                throw HeldEnds.reason
            }
            let alias = await aliases.wait(for: 1)[0]
            let observer = try await node.observe(process.pid)
            let watcher = try node.spawn { process -> String in
                _ = process.monitor(name: "one")
                gate.open()
                _ = try await process.receive()
                try process.register("two")
                return "down"
            }
            await ends.hasEnded.wait()
            #expect(node.registered.isEmpty)
            #expect(process.cell.timerCount == 0)
            let error = #expect(throws: SendError<Int>.self) { try node.send(1, to: .alias(alias)) }
            #expect(error?.failure == .aliasUnknown(alias))
            #expect(observer.seen.isEmpty && node.isAlive(watcher.pid))
            ends.release.open()
            #expect(
                try await observer.exits()
                    == [MessageExit(from: process.pid, reason: HeldEnds.reason)])
            #expect(try await watcher.value == "down")
            try receiver.send("end")
            #expect(try await receiver.value == "end")
        }
    }

    @Test("EXIT-29 a process is alive until nothing of it is left, and then it is not")
    func alive() async throws {
        try await HeldEnds.withNode { node, ends in
            let ending = SlowToEnd.Argument()
            let server = try node.spawn(
                SlowToEnd.self, ending, options: .init(name: "n", ownThread: true))
            node.exit(server.pid, HeldEnds.reason)
            await ending.isTerminating.wait()
            #expect(node.isAlive(server.pid) && node.whereis("n") == server.pid)
            ending.gate.open()
            await ends.hasEnded.wait()
            #expect(!node.isAlive(server.pid) && node.whereis("n") == nil)
            #expect(node.processes.isEmpty)
            ends.release.open()
        }
        try await withNode { node in
            for _ in 0..<200 {
                let process = try node.spawn(options: .init(name: "n")) { process in
                    _ = process.makeAlias()
                    _ = try await process.receive()
                }
                try process.send("end")
                await waitWhile { node.isAlive(process.pid) }
                #expect(node.whereis("n") == nil && node.aliases.count == 0)
            }
        }
    }

    @Test("EXIT-30 clean-up code of a killed process cannot wait, and what it makes goes with it")
    func cleanUp() async throws {
        try await withNode { node in
            let counter = try await node.spawn(AsyncCounter.self, 0)
            let (isReady, log, children) = (Gate(), Log<String>(), Log<ProcessRef<Never>>())
            let process = try node.spawn(options: .init(name: "p")) { process in
                do {
                    isReady.open()
                    _ = try await process.receive()
                } catch {
                    log.append("receive \(error)")
                    do { _ = try await process.receive() } catch { log.append("again \(error)") }
                    do { try await process.sleep(for: .seconds(1000)) } catch {
                        log.append("sleep \(error)")
                    }
                    do { _ = try await counter.call(.sleep(.seconds(1000))) } catch CallError
                        .cancelled
                    { log.append("call cancelled") }
                    try process.register("late")
                    children.append(
                        try process.spawnLinked { process in
                            while true { _ = try await process.receive() }
                        })
                }
                return 1
            }
            await isReady.wait()
            node.kill(process.pid)
            #expect(try await process.exitReason == .killed)
            #expect(
                log.elements == [
                    "receive killed", "again killed", "sleep killed", "call cancelled",
                ])
            #expect(node.whereis("late") == nil && node.whereis("p") == nil)
            #expect(try await children.elements[0].exitReason == .killed)
        }
    }

    @Test("EXIT-31 any value is a reason; only three of them are clean")
    func anyReason() async throws {
        let crashes = Log<ExitReason>()
        let events = EventHandler(.crashed) { event in
            if case .crashed(let report) = event { crashes.append(report.reason) }
        }
        try await withNode(NodeOptions(events: events)) { node in
            var expected: [ExitReason] = []
            for reason in ExitReason.examples + [.custom(1), .custom([1: "x"]), .shutdown(2)] {
                let process = try node.spawn { _ in throw reason }
                #expect(try await process.exitReason == reason)
                let isClean = ["normal", "shutdown", "shutdown(x)", "shutdown(2)"]
                    .contains(reason.description)
                #expect(reason.isClean == isClean)
                if !isClean { expected.append(reason) }
            }
            #expect(crashes.elements == expected)
        }
    }

    @Test("EXIT-32 a node that stops ends every process with shutdown, and refuses new ones")
    func nodeStop() async throws {
        let node = try Node(name: "stopping", options: .init(events: NoEvents()))
        let log = Log<String>()
        for trapsExits in [false, true] {
            _ = try node.spawn(Recorder.self, .init(log), options: .init(trapsExits: trapsExits))
        }
        let closures = [
            try node.idle(.init(name: "c", trapsExits: true)),
            try node.idle(.init(ownThread: true)),
        ]
        await node.stop()
        #expect(log.elements == ["terminate shutdown", "terminate shutdown"])
        for closure in closures { #expect(try await closure.exitReason == .shutdown) }
        #expect(node.count == 0 && node.processes.isEmpty && node.registered.isEmpty)
        let error = #expect(throws: SpawnError.self) { try node.spawn { _ in 1 } }
        guard case .nodeStopped("stopping") = error else { throw TestError(1) }
        await node.stop()
    }

    @Test("EXIT-33 a lifetime ends its processes, by deadline or token, trapping or not")
    func lifetimes() async throws {
        try await withNode { node in
            let log = Log<String>()
            let token = LifetimeToken()
            _ = try node.spawn(
                Recorder.self, .init(log),
                options: .init(trapsExits: true, lifetime: .token(token)))
            let second = try node.idle(.init(lifetime: .token(token)))
            let bystanders = [
                try node.idle(), try node.idle(.init(lifetime: .token(LifetimeToken()))),
                try node.idle(.init(lifetime: .deadline(.seconds(1000)))),
            ]
            token.cancel()
            #expect(await log.wait(for: 1) == ["terminate shutdown(cancelled)"])
            #expect(try await second.exitReason == .shutdown(LifetimeEnd.cancelled))
            let late = try node.idle(.init(lifetime: .token(token)))
            #expect(try await late.exitReason == .shutdown(LifetimeEnd.cancelled))
            for trapsExits in [false, true] {
                let timed = try node.idle(
                    .init(trapsExits: trapsExits, lifetime: .deadline(.milliseconds(5))))
                #expect(try await timed.exitReason == .shutdown(LifetimeEnd.deadline))
            }
            for bystander in bystanders { #expect(bystander.isWell) }
        }
    }
}
