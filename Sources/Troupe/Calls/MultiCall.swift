//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What ``ServerRef/multiCall(_:to:timeout:)`` returns.
public struct MultiCallResult<Server: ServerProtocol>: Sendable {
    /// Who has replied, and what, in the order of the servers.
    public let replies: [(server: ServerRef<Server>, reply: Server.Reply)]
    /// Who has not, and why, in the order of the servers.
    public let failures: [(server: ServerRef<Server>, error: CallError)]
}

extension ServerRef {
    /// Calls several servers at once with the same request, and waits for all of them together. OTP:
    /// `gen_server:multi_call/4`.
    ///
    /// ```swift
    /// let result = await ServerRef.multiCall(.value, to: counters)
    /// ```
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - servers: whom to call.
    ///   - timeout: how long to wait at most, for all together. Later replies are dropped.
    /// - Returns: the replies, and the servers without one.
    public static func multiCall(
        _ request: Server.Call, to servers: some Sequence<ServerRef>,
        timeout: Duration = .seconds(5)
    ) async -> MultiCallResult<Server> {
        let requests = servers.map { (server: $0, pending: $0.sendRequest(request)) }
        var replies: [(server: ServerRef<Server>, reply: Server.Reply)] = []
        var failures: [(server: ServerRef<Server>, error: CallError)] = []
        guard let scheduler = requests.first?.server.cell.scheduler else {
            return MultiCallResult(replies: [], failures: [])
        }
        let deadline = scheduler.now.addingSaturated(timeout.clampedNanoseconds)
        for (server, pending) in requests {
            let now = scheduler.now
            let rest = Duration.inNanoseconds(deadline > now ? deadline - now : 0)
            do {
                replies.append((server, try await pending.receive(timeout: rest)))
            } catch {
                failures.append((server, error))
            }
        }
        return MultiCallResult(replies: replies, failures: failures)
    }
}
