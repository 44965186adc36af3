//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ServerRef {
    // MARK: - Looking in, pausing, stopping

    /// Stops the server: `terminate` runs with `reason`, after the messages that were sent before.
    /// Returns when it has ended. OTP: `gen_server:stop/1,3`.
    ///
    /// - Parameters:
    ///   - reason: why.
    ///   - timeout: how long to wait at most; nil for as long as it takes. When it is over the
    ///     server is told to stop all the same.
    /// - Throws: ``CallError`` — `.noProcess` when it had ended before; `.exited(_)` with the actual
    ///   reason when it ended with another; `.timeout`.
    public func stop(
        _ reason: ExitReason = .normal, timeout: Duration? = nil
    ) async throws(CallError) {
        try await cell.stop(reason, timeout: timeout)
    }

    /// Why the server has ended; waits until it has.
    ///
    /// - Throws: ``CallError`` — `.cancelled` when the waiting task is cancelled. The server goes on.
    public var exitReason: ExitReason {
        get async throws(CallError) { try await cell.exitReason(deadline: .max) }
    }

    /// Lets messages wait from now on. System requests are still carried out, and exits are obeyed.
    /// OTP: `sys:suspend/1,2`.
    ///
    /// Suspending twice is the same as once. While it is suspended, calls wait until their deadline,
    /// and the mailbox fills up to its bound.
    ///
    /// - Throws: ``CallError``.
    public func suspend(timeout: Duration = .seconds(5)) async throws(CallError) {
        try await cell.setSuspended(true, timeout: timeout)
    }

    /// Goes on with the messages that have waited, in their order. OTP: `sys:resume/1,2`.
    ///
    /// - Throws: ``CallError``.
    public func resume(timeout: Duration = .seconds(5)) async throws(CallError) {
        try await cell.setSuspended(false, timeout: timeout)
    }

    /// Looks at the state of the server, after the messages that were sent before; for debugging and
    /// tests. OTP: `sys:get_state/1,2`.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most.
    ///   - body: runs in the server, on its state, and returns what you want to know.
    /// - Throws: ``SystemError`` — `.callbackFailed(_)` with what `body` threw.
    public func state<Result: Sendable>(
        timeout: Duration = .seconds(5), _ body: @escaping @Sendable (Server) throws -> Result
    ) async throws(SystemError) -> Result {
        try await cell.inspect(timeout: timeout) { (server: inout Server) in try body(server) }
    }

    /// Changes the state of the server; for debugging and repair. OTP: `sys:replace_state/2,3`.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most.
    ///   - body: runs in the server, on a copy of its state, which then becomes the state.
    /// - Throws: ``SystemError`` — `.callbackFailed(_)` with what `body` threw; the state is
    ///   unchanged then, and the server goes on.
    @discardableResult
    public func replaceState<Result: Sendable>(
        timeout: Duration = .seconds(5), _ body: @escaping @Sendable (inout Server) throws -> Result
    ) async throws(SystemError) -> Result {
        try await cell.inspect(timeout: timeout, body)
    }

    /// What there is to know of the server, its state described in words. OTP:
    /// `sys:get_status/1,2`.
    ///
    /// - Throws: ``CallError``.
    public func status(timeout: Duration = .seconds(5)) async throws(CallError) -> ServerStatus {
        let cell = cell
        do {
            return try await cell.inspect(timeout: timeout) { (server: inout Server) in
                ServerStatus(
                    info: cell.info, state: formattedStatus(of: server) ?? "\(server)")
            }
        } catch {
            switch error {
            case .call(let error): throw error
            // It does not throw.
            case .callbackFailed: throw .cancelled
            }
        }
    }

    /// What can be known of the process without asking it; nil when it has ended.
    public var info: ProcessSnapshot? { cell.infoIfAlive }

    /// What the server has received and handled since it was started. It can be read at any time,
    /// without asking the server. OTP: `sys:statistics/2`, which counts only when switched on.
    ///
    /// - Throws: ``CallError/noProcess(_:)``.
    public func statistics() throws(CallError) -> ServerStatistics {
        guard let info = cell.infoIfAlive else { throw .noProcess(pid) }
        return ServerStatistics(
            uptime: info.uptime, messagesIn: info.messagesIn, messagesHandled: info.messagesHandled,
            messagesDropped: info.messagesDropped)
    }
}

/// What ``ServerRef/status(timeout:)`` tells.
public struct ServerStatus: Sendable {
    /// What is known of the process.
    public let info: ProcessSnapshot
    /// The state in words: what ``ServerProtocol/formatStatus()`` says, or else as Swift prints it.
    public let state: String

    /// Whether messages wait because of ``ServerRef/suspend(timeout:)``.
    public var isSuspended: Bool { info.isSuspended }
}

/// What ``ServerRef/statistics()`` tells.
public struct ServerStatistics: Sendable, Hashable {
    /// How long the process has existed.
    public let uptime: Duration
    /// How many messages were put into its mailbox.
    public let messagesIn: UInt64
    /// How many messages it has taken out to handle them.
    public let messagesHandled: UInt64
    /// How many messages were dropped because the mailbox was full.
    public let messagesDropped: UInt64
}

/// What a server says of its state; nil when it leaves that to the default.
@usableFromInline
func formattedStatus<Server: ServerProtocol>(of server: Server) -> String? {
    do {
        return try server.formatStatus()
    } catch {
        // The type only: the error may carry what the formatter was to leave out.
        return "(formatStatus threw \(type(of: error)))"
    }
}
