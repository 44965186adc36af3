//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// How many bytes of the machine's memory an idle process takes.
    static let memory: [Figure] = [
        servers("mem_100k", "mem_per_process_100k_rss", 100_000, .direct),
        servers("mem_100k", "mem_per_process_100k_rss", 100_000, .async),
        servers("mem_1m", "mem_per_process_1m_rss", 1_000_000, .direct),
        servers("mem_1m", "mem_per_process_1m_rss", 1_000_000, .async).onlyWhenNamed(),
        // The twin's servers hibernate. Here an idle server has nothing to give back.
        servers("mem_hibernated_100k", "mem_per_process_hibernated_100k_rss", 100_000, .direct),
        plain("mem_plain_100k", "mem_per_plain_process_100k_rss", 100_000, .direct),
        plain("mem_plain_100k", "mem_per_plain_process_100k_rss", 100_000, .async),
        plain("mem_plain_100k", "mem_per_plain_process_100k_rss", 100_000, .closure),
        plain("mem_plain_1m", "mem_per_plain_process_1m_rss", 1_000_000, .direct).onlyWhenNamed(),
        plain("mem_plain_1m", "mem_per_plain_process_1m_rss", 1_000_000, .async).onlyWhenNamed(),
        plain("mem_plain_1m", "mem_per_plain_process_1m_rss", 1_000_000, .closure).onlyWhenNamed(),
    ]

    /// Servers that can be called.
    private static func servers(
        _ name: String, _ row: String, _ count: Int, _ kind: ProcessKind
    ) -> Figure {
        memory(name, row, count, kind) { process, count in
            try await process.spawnPingServers(count, kind)
        }
    }

    /// Processes that only wait to be stopped.
    private static func plain(
        _ name: String, _ row: String, _ count: Int, _ kind: ProcessKind
    ) -> Figure {
        memory(name, row, count, kind) { process, count in
            for _ in 0..<count {
                switch kind {
                case .direct: _ = try process.spawn(IdleServer.self, ())
                case .async: _ = try await process.spawn(AsyncIdleServer.self, ())
                case .closure: try process.spawn { _ = try await $0.receive() }
                }
            }
        }
    }

    /// How much the program grows while `spawn` makes processes, once they have become idle.
    private static func memory(
        _ name: String, _ row: String, _ count: Int, _ kind: ProcessKind,
        _ spawn: @escaping @Sendable (Process, _ count: Int) async throws -> Void
    ) -> Figure {
        Figure(name + kind.suffix, hasPeer: kind == .direct) { process in
            try await spawn(process, 10)
            try await process.sleep(for: .milliseconds(500))
            let countBefore = process.node.count
            let before = try residentSizeInBytes()
            try await spawn(process, count)
            try await process.sleep(for: .milliseconds(1000))
            let after = try residentSizeInBytes()
            try check(process.node.count == countBefore + count, "not all processes live")
            return [Row(row + kind.suffix, (after - before) / Double(count), "bytes")]
        }
    }
}
