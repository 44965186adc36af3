//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// A server with something to look at. Its handlers say what they do in a log.
private struct Till: GenServer {
    enum Call: Sendable { case total, note(String) }
    enum Cast: Sendable { case add(Int), crash, label(String) }

    var total: Int
    let log: Log<String>
    var format: Format = .default

    enum Format: Sendable { case `default`, secretive, broken }

    struct Argument: Sendable {
        var total = 0
        var log = Log<String>()
        var format = Format.default
    }

    init(_ argument: Argument, process: ServerProcess) {
        (total, log, format) = (argument.total, argument.log, argument.format)
    }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        if case .note(let text) = request { log.append("call \(text)") }
        return .reply(total)
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .add(let amount):
            total += amount
            log.append("add \(amount)")
        case .crash: throw TestError(total)
        case .label(let label): process.setLabel(label)
        }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
        log.append("info \(message)")
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) {
        log.append("terminate \(reason)")
    }

    func formatStatus() throws -> String? {
        switch format {
        case .default: return nil
        case .secretive: return "total withheld"
        case .broken: throw TestError(7)
        }
    }
}

@Suite("Conformance: system requests of a server", .timeLimit(.minutes(4)))
struct SystemConformanceTests {
    private let short = Duration.milliseconds(20)

    @Test("SYS-01 a suspended server serves no calls and says so; suspending twice is once")
    func suspend() async throws {
        try await withNode { node in
            let till = try node.spawn(Till.self, .init(total: 3))
            try await till.suspend()
            try await till.suspend()
            #expect(try await till.status().isSuspended)
            await #expect(throws: CallError.timeout(till.pid)) {
                try await till.call(.total, timeout: short)
            }
            try await till.resume()
            #expect(try await till.status().isSuspended == false)
            #expect(try await till.call(.total) == 3)
        }
    }

    @Test("SYS-02 after resume what has waited is handled in order; resuming twice is once")
    func resume() async throws {
        try await withNode { node in
            let log = Log<String>()
            let till = try node.spawn(Till.self, .init(log: log))
            try await till.suspend()
            try till.cast(.add(1))
            let call = till.sendRequest(.note("between"))
            try till.send("message")
            try till.cast(.add(2))
            #expect(try await call.wait(upTo: .zero) == nil)
            #expect(log.elements == [])
            try await till.resume()
            try await till.resume()
            #expect(try await call.receive() == 1)
            #expect(try await till.call(.total) == 3)
            #expect(log.elements == ["add 1", "call between", "info message", "add 2"])
        }
    }

    @Test("MBOX-22 what comes for a suspended server is all there after resume, signals in place")
    func suspendedMailbox() async throws {
        try await withNode { node in
            let log = Log<String>()
            let recorder = try node.spawn(Recorder.self, .init(log))
            let target = try node.spawn { process in
                _ = try await process.receive()
                try recorder.send("last words")
            }
            let monitors = Gate()
            try recorder.cast { process in
                _ = process.monitor(target.pid)
                monitors.open()
            }
            await monitors.wait()
            try await recorder.suspend()
            for number in 0..<1000 { try recorder.send(number) }
            try node.send("go", to: target.pid)
            _ = try await target.exitReason
            try recorder.send("after")
            // A look at the state wakes the server for a moment, and takes nothing of what waits.
            _ = try await recorder.status()
            #expect(recorder.info?.mailboxCount == 1002)
            #expect(log.elements == [])
            try await recorder.resume()
            let expected = (0..<1000).map { "\($0)" } + ["last words", "down normal", "after"]
            #expect(await log.wait(for: expected.count) == expected)
        }
    }

    @Test("SYS-03 state, replaceState and status work on a suspended server as on a running one")
    func suspendedState() async throws {
        try await withNode { node in
            let till = try node.spawn(Till.self, .init(total: 3))
            try await till.suspend()
            try till.cast(.add(100))
            #expect(try await till.state { $0.total } == 3)
            try await till.replaceState { $0.total = 4 }
            #expect(try await till.state { $0.total } == 4)
            #expect(try await till.status().info.mailboxCount == 1)
            try await till.resume()
            #expect(try await till.call(.total) == 104)
        }
    }

    @Test("SYS-04 state shows what the casts before it did; replaceState changes it")
    func state() async throws {
        try await withNode { node in
            let till = try node.spawn(Till.self, .init())
            for amount in 1...10 { try till.cast(.add(amount)) }
            #expect(try await till.state { $0.total } == 55)
            let changed = try await till.replaceState { till in
                till.total *= 2
                return till.total
            }
            #expect(changed == 110)
            #expect(try await till.call(.total) == 110)
            let async = try await node.spawn(AsyncCounter.self, 1)
            try await async.replaceState { $0.count = 8 }
            #expect(try await async.state { $0.count } == 8)
            #expect(try await async.call(.value) == 8)
        }
    }

    @Test("SYS-05 a replaceState that throws tells its caller, and changes nothing")
    func failingReplacement() async throws {
        try await withNode { node in
            let till = try node.spawn(Till.self, .init(total: 3))
            do throws(SystemError) {
                try await till.replaceState { till in
                    till.total = 99
                    throw TestError(1)
                }
                Issue.record("it threw nothing")
            } catch {
                guard case .callbackFailed(let cause) = error else { throw error }
                #expect(cause as? TestError == TestError(1))
            }
            #expect(try await till.call(.total) == 3)
        }
    }

    @Test("SYS-06 a state that throws tells its caller, and the server lives")
    func failingLook() async throws {
        try await withNode { node in
            let till = try node.spawn(Till.self, .init(total: 3))
            do throws(SystemError) {
                _ = try await till.state { _ -> Int in throw TestError(2) }
                Issue.record("it threw nothing")
            } catch {
                guard case .callbackFailed(let cause) = error else { throw error }
                #expect(cause as? TestError == TestError(2))
            }
            #expect(node.isAlive(till.pid))
        }
    }

    @Test("SYS-07 statistics count what comes, what is handled and what is dropped")
    func statistics() async throws {
        try await withNode { node in
            let options = ProcessOptions(mailbox: .init(capacity: 2, overflow: .dropNewest))
            let till = try node.spawn(Till.self, .init(), options: options)
            try till.cast(.add(1))
            _ = try await till.state { $0.total }
            // A call that its caller's thread handles counts as well.
            _ = try await till.call(.total)
            let first = try till.statistics()
            #expect((first.messagesIn, first.messagesHandled, first.messagesDropped) == (2, 2, 0))
            try await till.suspend()
            for _ in 0..<3 { try till.cast(.add(1)) }
            let second = try till.statistics()
            #expect(
                (second.messagesIn, second.messagesHandled, second.messagesDropped) == (4, 2, 1))
            #expect(second.uptime >= first.uptime)
            try await till.stop()
            #expect(throws: CallError.noProcess(till.pid)) { try till.statistics() }
        }
    }

    @Test("SYS-08 the log keeps the last events, can be read, and zero clears it")
    func log() async throws {
        try await withNode { node in
            let till = try node.spawn(Till.self, .init())
            try till.keepLog(ofLast: 3)
            for amount in 1...3 { try till.cast(.add(amount)) }
            #expect(try await till.call(.total) == 6)
            // The reply is noted just after the caller has it.
            _ = try await till.state { $0.total }
            let log = try till.log
            #expect(log.map(\.action) == [.received(.cast), .received(.call), .replied])
            #expect(log.map(\.type) == ["Cast.add", "Call.total", "Int"])
            guard case .add(3)? = log[0].message as? Till.Cast else {
                Issue.record("the message is missing")
                return
            }
            try till.keepLog(ofLast: 0)
            #expect(try till.log.isEmpty)
            try till.cast(.add(1))
            #expect(try await till.call(.total) == 7)
            #expect(try till.log.isEmpty)
        }
    }

    @Test("SYS-09 a trace prints two lines for one call, until it is switched off")
    func trace() async throws {
        try await withNode { node in
            let till = try node.spawn(Till.self, .init())
            let lines = Log<String>()
            try till.trace { lines.append($0) }
            _ = try await till.call(.total)
            #expect(
                await lines.wait(for: 2)
                    == ["\(till.pid) got call Call.total", "\(till.pid) replied Int"])
            try till.trace(nil)
            _ = try await till.call(.total)
            _ = try await till.state { $0.total }
            #expect(lines.elements.count == 2)
        }
    }

    @Test("SYS-11 a hook is installed once under a name, several under several, removed by name")
    func hooks() async throws {
        try await withNode { node in
            let till = try node.spawn(Till.self, .init())
            let seen = Log<String>()
            let hook: @Sendable (inout Int, ServerEvent) -> HookResult = { count, event in
                count += 1
                seen.append("\(count) \(event.action)")
                return .keep
            }
            #expect(try till.installHook("a", state: 0, hook))
            #expect(try till.installHook("a", state: 100, hook) == false)
            #expect(try till.installHook("b", state: 10, hook))
            try till.cast(.add(1))
            let cast = "received(Troupe.MessageKind.cast)"
            #expect(await seen.wait(for: 2) == ["1 \(cast)", "11 \(cast)"])
            #expect(try till.removeHook("a"))
            #expect(try till.removeHook("a") == false)
            try till.cast(.add(1))
            #expect(await seen.wait(for: 3).last == "12 \(cast)")
        }
    }

    @Test("SYS-12 a hook sees every event with its own state, may remove itself; all go together")
    func hookEvents() async throws {
        try await withNode { node in
            let log = Log<String>()
            let till = try node.spawn(Till.self, .init(log: log))
            let seen = Log<String>()
            try till.installHook("once", state: ()) { _, event in
                seen.append("once \(event.type)")
                return .remove
            }
            try till.installHook("all", state: 0) { count, event in
                count += 1
                seen.append("\(count) \(event.type)")
                return .keep
            }
            try till.send("message")
            #expect(try await till.call(.total) == 0)
            #expect(
                await seen.wait(for: 4)
                    == ["once String", "1 String", "2 Call.total", "3 Int"])
            try till.stopWatching()
            try till.send("unseen")
            _ = try await till.state { $0.total }
            #expect(seen.elements.count == 4)
            #expect(log.elements == ["info message", "info unseen"])
        }
    }

    @Test("SYS-13 stop ends the server with the reason, and its name is free")
    func stop() async throws {
        try await withNode { node in
            let log = Log<String>()
            let till = try node.spawn(Till.self, .init(log: log), options: .init(name: "till"))
            try till.cast(.add(1))
            try await till.stop(.shutdown("closing"))
            #expect(log.elements == ["add 1", "terminate shutdown(closing)"])
            #expect(node.whereis("till") == nil)
            #expect(try await till.exitReason == .shutdown("closing"))
        }
    }

    @Test("SYS-13 a closure is stopped at once, though it traps exits, and says with what it ended")
    func stopClosure() async throws {
        try await withNode { node in
            let options = ProcessOptions(name: "closure", trapsExits: true)
            let closure = try node.spawn(options: options) { process in
                while true { _ = try await process.receive() }
            }
            try closure.send("unseen")
            try await closure.stop()
            #expect(node.whereis("closure") == nil)
            #expect(try await closure.exitReason == .normal)
            await #expect(throws: CallError.noProcess(closure.pid)) { try await closure.stop() }

            let stubborn = try node.spawn { process in
                do { _ = try await process.receive() } catch { throw TestError(1) }
            }
            try await stubborn.stop(.custom("why"))
            #expect(try await stubborn.exitReason == .custom("why"))

            let (started, gate) = (Gate(), Gate())
            let busy = try node.spawn { _ in
                started.open()
                await gate.wait()
            }
            await started.wait()
            await #expect(throws: CallError.timeout(busy.pid)) {
                try await busy.stop(timeout: .milliseconds(5))
            }
            gate.open()
            #expect(try await busy.exitReason == .normal)
        }
    }

    @Test("SYS-14 a suspended server obeys the exit of its parent and a kill")
    func signals() async throws {
        try await withNode { node in
            let log = Log<String>()
            let child = Log<ServerRef<Till>>()
            let parent = try node.spawn { process in
                let till = try process.spawnLinked(
                    Till.self, .init(log: log), options: .init(trapsExits: true))
                child.append(till)
                _ = try await process.receive()
                throw ExitReason.custom("parent")
            }
            let till = await child.wait(for: 1)[0]
            try await till.suspend()
            try till.cast(.add(1))
            try node.send("go", to: parent.pid)
            #expect(try await till.exitReason == .custom("parent"))
            #expect(log.elements == ["terminate parent"])

            let other = try node.spawn(Till.self, .init(log: log))
            try await other.suspend()
            try other.cast(.add(1))
            node.kill(other.pid)
            #expect(try await other.exitReason == .killed)
            #expect(log.elements == ["terminate parent"])
        }
    }

    @Test("RACE-17 a kill reaches a suspended server whose mailbox is full")
    func kill() async throws {
        try await withNode { node in
            let options = ProcessOptions(mailbox: .init(capacity: 1), trapsExits: true)
            let till = try node.spawn(Till.self, .init(), options: options)
            try await till.suspend()
            try till.cast(.add(1))
            #expect(throws: SendError<Till.Cast>.self) { try till.cast(.add(1)) }
            node.kill(till.pid)
            #expect(try await till.exitReason == .killed)
        }
    }

    @Test("SYS-16 a status formatter speaks in status and crash report; a broken one is replaced")
    func formatter() async throws {
        let reports = Log<CrashReport>()
        let events = EventHandler(.crashed) { event in
            if case .crashed(let report) = event { reports.append(report) }
        }
        try await withNode(NodeOptions(events: events)) { node in
            for (format, status, report) in [
                (Till.Format.secretive, "total withheld", "total withheld"),
                (.broken, "(formatStatus threw TestError)", "(formatStatus threw TestError)"),
                (.default, nil, nil),
            ] as [(Till.Format, String?, String?)] {
                let till = try node.spawn(Till.self, .init(total: 5, format: format))
                let shown = try await till.status().state
                if let status { #expect(shown == status) } else { #expect(shown.contains("5")) }
                try till.cast(.crash)
                #expect(try await till.exitReason == .error(TestError(5)))
                #expect(reports.elements.last?.state == report)
            }
            #expect(reports.elements.count == 3)
        }
    }

    @Test("SYS-20 a label is shown in info and in the crash report")
    func label() async throws {
        let reports = Log<CrashReport>()
        let events = EventHandler(.crashed) { event in
            if case .crashed(let report) = event { reports.append(report) }
        }
        try await withNode(NodeOptions(events: events)) { node in
            let till = try node.spawn(Till.self, .init())
            #expect(till.info?.label == nil)
            try till.cast(.label("till 3"))
            _ = try await till.state { $0.total }
            #expect(till.info?.label == "till 3")
            try till.cast(.crash)
            _ = try await till.exitReason
            #expect(reports.elements.map(\.label) == ["till 3"])
        }
    }
}
