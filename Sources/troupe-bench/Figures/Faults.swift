//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// What it costs when processes end and others hear of it.
    static let faults: [Figure] = [linkKillChain, monitorDown]

    /// A chain of 100,000 linked processes: the head is killed, and a monitor tells when the exit
    /// signal has gone through all of them and ended the tail.
    ///
    /// There are no crash reports: neither has Erlang any on plain processes that are killed.
    private static let linkKillChain = Figure("link_kill_chain", events: NoEvents()) { process in
        let count = 100_000
        _ = try await process.killChain(1000)
        try await process.settle()
        return [.microseconds("link_kill_chain", try await process.killChain(count), each: count)]
    }

    /// Monitoring 100,000 processes, and then the time from telling them to stop to the last DOWN.
    private static let monitorDown = Figure("monitor_down_100k") { process in
        let count = 100_000
        _ = try await process.watch(1000)
        try await process.settle()
        let (setting, ending) = try await process.watch(count)
        return [
            .nanoseconds("monitor_set_100k", setting, each: count),
            .nanoseconds("monitor_down_100k", ending, each: count),
        ]
    }
}

extension Process {
    fileprivate func killChain(_ count: Int) async throws -> Duration {
        let countBefore = node.count
        let head = try spawn(ChainLink.self, pid)
        try head.cast(.extend(by: count - 1))
        let ref = monitor(try await receive(Pid.self))
        try check(node.count == countBefore + count, "the chain is not complete")
        try await settle()
        let time = try await timed {
            exit(head.pid, .kill)
            let down = try await receive(MessageDown.self)
            try check(down.ref == ref && down.reason == .killed, "the tail ended: \(down.reason)")
        }
        try await sleep(for: .milliseconds(100))
        try check(node.count <= countBefore, "a part of the chain lives on")
        return time
    }

    fileprivate func watch(_ count: Int) async throws -> (setting: Duration, ending: Duration) {
        var servers: [ServerRef<IdleServer>] = []
        for _ in 0..<count { servers.append(try spawn(IdleServer.self, ())) }
        try await settle()
        let watcher = try spawn(
            Watcher.self, Watcher.Argument(servers: servers, driver: pid))
        try watcher.cast(.monitorAll)
        let setting = try await receive(Duration.self)
        try await settle()
        try watcher.cast(.stopAll)
        return (setting, try await receive(Duration.self))
    }
}

/// Makes the rest of the chain; the last one tells the driver its pid.
private struct ChainLink: GenServer {
    enum Cast: Sendable { case extend(by: Int) }

    private let driver: Pid

    init(_ driver: Pid, process: ServerProcess) {
        self.driver = driver
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .extend(by: 0):
            try process.send(process.pid, to: driver)
        case .extend(let count):
            try process.spawnLinked(ChainLink.self, driver).cast(.extend(by: count - 1))
        }
    }
}

/// Monitors servers and tells the driver how long it took, first to monitor them, then to see all
/// of them end.
private struct Watcher: GenServer {
    struct Argument: Sendable {
        let servers: [ServerRef<IdleServer>]
        let driver: Pid
    }

    enum Cast: Sendable { case monitorAll, stopAll }

    private let argument: Argument
    private var left = 0
    private var start = now()

    init(_ argument: Argument, process: ServerProcess) {
        self.argument = argument
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        start = now()
        switch message {
        case .monitorAll:
            for server in argument.servers { _ = process.monitor(server.pid) }
            try process.send(now() - start, to: argument.driver)
        case .stopAll:
            left = argument.servers.count
            for server in argument.servers { try server.cast(.stop) }
        }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        guard let down = message as? MessageDown, down.reason == .normal else {
            throw FigureError.unexpectedMessage("\(message)")
        }
        left -= 1
        if left == 0 { try process.send(now() - start, to: argument.driver) }
    }
}
