//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe

@Suite("Monitors", .timeLimit(.minutes(4)))
struct MonitorTests {
    /// Something that a process has for as long as it lives.
    private final class Lease: Sendable {
        private let log: Log<String>

        init(_ log: Log<String>) { self.log = log }

        deinit { log.append("returned") }
    }

    @Test("what a closure refers to is let go at its end, though nobody has taken its DOWN yet")
    func letGo() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let log = Log<String>()
                let (child, ref) = try Self.spawnHolder(of: Lease(log), by: process)
                #expect(await log.wait(for: 1) == ["returned"])
                let down = try await process.receiveDown(of: ref)
                #expect(down.reason == .normal && down.object == .pid(child.pid))
            }
        }
    }

    private static func spawnHolder(
        of lease: Lease, by process: Process
    ) throws -> (ProcessRef<Void>, MonitorRef) {
        try process.spawnMonitored { _ in withExtendedLifetime(lease) {} }
    }

    /// A value that tells its node when nobody has it any more.
    private final class Parcel: Sendable {
        private let node: Node
        private let receiver: Pid

        init(_ node: Node, _ receiver: Pid) { (self.node, self.receiver) = (node, receiver) }

        deinit { try? node.send("gone", to: receiver) }
    }

    private struct Watcher: AsyncGenServer {
        enum Cast: Sendable { case watch }

        let log: Log<String>

        init(_ log: Log<String>, process: ServerProcess) async { self.log = log }

        func handleCast(_ message: Cast, process: ServerProcess) async throws {
            let (node, pid) = (process.node, process.pid)
            let (child, ref) = try process.spawnMonitored { _ in Parcel(node, pid) }
            // The DOWN, with the value, is in the mailbox then.
            log.append("\(try await child.exitReason) \(process.demonitor(ref))")
        }

        func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
            log.append("\(message)")
        }
    }

    @Test("the tag of a removed monitor is let go without a lock: it may send to the watcher")
    func unwantedTag() async throws {
        try await withNode { node in
            let target = try node.spawn(Counter.self, 0).pid
            let word = try await node.inProcess { process in
                let ref = process.monitor(target, tag: Parcel(process.node, process.pid))
                #expect(process.demonitor(ref))
                return try await process.receive(String.self)
            }
            #expect(word == "gone")
        }
    }

    @Test("the value in an unwanted DOWN is let go without a lock: it may send to the watcher")
    func unwantedValue() async throws {
        try await withNode { node in
            let log = Log<String>()
            try await node.spawn(Watcher.self, log).cast(.watch)
            #expect(await log.wait(for: 2) == ["normal false", "gone"])
        }
    }
}
