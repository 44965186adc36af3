//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// What it costs when processes end and others hear of it.
    static let faults: [Figure] =
        [
            linkKillChain(.direct), linkKillChain(.async), linkKillChain(.closure),
            monitorDown(.direct), monitorDown(.async), monitorDown(.closure),
        ]

    /// A chain of 100,000 linked processes: the head is killed, and a monitor tells when the exit
    /// signal has gone through all of them and ended the tail.
    ///
    /// There are no crash reports: neither has Erlang any on plain processes that are killed.
    private static func linkKillChain(_ kind: ProcessKind) -> Figure {
        let name = "link_kill_chain" + kind.suffix
        return Figure(name, hasPeer: kind == .direct, events: NoEvents()) { process in
            let count = 100_000
            _ = try await process.killChain(1000, kind)
            try await process.settle()
            let time = try await process.killChain(count, kind)
            return [.microseconds(name, time, each: count)]
        }
    }

    /// Monitoring 100,000 processes, and then the time from telling them to stop to the last DOWN.
    private static func monitorDown(_ kind: ProcessKind) -> Figure {
        Figure("monitor_down_100k" + kind.suffix, hasPeer: kind == .direct) { process in
            let count = 100_000
            _ = try await process.watch(1000, kind)
            try await process.settle()
            let (setting, ending) = try await process.watch(count, kind)
            return [
                .nanoseconds("monitor_set_100k" + kind.suffix, setting, each: count),
                .nanoseconds("monitor_down_100k" + kind.suffix, ending, each: count),
            ]
        }
    }
}

extension Process {
    fileprivate func killChain(_ count: Int, _ kind: ProcessKind) async throws -> Duration {
        let countBefore = node.count
        let head = try await makeChain(count, kind)
        let ref = monitor(try await receive(Pid.self))
        try check(node.count == countBefore + count, "the chain is not complete")
        try await settle()
        let time = try await timed {
            exit(head, .kill)
            let down = try await receive(MessageDown.self)
            try check(down.ref == ref && down.reason == .killed, "the tail ended: \(down.reason)")
        }
        try await sleep(for: .milliseconds(100))
        try check(node.count <= countBefore, "a part of the chain lives on")
        return time
    }

    /// - Returns: the first process of the chain. The last one sends its pid.
    private func makeChain(_ count: Int, _ kind: ProcessKind) async throws -> Pid {
        switch kind {
        case .direct:
            let head = try spawn(ChainLink.self, pid)
            try head.cast(.extend(by: count - 1))
            return head.pid
        case .async:
            let head = try await spawn(AsyncChainLink.self, pid)
            try head.cast(.extend(by: count - 1))
            return head.pid
        case .closure:
            let driver = pid
            return try spawn { try await $0.extendChain(by: count - 1, driver: driver) }.pid
        }
    }

    private func extendChain(by count: Int, driver: Pid) async throws {
        if count == 0 {
            try send(pid, to: driver)
        } else {
            try spawnLinked { try await $0.extendChain(by: count - 1, driver: driver) }
        }
        _ = try await receive()
    }

    fileprivate func watch(
        _ count: Int, _ kind: ProcessKind
    ) async throws -> (setting: Duration, ending: Duration) {
        switch kind {
        case .direct:
            return try await watch((0..<count).map { _ in try spawn(IdleServer.self, ()) })
        case .async:
            var servers: [ServerRef<AsyncIdleServer>] = []
            for _ in 0..<count { servers.append(try await spawn(AsyncIdleServer.self, ())) }
            return try await watch(servers)
        case .closure:
            return try await watch(
                (0..<count).map { _ in try spawn { _ = try await $0.receive() } })
        }
    }

    private func watch(
        _ watched: [some Stoppable]
    ) async throws -> (setting: Duration, ending: Duration) {
        try await settle()
        let watcher = try spawn(Watcher.self, Watcher.Argument(watched: watched, driver: pid))
        try watcher.cast(.monitorAll)
        let setting = try await receive(Duration.self)
        try await settle()
        try watcher.cast(.stopAll)
        return (setting, try await receive(Duration.self))
    }
}

/// A process that ends with `.normal` when it is told to.
private protocol Stoppable: Sendable {
    var pid: Pid { get }
    func tellToStop() throws
}

extension ServerRef: Stoppable where Server.Cast == IdleServer.Cast {
    fileprivate func tellToStop() throws { try cast(.stop) }
}

extension ProcessRef: Stoppable where Value == Void {
    fileprivate func tellToStop() throws { try send(Signal.go) }
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

/// The same as an async server.
private struct AsyncChainLink: AsyncGenServer {
    private let driver: Pid

    init(_ driver: Pid, process: ServerProcess) async {
        self.driver = driver
    }

    mutating func handleCast(_ message: ChainLink.Cast, process: ServerProcess) async throws {
        switch message {
        case .extend(by: 0):
            try process.send(process.pid, to: driver)
        case .extend(let count):
            try await process.spawnLinked(AsyncChainLink.self, driver)
                .cast(.extend(by: count - 1))
        }
    }
}

/// Monitors processes and tells the driver how long it took, first to monitor them, then to see all
/// of them end.
private struct Watcher<Watched: Stoppable>: GenServer {
    struct Argument: Sendable {
        let watched: [Watched]
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
            for one in argument.watched { _ = process.monitor(one.pid) }
            try process.send(now() - start, to: argument.driver)
        case .stopAll:
            left = argument.watched.count
            for one in argument.watched { try one.tellToStop() }
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
