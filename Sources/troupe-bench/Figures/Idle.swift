//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// A process that does nothing until it is told to stop.
struct IdleServer: GenServer {
    enum Cast: Sendable { case stop }

    init(_ argument: Void, process: ServerProcess) {}

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        throw ExitReason.normal
    }
}

/// The same as an async server.
struct AsyncIdleServer: AsyncGenServer {
    init(_ argument: Void, process: ServerProcess) async {}

    mutating func handleCast(_ message: IdleServer.Cast, process: ServerProcess) async throws {
        throw ExitReason.normal
    }
}

extension Process {
    /// Spawns servers that can be called, or closures that wait.
    func spawnPingServers(_ count: Int, _ kind: ProcessKind) async throws {
        for _ in 0..<count {
            switch kind {
            case .direct: _ = try spawn(PingServer.self, ())
            case .async: _ = try await spawn(AsyncPingServer.self, ())
            case .closure: try spawn { _ = try await $0.receive() }
            }
        }
    }

    /// Spawns idle processes and keeps their pids.
    func spawnIdle(_ count: Int, _ kind: ProcessKind = .direct) async throws -> [Pid] {
        var pids: [Pid] = []
        for _ in 0..<count {
            switch kind {
            case .direct: pids.append(try spawn(IdleServer.self, ()).pid)
            case .async: pids.append(try await spawn(AsyncIdleServer.self, ()).pid)
            case .closure: pids.append(try spawn { _ = try await $0.receive() }.pid)
            }
        }
        return pids
    }
}
