//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("An event recorder", .timeLimit(.minutes(1)))
struct EventRecorderTests {
    @Test("takes the next event that matches and leaves the others")
    func takes() async throws {
        let events = EventRecorder()
        try await withNode(options: NodeOptions(events: events)) { node in
            let subject = try node.spawn(Subject.self)
            async let crash = events.next(.crashed)
            try subject.cast(.crash)
            guard case .crashed(let report) = try await crash else {
                Issue.record("no crash")
                return
            }
            #expect(report.pid == subject.pid && report.reason == .error(Subject.Crash()))
            #expect(report.lastMessage == "cast Subject.Cast.crash" || report.lastMessage != nil)
            // What was passed over is still there.
            guard case .spawned(let pid, "Subject") = try await events.next() else {
                Issue.record("no start")
                return
            }
            #expect(pid == subject.pid)
            try await events.next(within: .zero) { event in
                if case .exited(subject.pid, .error) = event { true } else { false }
            }
            #expect(events.crashes.map(\.pid) == [subject.pid])
            #expect(events.events.count == 3)
        }
    }

    @Test("records only what it is asked to")
    func kinds() async throws {
        let events = EventRecorder(.exited)
        try await withNode(options: NodeOptions(events: events)) { node in
            let subject = try node.spawn(Subject.self)
            try await expectExit(of: subject.pid, on: node) { try subject.cast(.crash) }
            #expect(events.events.contains { $0.kind == .exited })
            #expect(events.events.allSatisfy { $0.kind == .exited })
            #expect(events.crashes.isEmpty)
        }
    }

    @Test("a timeout says what has happened instead")
    func timeout() async throws {
        let events = EventRecorder([.spawned, .crashed, .unhandledMessage])
        try await withNode(options: NodeOptions(events: events)) { node in
            let subject = try node.spawn(Subject.self)
            var hasAsked = false
            let error = await #expect(throws: ProbeError.self) {
                try await events.next(within: .seconds(2)) { event in
                    if !hasAsked {
                        hasAsked = true
                        try? subject.send("unhandled")
                        try? subject.cast(.crash)
                    }
                    return false
                }
            }
            let text = "\(try #require(error))"
            #expect(
                text.hasPrefix("the event recorder waited 2.0 seconds for an event that matches"))
            #expect(
                text.contains(
                    "; what arrived: unhandledMessage Subject\(subject.pid): String, "
                        + "crashed Subject\(subject.pid): error(Crash()); "))
            #expect(text.hasSuffix("before: spawned Subject\(subject.pid)"))
        }
    }

    @Test("works under simulation")
    func simulated() async throws {
        try await withSimulation(seed: 11) { simulation in
            let events = EventRecorder()
            let node = try simulation.node(events: events)
            let subject = try node.spawn(Subject.self)
            await #expect(throws: ProbeError.self) {
                try await events.next(.crashed, within: .seconds(3_600))
            }
            try subject.cast(.crash)
            try await events.next(.crashed)
            #expect(events.crashes.count == 1)
        }
    }
}
