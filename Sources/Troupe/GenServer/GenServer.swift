//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A server whose handlers do not wait: the process that most programs consist of.
///
/// The state is the value that conforms. It is made inside its process, belongs to that process
/// alone and never leaves it, so it need not be `Sendable`; what goes in and out must be. One
/// handler runs to its end before the next begins. When nothing waits in the mailbox, a call is
/// handled on the caller's own thread, as with a Swift actor.
///
/// ```swift
/// struct Counter: GenServer {
///     enum Call: Sendable { case value }
///     enum Cast: Sendable { case increment(by: Int) }
///     var count: Int
///
///     init(_ start: Int, process: ServerProcess) { count = start }
///
///     mutating func handleCall(
///         _ request: Call, from: From<Int>, process: ServerProcess
///     ) -> CallResult<Int> {
///         .reply(count)
///     }
///
///     mutating func handleCast(_ message: Cast, process: ServerProcess) {
///         switch message {
///         case .increment(let amount): count += amount
///         }
///     }
/// }
/// ```
///
/// A handler stops the server by throwing: an ``ExitReason`` becomes the reason, any other error
/// becomes `.error(_)`. In both cases ``terminate(reason:process:)`` runs.
///
/// A handler that has to `await` something makes the type an ``AsyncGenServer`` instead.
///
/// - Note: A Swift trap (an index out of range, an overflow, `fatalError`) is not an error: it ends
///   the whole program.
/// - Source: OTP's `gen_server`; `handleDirect` is Ergo's.
public protocol GenServer: ServerProtocol {
    associatedtype Argument = Void
    associatedtype Call = Never
    associatedtype Reply = Never
    associatedtype Cast = Never
    associatedtype Direct = Call
    associatedtype DirectReply = Reply
    associatedtype Continue = Never

    /// Makes the state. Runs in the new process, before any message; the starter waits for it.
    ///
    /// - Throws: anything: then the process is gone, its name is free, and the starter gets
    ///   ``SpawnError``. Throw ``IgnoreStart`` to say that there is nothing to start.
    init(_ argument: Argument, process: ServerProcess) throws

    /// Answers a call.
    mutating func handleCall(
        _ request: Call, from: From<Reply>, process: ServerProcess
    ) throws -> CallResult<Reply>

    /// Takes a cast.
    mutating func handleCast(_ message: Cast, process: ServerProcess) throws

    /// Takes everything else: what was sent to the pid, timers, ``MessageDown``, ``MessageExit``,
    /// ``MessageFallback``.
    ///
    /// The default reports an event and goes on, as OTP's does.
    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws

    /// Answers a call of plain, non-process code.
    ///
    /// The default, for servers that do not name a ``ServerProtocol/Direct`` type, is
    /// ``handleCall(_:from:process:)``.
    mutating func handleDirect(
        _ request: Direct, from: From<DirectReply>, process: ServerProcess
    ) throws -> CallResult<DirectReply>

    /// Does what the server has put off with ``ServerContext/continue(with:)``, before it takes
    /// another message.
    mutating func handleContinue(_ message: Continue, process: ServerProcess) throws

    /// Nothing has come for as long as ``ServerContext/setIdleTimeout(after:)`` says.
    ///
    /// The default does nothing.
    mutating func handleTimeout(process: ServerProcess) throws

    /// Cleans up. The last thing that runs in the process, whatever the reason; not after a kill.
    ///
    /// - Throws: anything: it becomes the exit reason, in the place of `reason`.
    mutating func terminate(reason: ExitReason, process: ServerProcess) throws
}

extension GenServer {
    /// Reports an unhandled message as an event, and goes on.
    @inlinable
    public mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        process.reportUnhandled(message)
    }

    /// Does nothing.
    @inlinable
    public mutating func handleTimeout(process: ServerProcess) throws {}

    /// Does nothing.
    @inlinable
    public mutating func terminate(reason: ExitReason, process: ServerProcess) throws {}
}

extension GenServer where Direct == Call, DirectReply == Reply {
    /// Answers like a call.
    @inlinable
    public mutating func handleDirect(
        _ request: Direct, from: From<DirectReply>, process: ServerProcess
    ) throws -> CallResult<DirectReply> {
        try handleCall(request, from: from, process: process)
    }
}

extension GenServer where Call == Never {
    /// Cannot be called.
    @inlinable
    public mutating func handleCall(
        _ request: Call, from: From<Reply>, process: ServerProcess
    ) throws -> CallResult<Reply> {}
}

extension GenServer where Cast == Never {
    /// Cannot be called.
    @inlinable
    public mutating func handleCast(_ message: Cast, process: ServerProcess) throws {}
}

/// Thrown by an `init` that does not want to start: not an error, no crash report.
///
/// - Source: OTP's `ignore`.
public struct IgnoreStart: Error, Sendable {
    /// Makes the answer.
    public init() {}
}

extension GenServer where Continue == Never {
    /// Cannot be called.
    @inlinable
    public mutating func handleContinue(
        _ message: Continue, process: ServerProcess
    ) throws {}
}
