//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: how a process ends, and stop", .timeLimit(.minutes(4)))
struct ProcLibConformanceTests {
    @Test(
        "PLIB-06 clean ends make no crash report",
        arguments: [ExitReason.normal, .shutdown, .shutdown("x")])
    func cleanEnd(reason: ExitReason) async throws {
        let events = Log<Event>()
        try await withNode(problemsLogged(in: events)) { node in
            for kind in ServerKind.allCases {
                let server = try await kind.spawn(on: node)
                try server.cast(.run { _ in throw reason })
                #expect(try await server.exitReason == reason)
            }
            let closure = try node.spawn { _ in throw reason }
            #expect(try await closure.exitReason == reason)
            let told = try node.spawn(options: .init(name: "told")) { process in
                process.exit(process.pid, reason)
                _ = try await process.receive()
            }
            #expect(try await told.exitReason == reason)
        }
        #expect(events.elements.isEmpty)
    }

    @Test("PLIB-07 any other end makes one report, with the reason, what ran, parent and links")
    func crash() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler { events.append($0) })
        try await withNode(options) { node in
            let counter = try node.spawn(Counter.self, 0, options: .init(name: "counter"))
            try counter.cast(.fail(42))
            let all = await events.wait(for: 3)
            guard case .spawned(counter.pid, "Counter") = all[0],
                case .exited(counter.pid, .error(let error)) = all[1],
                case .crashed(let report) = all[2]
            else { throw TestError(1) }
            #expect(error as? TestError == TestError(42))
            #expect(report.pid == counter.pid && report.names == ["counter"])
            #expect(report.reason == .error(TestError(42)) && report.node == "test")
            #expect(report.lastMessage == "cast Cast.fail")
            #expect(report.parent == nil && report.behaviour == "Counter")
            #expect(report.links == [])
            let text = try #require(StandardErrorEvents.text(for: all[2]))
            #expect(text.contains("registered name: counter"))
            #expect(text.contains("last message: cast Cast.fail\n"))
        }
    }

    @Test("the crash report of a child names its parent and its links")
    func crashOfChild() async throws {
        let events = Log<Event>()
        try await withNode(problemsLogged(in: events)) { node in
            let parent = try node.spawn(options: .init(trapsExits: true)) { process in
                let child = try process.spawnLinked { _ in throw TestError(7) }
                #expect(try await child.exitReason == .error(TestError(7)))
                return (child.pid, process.pid)
            }
            let (child, pid) = try await parent.value
            let report = try #require(events.elements.first?.crashReport)
            #expect(report.pid == child && report.parent == pid && report.links == [pid])
            #expect(report.behaviour == "closure" && report.lastMessage == nil)
            #expect(report.reason == .error(TestError(7)))
            let text = try #require(StandardErrorEvents.text(for: .crashed(report)))
            #expect(text.contains("parent: \(pid)\n") && text.contains("links: \(pid)\n"))
        }
        #expect(events.elements.count == 1)
    }

    @Test(
        "PLIB-08 stop returns only when the process is dead, and its reason is normal",
        arguments: ServerKind.allCases)
    func stop(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let (begun, until) = (Gate(), Gate())
            let script = Script(log: log, onTerminate: { _ in log.append("terminated") })
            let server = try await kind.spawn(on: node, script, options: kind.waitingOptions())
            try server.cast(.wait(begun: begun, until: until))
            await begun.wait()
            let stopping = Task {
                try await server.stop()
                log.append(node.isAlive(server.pid) ? "alive" : "stopped")
            }
            for _ in 0..<100 { await Task.yield() }
            #expect(log.elements == [])
            until.open()
            try await stopping.value
            #expect(log.elements == ["terminate normal", "terminated", "stopped"])
            #expect(try await server.exitReason == .normal)
        }
    }

    @Test(
        "PLIB-09 stop of a process that is dead fails with noproc", arguments: ServerKind.allCases)
    func stopOfDead(kind: ServerKind) async throws {
        try await withNode { node in
            let server = try await kind.spawn(on: node)
            node.kill(server.pid)
            #expect(try await server.exitReason == .killed)
            let (error, left) = try await node.runProcess { _ in
                do throws(CallError) {
                    try await server.stop(timeout: .seconds(1000))
                    return nil as CallError?
                } catch { return error }
            }
            #expect(error == .noProcess(server.pid) && left == [])
        }
    }

    @Test(
        "PLIB-10 stop of a process that ends with another reason meanwhile fails with that one",
        arguments: ServerKind.allCases)
    func stopEndsOtherwise(kind: ServerKind) async throws {
        try await withNode { node in
            for reason in [ExitReason.custom("first"), .kill] {
                let (begun, until) = (Gate(), Gate())
                let server = try await kind.spawn(on: node, options: kind.waitingOptions())
                try server.cast(.wait(begun: begun, until: until))
                await begun.wait()
                let stopping = Task {
                    do throws(CallError) {
                        try await server.stop(.custom("second"))
                        return nil as CallError?
                    } catch { return error }
                }
                await waitWhile { !server.hasExitWaiter }
                node.exit(server.pid, reason)
                until.open()
                #expect(await stopping.value == .exited(reason == .kill ? .killed : reason))
            }
        }
    }

    @Test(
        "PLIB-11 stop of a process that does not react in time fails; the process is not killed",
        arguments: ServerKind.allCases)
    func stopTimesOut(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let (begun, until) = (Gate(), Gate())
            let server = try await kind.spawn(
                on: node, Script(log: log), options: kind.waitingOptions())
            try server.cast(.wait(begun: begun, until: until))
            await begun.wait()
            await #expect(throws: CallError.timeout(server.pid)) {
                try await server.stop(.custom("r"), timeout: .milliseconds(5))
            }
            #expect(node.isAlive(server.pid) && log.elements == [])
            // The order stays, as in OTP: the server obeys it when it gets there.
            until.open()
            #expect(try await server.exitReason == .custom("r"))
            #expect(log.elements == ["terminate r"])
        }
    }
}

extension ScriptedRef {
    /// Whether somebody waits for the end of the server.
    fileprivate var hasExitWaiter: Bool {
        let cell: ProcessCell =
            switch self {
            case .plain(let server): server.cell
            case .waiting(let server): server.cell
            }
        return cell.withCore { !$0.exitWaiters.isEmpty }
    }
}
