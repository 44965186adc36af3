//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

@testable import Troupe

typealias CounterPool = ServerRef<Pool<Counter>>
typealias WaitingPool = ServerRef<Pool<AsyncCounter>>

extension ServerRef {
    /// What a call fails with; nil when it does not.
    func failure<Worker>(
        of request: Worker.Call, timeout: Duration = .seconds(30)
    ) async -> CallError? where Server == Pool<Worker> {
        do {
            _ = try await call(request, timeout: timeout)
            return nil
        } catch { return error }
    }

    /// Waits until the pool is in such a state.
    func untilStatus<Worker>(
        _ isReached: (PoolStatus) -> Bool
    ) async throws where Server == Pool<Worker> {
        while try await !isReached(poolStatus()) { await Task.yield() }
    }
}

/// A worker whose replies may be nil, and that ends after a number of them.
struct Fickle: GenServer {
    enum Call: Sendable { case nothing, number, last }

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Int?>, process: ServerProcess
    ) -> CallResult<Int?> {
        switch request {
        case .nothing: .reply(nil)
        case .number: .reply(1)
        case .last: .stop(.normal, reply: 2)
        }
    }
}
