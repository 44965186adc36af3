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
}
