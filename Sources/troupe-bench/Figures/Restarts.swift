//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// What it costs when a supervised server is killed and started again: once after few restarts,
    /// once after many, as the cost must not depend on that.
    static let restarts: [Figure] = [
        restart("supervisor_restart", count: 10_000),
        restart("supervisor_restart_1k", count: 1000),
        restart("supervisor_restart", count: 10_000, kind: .async),
        restart("supervisor_restart_1k", count: 1000, kind: .async),
        restart("supervisor_restart", count: 10_000, kind: .closure),
        restart("supervisor_restart_1k", count: 1000, kind: .closure),
    ]

    /// A child that tells the driver that it has been started, which is after its registration.
    private static func child(_ kind: ProcessKind, _ driver: Pid) -> ChildSpec {
        switch kind {
        case .direct: ChildSpec(Worker.self, driver, name: workerName)
        case .async: ChildSpec(AsyncWorker.self, driver, name: workerName)
        case .closure:
            ChildSpec("worker", name: workerName) { process in
                try process.send(process.pid, to: driver)
                _ = try await process.receive()
            }
        }
    }

    /// From the kill to the message that the new instance sends first.
    ///
    /// There are no crash and supervisor reports: the Erlang twin has switched them off, too.
    private static func restart(
        _ name: String, count: Int, kind: ProcessKind = .direct
    ) -> Figure {
        let name = name + kind.suffix
        return Figure(name, hasPeer: kind == .direct, events: NoEvents()) { process in
            let limit = RestartLimit(10_000_000, within: .seconds(1))
            let driver = process.pid
            let supervisor = try await process.spawnLinked(
                Supervisor.self, SupervisorSpec(limit: limit) { child(kind, driver) })
            var worker = try await process.receive(Pid.self)
            try await process.restart(&worker, times: 100)
            // Longer than the period of the limit.
            try await process.sleep(for: .milliseconds(1200))
            let time = try await timed { try await process.restart(&worker, times: count) }
            let children = try await supervisor.whichChildren()
            try check(children.map(\.pid) == [worker], "the supervisor knows another worker")
            try await supervisor.stop()
            return [.microseconds(name, time, each: count)]
        }
    }
}

private let workerName = "bench_worker"

extension Process {
    fileprivate func restart(_ worker: inout Pid, times count: Int) async throws {
        for _ in 0..<count {
            exit(worker, .kill)
            worker = try await receive(Pid.self)
            try check(node.whereis(workerName) == worker, "the name is not the new worker's")
        }
    }
}

private struct Worker: GenServer {
    init(_ driver: Pid, process: ServerProcess) throws {
        try process.send(process.pid, to: driver)
    }
}

private struct AsyncWorker: AsyncGenServer {
    init(_ driver: Pid, process: ServerProcess) async throws {
        try process.send(process.pid, to: driver)
    }
}
