//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A server whose handlers may wait, for example for a database or for another server.
///
/// The same callbacks as ``GenServer``, `async`. While a handler waits its process handles no other
/// message: there is no re-entrancy. The thread is free meanwhile, and an idle server has no task.
///
/// When the process is told to end, the task of the running handler is cancelled at once, and the
/// suspension points of this library throw; the handler ends as soon as it returns.
///
/// The handlers are `nonisolated(nonsending)`. An async function of yours to which they give their
/// `process` has to run where its caller does, too; see SE-0461.
///
/// A plain ``GenServer`` is several times faster; choose this only where a handler has to wait.
///
/// - Source: OTP's `gen_server`, where every handler may wait; `handleDirect` is Ergo's.
public protocol AsyncGenServer: ServerProtocol {
    associatedtype Argument = Void
    associatedtype Call = Never
    associatedtype Reply = Never
    associatedtype Cast = Never
    associatedtype Direct = Call
    associatedtype DirectReply = Reply
    associatedtype Continue = Never

    /// Makes the state. Runs in the new process, before any message; the starter awaits it.
    ///
    /// - Throws: anything: then the process is gone, its name is free, and the starter gets
    ///   ``SpawnError``. Throw ``IgnoreStart`` to say that there is nothing to start.
    init(_ argument: Argument, process: ServerProcess) async throws

    /// Answers a call.
    mutating func handleCall(
        _ request: Call, from: From<Reply>, process: ServerProcess
    ) async throws -> CallResult<Reply>

    /// Takes a cast.
    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws

    /// Takes everything else: what was sent to the pid, timers, ``MessageDown``, ``MessageExit``,
    /// ``MessageFallback``.
    ///
    /// The default reports an event and goes on, as OTP's does.
    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws

    /// Answers a call of plain, non-process code.
    ///
    /// The default, for servers that do not name a ``ServerProtocol/Direct`` type, is
    /// ``handleCall(_:from:process:)``.
    mutating func handleDirect(
        _ request: Direct, from: From<DirectReply>, process: ServerProcess
    ) async throws -> CallResult<DirectReply>

    /// Does what the server has put off with ``ServerContext/continue(with:)``, before it takes
    /// another message.
    mutating func handleContinue(_ message: Continue, process: ServerProcess) async throws

    /// Nothing has come for as long as ``ServerContext/setIdleTimeout(after:)`` says.
    ///
    /// The default does nothing.
    mutating func handleTimeout(process: ServerProcess) async throws

    /// Cleans up. The last thing that runs in the process, whatever the reason; not after a kill.
    ///
    /// - Throws: anything: it becomes the exit reason, in the place of `reason`.
    mutating func terminate(reason: ExitReason, process: ServerProcess) async throws
}

extension AsyncGenServer {
    /// Reports an unhandled message as an event, and goes on.
    @inlinable
    public mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
        process.reportUnhandled(message)
    }

    /// Does nothing.
    @inlinable
    public mutating func handleTimeout(process: ServerProcess) async throws {}

    /// Does nothing.
    @inlinable
    public mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {}
}

extension AsyncGenServer where Direct == Call, DirectReply == Reply {
    /// Answers like a call.
    @inlinable
    public mutating func handleDirect(
        _ request: Direct, from: From<DirectReply>, process: ServerProcess
    ) async throws -> CallResult<DirectReply> {
        try await handleCall(request, from: from, process: process)
    }
}

extension AsyncGenServer where Call == Never {
    /// Cannot be called.
    @inlinable
    public mutating func handleCall(
        _ request: Call, from: From<Reply>, process: ServerProcess
    ) async throws -> CallResult<Reply> {}
}

extension AsyncGenServer where Cast == Never {
    /// Cannot be called.
    @inlinable
    public mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {}
}

extension AsyncGenServer where Continue == Never {
    /// Cannot be called.
    @inlinable
    public mutating func handleContinue(
        _ message: Continue, process: ServerProcess
    ) async throws {}
}
