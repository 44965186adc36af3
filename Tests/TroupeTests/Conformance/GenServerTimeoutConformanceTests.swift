//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: continue and idle timeout", .timeLimit(.minutes(4)))
struct GenServerTimeoutConformanceTests {
    @Test(
        "GS-31 a handleContinue that asks to stop ends the server with the reason it gives",
        arguments: ServerKind.allCases)
    func continueStops(kind: ServerKind) async throws {
        try await withNode { node in
            for reason in [ExitReason.normal, .custom("enough")] {
                let log = Log<String>()
                let script = Script(log: log, onContinue: { _, _ in throw reason })
                let server = try await kind.spawn(on: node, script)
                let reply = try await server.call(.run { $0.continue(with: "x") })
                #expect(reply == 1)
                #expect(try await server.exitReason == reason)
                #expect(log.elements == ["continue x", "terminate \(reason)"])
            }
        }
    }

    @Test(
        "GS-32 the idle timeout comes once for each pause",
        arguments: ServerKind.allCases, Setter.allCases)
    func idleTimeout(kind: ServerKind, setter: Setter) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await setter.spawn(kind, on: node, log) {
                $0.setIdleTimeout(after: .milliseconds(5))
            }
            #expect(await log.wait(for: 1) == ["timeout"])
            try await idleFor(.milliseconds(20), on: node)
            #expect(log.elements == ["timeout"])
            // Something comes, and another pause begins.
            try await server.call(.note("call"))
            #expect(await log.wait(for: 3) == ["timeout", "call", "timeout"])
            try server.cast(.note("cast"))
            #expect(await log.wait(for: 5).suffix(2) == ["cast", "timeout"])
            // It can be switched off.
            try await server.call(.run { $0.setIdleTimeout(after: nil) })
            try await idleFor(.milliseconds(20), on: node)
            #expect(log.elements.count == 5)
        }
    }

    @Test(
        "GS-34 system requests do not keep the idle timeout from coming",
        arguments: ServerKind.allCases)
    func systemRequests(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let script = Script(log: log, onInit: { $0.setIdleTimeout(after: .milliseconds(20)) })
            let server = try await kind.spawn(on: node, script)
            // Requests that come all the time do not begin the pause anew.
            let begin = node.clock.now
            while log.elements.isEmpty, begin.duration(to: node.clock.now) < .seconds(20) {
                _ = try await server.status()
                try await server.suspend()
                try await server.resume()
            }
            #expect(log.elements == ["timeout"])
        }
    }

    @Test(
        "an idle timeout that is due while the server is suspended comes when it is resumed",
        arguments: ServerKind.allCases)
    func dueWhileSuspended(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let script = Script(log: log, onInit: { $0.setIdleTimeout(after: .milliseconds(5)) })
            let server = try await kind.spawn(on: node, script)
            try await server.suspend()
            let wasEarly = log.elements.count
            try await idleFor(.milliseconds(20), on: node)
            #expect(log.elements.count == wasEarly)
            try await server.resume()
            #expect(await log.wait(for: 1) == ["timeout"])
            try await server.stop()
            #expect(log.elements == ["timeout", "terminate normal"])
        }
    }

    @Test(
        "GS-35 a zero timeout comes before the messages that wait",
        arguments: ServerKind.allCases, Setter.allCases)
    func zeroTimeout(kind: ServerKind, setter: Setter) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await setter.spawn(kind, on: node, log) {
                try $0.send("waits", to: $0.pid)
                $0.setIdleTimeout(after: .zero)
            }
            #expect(await log.wait(for: 3) == ["timeout", "info waits", "timeout"])
            // It holds after every other callback.
            try server.cast(.note("cast"))
            try await server.call(.note("call"))
            #expect(
                await log.wait(for: 7).suffix(4) == ["cast", "timeout", "call", "timeout"])
        }
    }

    @Test("a zero timeout set by a call comes before what is sent after the call")
    func zeroTimeoutOfClaimedCall() async throws {
        try await withNode { node in
            for _ in 0..<50 {
                let log = Log<String>()
                let server = try await ServerKind.plain.spawn(on: node, Script(log: log))
                try await server.call(.run { $0.setIdleTimeout(after: .zero) })
                try server.cast(.note("cast"))
                #expect(await log.wait(for: 3) == ["timeout", "cast", "timeout"])
            }
        }
    }

    @Test(
        "GS-36 an idle timeout at an instant comes at that instant, once",
        arguments: ServerKind.allCases, Setter.allCases)
    func absoluteTimeout(kind: ServerKind, setter: Setter) async throws {
        try await withNode { node in
            let log = Log<String>()
            let instant = node.clock.now.advanced(by: .milliseconds(20))
            let script = Script(
                log: log,
                onTimeout: { log.append($0.node.clock.now >= instant ? "in time" : "early") })
            let server = try await setter.spawn(kind, on: node, script) {
                $0.setIdleTimeout(at: instant)
            }
            #expect(await log.wait(for: 2) == ["timeout", "in time"])
            // Not again: the instant is gone.
            try await server.call(.note("call"))
            try await idleFor(.milliseconds(10), on: node)
            #expect(log.elements == ["timeout", "in time", "call"])
        }
    }

    @Test(
        "an idle timeout at an instant that has passed comes at once; a message before it cancels it",
        arguments: ServerKind.allCases, Setter.allCases)
    func pastAndCancelled(kind: ServerKind, setter: Setter) async throws {
        try await withNode { node in
            let log = Log<String>()
            let past = node.clock.now
            let server = try await setter.spawn(kind, on: node, log) {
                try $0.send("waits", to: $0.pid)
                $0.setIdleTimeout(at: past)
            }
            #expect(await log.wait(for: 2) == ["timeout", "info waits"])
            try await server.call(
                .run {
                    try $0.send("comes first", to: $0.pid)
                    $0.setIdleTimeout(at: $0.node.clock.now.advanced(by: .milliseconds(5)))
                })
            try await idleFor(.milliseconds(20), on: node)
            #expect(log.elements == ["timeout", "info waits", "info comes first"])
        }
    }

    @Test(
        "what a callback puts off is done before the next message, in order",
        arguments: ServerKind.allCases, Setter.allCases)
    func continueOrder(kind: ServerKind, setter: Setter) async throws {
        try await withNode { node in
            let log = Log<String>()
            let script = Script(
                log: log,
                onContinue: { message, process in
                    if message == "a" {
                        process.continue(with: "c")
                        try process.send("second", to: process.pid)
                    }
                })
            _ = try await setter.spawn(kind, on: node, script) {
                try $0.send("first", to: $0.pid)
                $0.continue(with: "a")
                $0.continue(with: "b")
            }
            #expect(
                await log.wait(for: 5)
                    == ["continue a", "continue b", "continue c", "info first", "info second"])
        }
    }

    @Test(
        "a server that goes on and on with what it has put off obeys, and lets others have a turn",
        arguments: ServerKind.allCases)
    func endlessContinue(kind: ServerKind) async throws {
        let scheduler = Scheduler.threads(1)
        defer { scheduler.shutDown() }
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let log = Log<String>()
            let script = Script(
                onInit: { $0.continue(with: "again") },
                onContinue: { _, process in process.continue(with: "again") },
                onTerminate: { log.append("terminate \($0.pid)") })
            let server = try await kind.spawn(on: node, script)
            let other = try await kind.spawn(on: node)
            #expect(try await other.sendRequest(.note("gets a turn")).receive() == 1)
            node.exit(server.pid, .shutdown)
            #expect(try await server.exitReason == .shutdown)
            #expect(log.elements == ["terminate \(server.pid)"])
        }
    }
}

/// In which callback a test lets its server do something.
enum Setter: CaseIterable, Sendable {
    case initializer, call, cast

    func spawn(
        _ kind: ServerKind, on node: Node, _ log: Log<String>, _ step: @escaping Script.Step
    ) async throws -> ScriptedRef {
        try await spawn(kind, on: node, Script(log: log), step)
    }

    /// Starts a server and lets it do `step`.
    func spawn(
        _ kind: ServerKind, on node: Node, _ script: Script, _ step: @escaping Script.Step
    ) async throws -> ScriptedRef {
        var script = script
        if self == .initializer { script.onInit = step }
        let server = try await kind.spawn(on: node, script)
        switch self {
        case .initializer: break
        case .call: try await server.call(.run(step))
        case .cast: try server.cast(.run(step))
        }
        return server
    }
}

/// Returns when a server that was started now has been idle for this long.
///
/// Timers fire in the order of their deadlines: whoever has waited longer for less was told before.
private func idleFor(_ span: Duration, on node: Node) async throws {
    let log = Log<String>()
    let script = Script(log: log, onInit: { $0.setIdleTimeout(after: span) })
    _ = try await ServerKind.plain.spawn(on: node, script)
    _ = await log.wait(for: 1)
}
