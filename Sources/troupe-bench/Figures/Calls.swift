//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// A process that calls a server, one call after the other.
    static let calls: [Figure] = [
        Figure("call_roundtrip") { process in
            let server = try process.spawn(PingServer.self, ())
            return try await process.measureCalls("call_roundtrip") { count in
                for expected in 1...count {
                    let answered = try await server.call(.ping)
                    if answered == expected { continue }
                    throw FigureError.wrong("the server has answered \(answered) calls")
                }
                _ = try await server.call(.reset)
            }
        },
        Figure("call_roundtrip_async", hasPeer: false) { process in
            let server = try await process.spawn(AsyncPingServer.self, ())
            return try await process.measureCalls("call_roundtrip_async") { count in
                for expected in 1...count {
                    let answered = try await server.call(.ping)
                    if answered == expected { continue }
                    throw FigureError.wrong("the server has answered \(answered) calls")
                }
                _ = try await server.call(.reset)
            }
        },
    ]
}

extension Process {
    /// - Parameter calls: makes that many calls.
    fileprivate func measureCalls(
        _ name: String, _ calls: (_ count: Int) async throws -> Void
    ) async throws -> [Row] {
        let count = 500_000
        try await calls(20_000)
        try await settle()
        let time = try await timed { try await calls(count) }
        return [.nanoseconds(name, time, each: count)]
    }
}

/// Answers calls with how many it has answered.
struct PingServer: GenServer {
    enum Call: Sendable { case ping, reset }

    private var count = 0

    init(_ argument: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        switch request {
        case .ping: count += 1
        case .reset: count = 0
        }
        return .reply(count)
    }
}

/// The same as an async server.
struct AsyncPingServer: AsyncGenServer {
    enum Call: Sendable { case ping, reset }

    private var count = 0

    init(_ argument: Void, process: ServerProcess) async {}

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) async -> CallResult<Int> {
        switch request {
        case .ping: count += 1
        case .reset: count = 0
        }
        return .reply(count)
    }
}
