//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Events and crash reports", .timeLimit(.minutes(1)))
struct EventTests {
    @Test("PLIB-07 GS-46 a crash makes one report that names types, never contents")
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
            #expect(report.lastMessage == "cast Cast.fail")
            #expect(report.parent == nil && report.behaviour == "Counter")
            let text = try #require(StandardErrorEvents.text(for: all[2]))
            #expect(text.contains("registered name: counter"))
            #expect(text.contains("last message: cast Cast.fail\n"))
        }
    }

    @Test(
        "PLIB-06 clean ends make no report",
        arguments: [ExitReason.normal, .shutdown, .shutdown("x")])
    func clean(reason: ExitReason) async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.problems) { events.append($0) })
        try await withNode(options) { node in
            let counter = try node.spawn(Counter.self, 0)
            try counter.cast(.exit(reason))
            while node.count > 0 { await Task.yield() }
        }
        #expect(events.elements.isEmpty)
    }

    @Test("GS-24 a message that handleInfo does not handle is an event, and the server lives")
    func unhandled() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.problems) { events.append($0) })
        try await withNode(options) { node in
            let counter = try node.spawn(Counter.self, 3)
            try node.send("what", to: counter.pid)
            guard
                case .unhandledMessage(counter.pid, "Counter", "String") =
                    await events.wait(for: 1)[0]
            else { throw TestError(1) }
            #expect(try await counter.call(.value) == 3)
        }
    }

    @Test("a sink is told only what it asks for")
    func kinds() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.exited) { events.append($0) })
        try await withNode(options) { node in
            let process = try node.spawn { _ in throw TestError(1) }
            _ = try await process.exitReason
        }
        #expect(events.elements.map(\.kind) == [.exited])
    }

    @Test("the debug switch lets an error crash the program where it is caught")
    func crashesOnError() async {
        await #expect(processExitsWith: .failure) {
            let node = try Node(name: "debug", options: .init(crashesOnError: true))
            let counter = try node.spawn(Counter.self, 0)
            _ = try? await counter.call(.fail(1))
        }
    }

    @Test("an exit reason that is thrown is no error for the debug switch")
    func exitReasonIsNoError() async throws {
        try await withNode(NodeOptions(events: NoEvents(), crashesOnError: true)) { node in
            let counter = try node.spawn(Counter.self, 0)
            try counter.cast(.exit(.custom("meant")))
            while node.count > 0 { await Task.yield() }
        }
    }
}
