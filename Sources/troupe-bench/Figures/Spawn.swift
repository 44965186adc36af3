//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// What it costs to make processes.
    static let spawning: [Figure] =
        [
            spawn("spawn_100k", 100_000, .direct),
            spawn("spawn_1m", 1_000_000, .direct),
            spawn("spawn_100k", 100_000, .async),
            spawn("spawn_1m", 1_000_000, .async).onlyWhenNamed(),
            spawn("spawn_100k", 100_000, .closure),
            spawn("spawn_1m", 1_000_000, .closure).onlyWhenNamed(),
            spawnAndRun("spawn_run_100k", 100_000, .direct),
            spawnAndRun("spawn_run_1m", 1_000_000, .direct),
            spawnAndRun("spawn_run_100k", 100_000, .async),
            spawnAndRun("spawn_run_1m", 1_000_000, .async).onlyWhenNamed(),
            spawnAndRun("spawn_run_100k", 100_000, .closure),
            spawnAndRun("spawn_run_1m", 1_000_000, .closure).onlyWhenNamed(),
            spawnServers("spawn_server_100k", 100_000, .direct),
            spawnServers("spawn_server_100k", 100_000, .async),
        ]

    /// The loop alone that spawns; the processes stay alive, idle.
    private static func spawn(_ name: String, _ count: Int, _ kind: ProcessKind) -> Figure {
        let name = name + kind.suffix
        return Figure(name, hasPeer: kind == .direct) { process in
            for pid in try await process.spawnIdle(1000, kind) { process.node.kill(pid) }
            try await process.settle()
            let countBefore = process.node.count
            var pids: [Pid] = []
            let time = try await timed { pids = try await process.spawnIdle(count, kind) }
            try check(
                pids.count == count && process.node.count == countBefore + count,
                "spawned \(pids.count) processes")
            return [.microseconds(name, time, each: count)]
        }
    }

    /// The loop alone that starts servers which can be called. They stay alive.
    private static func spawnServers(
        _ name: String, _ count: Int, _ kind: ProcessKind
    ) -> Figure {
        let name = name + kind.suffix
        return Figure(name, hasPeer: kind == .direct) { process in
            try await process.spawnPingServers(1000, kind)
            try await process.settle()
            let countBefore = process.node.count
            let time = try await timed { try await process.spawnPingServers(count, kind) }
            try check(process.node.count == countBefore + count, "not all servers run")
            return [.microseconds(name, time, each: count)]
        }
    }

    /// Until every spawned process has run, has told a sink so, and has ended.
    private static func spawnAndRun(_ name: String, _ count: Int, _ kind: ProcessKind) -> Figure {
        let name = name + kind.suffix
        return Figure(name, hasPeer: kind == .direct) { process in
            try await process.spawnAndRun(1000, kind)
            try await process.settle()
            let time = try await timed { try await process.spawnAndRun(count, kind) }
            return [.microseconds(name, time, each: count)]
        }
    }
}

extension Process {
    fileprivate func spawnAndRun(_ count: Int, _ kind: ProcessKind) async throws {
        let sink = try spawn(Sink.self, ())
        for index in 0..<count {
            // The sink's mailbox is bounded, and a `GenServer` cannot wait for room in it. So the
            // spawner takes care that no more are under way than fit.
            let window = 5000
            if index % window == 0, index > window { try await sink.wait(until: index - window) }
            switch kind {
            case .direct: try spawn(RunOnce.self, sink).cast(.run)
            case .async: try await spawn(AsyncRunOnce.self, sink).cast(.run)
            case .closure: try spawn { _ in try sink.cast(.up) }
            }
        }
        try await sink.wait(until: count)
    }
}

extension ServerRef<Sink> {
    func wait(until count: Int) async throws {
        try await call(.reply(whenUp: count), timeout: .seconds(Sample.timeLimitInSeconds))
    }
}

/// Counts the processes that have run.
struct Sink: GenServer {
    enum Call: Sendable { case reply(whenUp: Int) }
    enum Cast: Sendable { case up }

    private var count = 0
    private var waiting: (count: Int, from: From<Void>)?

    init(_ argument: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Void>, process: ServerProcess
    ) -> CallResult<Void> {
        switch request {
        case .reply(let whenUp):
            if count >= whenUp { return .reply(()) }
            waiting = (whenUp, from)
            return .noReply
        }
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) {
        count += 1
        if let waiting, waiting.count == count {
            waiting.from.reply(())
            self.waiting = nil
        }
    }
}

/// Tells the sink that it has run, and ends.
struct RunOnce: GenServer {
    enum Cast: Sendable { case run }

    private let sink: ServerRef<Sink>

    init(_ sink: ServerRef<Sink>, process: ServerProcess) {
        self.sink = sink
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        try sink.cast(.up)
        throw ExitReason.normal
    }
}

/// The same as an async server.
struct AsyncRunOnce: AsyncGenServer {
    enum Cast: Sendable { case run }

    private let sink: ServerRef<Sink>

    init(_ sink: ServerRef<Sink>, process: ServerProcess) async {
        self.sink = sink
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        try sink.cast(.up)
        throw ExitReason.normal
    }
}
