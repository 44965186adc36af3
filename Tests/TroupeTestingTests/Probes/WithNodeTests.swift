//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import TroupeTesting

@testable import Troupe

@Suite("A node for a test", .timeLimit(.minutes(1)))
struct WithNodeTests {
    @Test("it is stopped, and the result is returned")
    func stops() async throws {
        let (node, pid) = try await withNode("name", options: quiet) { node in
            (node, try node.spawn(Subject.self, options: ProcessOptions(name: "subject")).pid)
        }
        #expect(node.name == "name" && node.hasStopped)
        #expect(!node.isAlive(pid) && node.whereis("subject") == nil)
    }

    @Test("it is stopped when the body throws, and that error is thrown")
    func throwing() async throws {
        let kept = LockedNode()
        await #expect(throws: Subject.Crash()) {
            try await withNode(options: quiet) { node in
                kept.node.withLock { $0 = node }
                _ = try node.spawn(Subject.self)
                throw Subject.Crash()
            }
        }
        let node = try #require(kept.node.withLock { $0 })
        #expect(node.hasStopped && node.count == 0)
    }

    @Test("the options are obeyed, and the sink is told")
    func options() async throws {
        let events = EventRecorder([.crashed, .spawned])
        try await withNode(options: NodeOptions(events: events, processCountMax: 2)) { node in
            let subject = try node.spawn(Subject.self)
            try await expectExit(of: subject.pid, on: node) { try subject.cast(.crash) }
            #expect(events.crashes.map(\.pid) == [subject.pid])
            _ = try (0..<2).map { _ in try node.spawn(Subject.self) }
            #expect(throws: SpawnError.tooManyProcesses(limit: 2)) {
                try TestProbe(on: node)
            }
        }
        #expect(events.events.allSatisfy { events.kinds.contains($0.kind) })
    }

    @Test("what does not end is a leak", arguments: [false, true])
    func leak(isVirtual: Bool) async throws {
        let parker = Parker()
        let leak = await #expect(throws: NodeLeak.self) {
            try await withNode(
                "leaky", options: quiet, clock: isVirtual ? VirtualClock() : nil,
                grace: isVirtual ? .seconds(5) : .milliseconds(10)
            ) { node in
                let probe = try TestProbe(on: node)
                let subject = try node.spawn(
                    Subject.self, options: ProcessOptions(name: "stuck", ownThread: true))
                let pid = probe.pid
                try subject.cast(
                    .run {
                        try? node.send(Note.hello, to: pid)
                        parker.park()
                    })
                try await probe.next(Note.self)
                // The other may need longer than the grace period to end.
                await probe.stop()
            }
        }
        parker.unpark()
        let found = try #require(leak)
        #expect(found.node == "leaky" && found.names.isEmpty && found.aliasCount == 0)
        #expect(found.processes.count == 1)
        #expect("\(found)".hasPrefix("left when node \"leaky\" had stopped: Subject<"))
        #expect("\(found)".hasSuffix(", which does not end"))
    }

    private final class LockedNode: Sendable {
        let node = Lock<Node?>(nil)
    }
}
