//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe
import TroupeTesting

/// A server that can be counted with, asked, and made to fail.
struct Tally: GenServer {
    enum Call: Sendable { case count, stop }
    enum Cast: Sendable { case add(Int), fail, sendTo(Pid) }
    struct Failure: Error {}

    private var count: Int

    init(_ start: Int, process: ServerProcess) { count = start }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        switch request {
        case .count: .reply(count)
        case .stop: .stop(.normal, reply: count)
        }
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .add(let amount): count += amount
        case .fail: throw Failure()
        case .sendTo(let pid): try process.send("from \(process.pid.id)", to: pid)
        }
    }
}

/// A server whose handlers run a closure that may wait.
struct Worker: AsyncGenServer {
    typealias Call = @Sendable (ServerProcess) async throws -> Int
    typealias Cast = @Sendable (ServerProcess) async throws -> Void

    init(_: Void, process: ServerProcess) async {}

    mutating func handleCall(
        _ work: Call, from: From<Int>, process: ServerProcess
    ) async throws -> CallResult<Int> { .reply(try await work(process)) }

    mutating func handleCast(_ work: Cast, process: ServerProcess) async throws {
        try await work(process)
    }
}

/// What happened, in order.
final class Journal<Entry: Sendable>: Sendable {
    private let state = Lock<[Entry]>([])
    var entries: [Entry] { state.withLock { $0 } }
    func append(_ entry: Entry) { state.withLock { $0.append(entry) } }
}

/// The failure of a simulation that has to fail.
func failure(
    seed: UInt64 = 1, options: SimulationOptions = SimulationOptions(),
    _ body: @escaping @Sendable (Simulation) async throws -> Void
) async -> SimulationFailure? {
    do {
        try await withSimulation(seed: seed, options: options, body)
        return nil
    } catch {
        return error as? SimulationFailure
    }
}
