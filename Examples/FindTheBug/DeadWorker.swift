//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe
import TroupeTesting

extension Bug {
    /// A pool monitors its workers while they are lent, because a worker that has nothing to do
    /// cannot die. What it forgets: one that is given back may have died already, or be about to, and
    /// to demonitor it takes its DOWN out of the mailbox.
    static let deadWorker = Bug(
        name: "dead-worker",
        story: "a worker dies after its job, long before it is given back to its pool",
        options: SimulationOptions(strategy: .priorities(changes: 2, steps: 150))
    ) { node in
        let pool = try node.spawn(Lender.self)
        let first = try await pool.call(.take)
        _ = try await first.call(.work)
        try await Clerk.passTime(on: node)
        try pool.cast(.giveBack(first))
        let second = try await pool.call(.take)
        do {
            _ = try await second.call(.work)
        } catch {
            // A worker dies after its job, never before.
            throw BugFound("the pool has lent a worker that is dead")
        }
    }
}

private struct Lender: GenServer {
    enum Call: Sendable { case take }
    typealias Reply = ServerRef<Worker>
    enum Cast: Sendable { case giveBack(ServerRef<Worker>) }

    private var free: [ServerRef<Worker>] = []
    private var lent: [Pid: MonitorRef] = [:]

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<ServerRef<Worker>>, process: ServerProcess
    ) throws -> CallResult<ServerRef<Worker>> {
        let worker = try free.popLast() ?? process.spawn(Worker.self)
        lent[worker.pid] = process.monitor(worker.pid)
        return .reply(worker)
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) {
        guard case .giveBack(let worker) = message,
            let monitor = lent.removeValue(forKey: worker.pid)
        else { return }
        // It says whether the worker was still alive. Nobody asks.
        process.demonitor(monitor)
        free.append(worker)
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
        if let down = message as? MessageDown, case .pid(let pid) = down.object { lent[pid] = nil }
    }
}

private struct Worker: GenServer {
    enum Call: Sendable { case work }
    typealias Reply = Bool
    enum Cast: Sendable { case tidyUp }
    struct CannotTidyUp: Error {}

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Bool>, process: ServerProcess
    ) throws -> CallResult<Bool> {
        try process.ref.cast(.tidyUp)
        return .reply(true)
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        throw CannotTidyUp()
    }
}
