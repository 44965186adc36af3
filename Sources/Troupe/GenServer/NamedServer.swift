//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A typed reference to whichever server holds a name, now or later.
///
/// A ``ServerRef`` is one process, and of no use when that has ended. A named server is a role: each
/// operation looks the name up when it is used, so the reference keeps working when a supervisor
/// starts the server anew, and it can be made before the server is started.
///
/// ```swift
/// let counter = node.server(Counter.self, named: "counter")
/// try counter.cast(.increment(by: 2))
/// print(try await counter.call(.value))
/// ```
///
/// Between the end of one instance and the registration of the next nobody holds the name. What is
/// sent then fails at once with `.nameUnknown`, as it does with OTP's `noproc`; nothing waits for
/// the next instance. A call that was waiting when the instance ended fails with `.exited(_)`: it
/// may have been handled, so it is not sent again. A server of another type under the name counts as
/// nobody.
///
/// The look-up costs about as much as the message. Who sends many messages to an instance takes
/// ``current`` and uses that until it fails.
///
/// - Source: the names that OTP's `gen_server` takes in the place of a pid.
public struct NamedServer<Server: ServerProtocol>: Sendable {
    /// The node whose names are looked up.
    public let node: Node
    /// The name.
    public let name: String
    /// Whether a process is a server of the type.
    @usableFromInline let isServer: @Sendable (ProcessCell) -> Bool

    @usableFromInline
    init(_ node: Node, _ name: String, isServer: @escaping @Sendable (ProcessCell) -> Bool) {
        self.node = node
        self.name = name
        self.isServer = isServer
    }

    /// The server that holds the name at the moment; nil when nobody does, or a process of another
    /// type.
    @inlinable
    public var current: ServerRef<Server>? { find(after: nil).map { ServerRef($0) } }

    /// The pid of ``current``.
    public var pid: Pid? { find(after: nil)?.pid }

    /// The server that holds the name, waiting for one if nobody does: so a caller gets over the
    /// moment between the end of one instance and the start of the next.
    ///
    /// - Parameters:
    ///   - gone: an instance that will not do, because it has ended or is about to; nil for none.
    ///   - timeout: how long to wait at most.
    /// - Returns: an instance that has the name; its `init` may still be running.
    /// - Throws: ``CallError`` — `.nameUnknown` when the time is over; `.cancelled`.
    public func instance(
        after gone: ServerRef<Server>? = nil, upTo timeout: Duration = .seconds(5)
    ) async throws(CallError) -> ServerRef<Server> {
        let deadline = node.scheduler.now.addingSaturated(timeout.clampedNanoseconds)
        while true {
            if let cell = find(after: gone?.cell) { return ServerRef(cell) }
            if let gone = gone?.cell, node.holder(of: name) === gone {
                // Nobody can register the name before it has ended.
                do {
                    _ = try await gone.exitReason(deadline: deadline)
                } catch { throw missing(error) }
                continue
            }
            let waiter = ReplyCell(callee: node.pid(id: 0))
            node.names.addWaiter(waiter, for: name)
            defer { node.names.removeWaiter(waiter, for: name) }
            if find(after: gone?.cell) != nil { continue }
            await waiter.wait(deadline: deadline, on: node.scheduler)
            if let error = waiter.withState({ $0.error }) { throw missing(error) }
        }
    }

    private func missing(_ error: CallError) -> CallError {
        if case .timeout = error { .nameUnknown(name) } else { error }
    }

    /// Who holds the name.
    ///
    /// - Parameter gone: a process that has turned out to be gone. It has given its name back
    ///   before, so whoever holds it now is the next instance.
    @usableFromInline
    func find(after gone: ProcessCell?) -> ProcessCell? {
        guard let cell = node.holder(of: name), cell !== gone, isServer(cell) else { return nil }
        return cell
    }

    // MARK: - Messages without an answer

    /// Sends a message to `handleCast`, without waiting for anything. OTP: `gen_server:cast/2`.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered: `.nameUnknown` when no
    ///   such server holds the name.
    @inlinable
    public func cast(_ message: Server.Cast) throws(SendError<Server.Cast>) {
        var gone: ProcessCell?
        while let cell = find(after: gone) {
            switch cell.put(envelope: Envelope<Server>.cast(message)) {
            case .accepted: return
            case .gone: gone = cell
            case .full:
                guard let failure = cell.overflowed(message) else { return }
                throw SendError(failure, message: message)
            }
        }
        throw SendError(.nameUnknown(name), message: message)
    }

    /// As ``cast(_:)``, waiting for room when the mailbox is full: back-pressure.
    ///
    /// - Parameters:
    ///   - message: what to send.
    ///   - timeout: how long to wait at most.
    /// - Throws: ``SendError``, with the message, when it was not delivered: `.nameUnknown` when no
    ///   such server holds the name, `.processUnknown` when the one that did ended meanwhile,
    ///   `.timeout` when there was no room in time, `.cancelled` when the waiting task was
    ///   cancelled.
    @inlinable
    public func cast(
        _ message: Server.Cast, waitingUpTo timeout: Duration
    ) async throws(SendError<Server.Cast>) {
        guard let current else { throw SendError(.nameUnknown(name), message: message) }
        try await current.cast(message, waitingUpTo: timeout)
    }

    /// Sends a message to `handleInfo`.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered: `.nameUnknown` when no
    ///   such server holds the name.
    @inlinable
    public func send<Message: Sendable>(_ message: Message) throws(SendError<Message>) {
        var gone: ProcessCell?
        while let cell = find(after: gone) {
            switch cell.put(envelope: Envelope<Server>.info(message)) {
            case .accepted: return
            case .gone: gone = cell
            case .full:
                guard let failure = cell.overflowed(message) else { return }
                throw SendError(failure, message: message)
            }
        }
        throw SendError(.nameUnknown(name), message: message)
    }

    // MARK: - Messages with an answer

    /// Sends a cast that carries a place for its own reply, and waits for that reply.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most.
    ///   - message: makes the message around the place for the reply. Called once more when the
    ///     server turns out to have ended and the next instance is there already.
    /// - Returns: the reply.
    /// - Throws: ``CallError``, also `.nameUnknown`.
    @inlinable
    public func ask<Reply: Sendable>(
        timeout: Duration = .seconds(5), _ message: (ReplyTo<Reply>) -> Server.Cast
    ) async throws(CallError) -> Reply {
        var gone: ProcessCell?
        while let cell = find(after: gone) {
            do {
                return try await ServerRef<Server>(cell).ask(timeout: timeout, message)
            } catch {
                guard error == .noProcess(cell.pid) else { throw error }
                gone = cell
            }
        }
        throw .nameUnknown(name)
    }

    /// Calls `handleDirect`: the call for plain, non-process code.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - timeout: how long to wait at most.
    /// - Returns: the reply.
    /// - Throws: ``CallError``, also `.nameUnknown`.
    /// - Source: Ergo's `Direct`.
    @inlinable
    public func direct(
        _ request: Server.Direct, timeout: Duration = .seconds(5)
    ) async throws(CallError) -> Server.DirectReply {
        var gone: ProcessCell?
        while let cell = find(after: gone) {
            do {
                return try await ServerRef<Server>(cell).direct(request, timeout: timeout)
            } catch {
                guard error == .noProcess(cell.pid) else { throw error }
                gone = cell
            }
        }
        throw .nameUnknown(name)
    }

    /// As ``direct(_:timeout:)``, blocking the thread; for programs without `async`.
    ///
    /// - Throws: ``CallError``, also `.nameUnknown`, and `.wouldBlockScheduler` on a thread that
    ///   runs processes, unless it is a process's own.
    @available(*, noasync, message: "use 'await direct(_:)'")
    @inlinable
    public func directBlocking(
        _ request: Server.Direct, timeout: Duration = .seconds(5)
    ) throws(CallError) -> Server.DirectReply {
        var gone: ProcessCell?
        while let cell = find(after: gone) {
            do {
                return try ServerRef<Server>(cell).directBlocking(request, timeout: timeout)
            } catch {
                guard error == .noProcess(cell.pid) else { throw error }
                gone = cell
            }
        }
        throw .nameUnknown(name)
    }

    /// Sends a request to `handleCall` without waiting for the reply. OTP:
    /// `gen_server:send_request/2`.
    ///
    /// - Returns: the reply to come. When there is no room in the server's mailbox, waiting for it
    ///   says so.
    /// - Throws: ``CallError/nameUnknown(_:)``.
    @inlinable
    public func sendRequest(
        _ request: Server.Call
    ) throws(CallError) -> PendingReply<Server.Reply> {
        var gone: ProcessCell?
        while let cell = find(after: gone) {
            let reply = TypedReplyCell<Server.Reply>(callee: cell.pid)
            let result = cell.put(envelope: Envelope<Server>.call(request, reply))
            if case .gone = result {
                gone = cell
                continue
            }
            cell.putFailure(result, of: reply)
            return PendingReply(reply, from: cell)
        }
        throw .nameUnknown(name)
    }

    // MARK: - Stopping

    /// Stops the server that holds the name; see ``ServerRef/stop(_:timeout:)``. One that is
    /// supervised may be started anew.
    ///
    /// - Throws: ``CallError``, also `.nameUnknown`.
    public func stop(
        _ reason: ExitReason = .normal, timeout: Duration? = nil
    ) async throws(CallError) {
        guard let current else { throw .nameUnknown(name) }
        do {
            try await current.stop(reason, timeout: timeout)
        } catch {
            throw error == .noProcess(current.pid) ? .nameUnknown(name) : error
        }
    }
}

extension NamedServer where Server: GenServer {
    /// Sends a request to `handleCall` and waits for the reply. OTP: `gen_server:call/2,3`.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - timeout: how long to wait at most; 5 s unless you say otherwise. Negative counts as zero.
    /// - Returns: the reply.
    /// - Throws: ``CallError``: `.nameUnknown` when no such server holds the name; `.exited(_)` when
    ///   the server ended before it replied.
    @inlinable
    public func call(
        _ request: Server.Call, timeout: Duration = .seconds(5)
    ) async throws(CallError) -> Server.Reply {
        var gone: ProcessCell?
        while let cell = find(after: gone) {
            do {
                return try await ServerRef<Server>(cell).call(request, timeout: timeout)
            } catch {
                guard error == .noProcess(cell.pid) else { throw error }
                gone = cell
            }
        }
        throw .nameUnknown(name)
    }
}

extension NamedServer where Server: AsyncGenServer {
    /// Sends a request to `handleCall` and waits for the reply. OTP: `gen_server:call/2,3`.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - timeout: how long to wait at most; 5 s unless you say otherwise. Negative counts as zero.
    /// - Returns: the reply.
    /// - Throws: ``CallError``: `.nameUnknown` when no such server holds the name; `.exited(_)` when
    ///   the server ended before it replied.
    @inlinable
    public func call(
        _ request: Server.Call, timeout: Duration = .seconds(5)
    ) async throws(CallError) -> Server.Reply {
        var gone: ProcessCell?
        while let cell = find(after: gone) {
            do {
                return try await ServerRef<Server>(cell).call(request, timeout: timeout)
            } catch {
                guard error == .noProcess(cell.pid) else { throw error }
                gone = cell
            }
        }
        throw .nameUnknown(name)
    }
}

extension NamedServer: Hashable, CustomStringConvertible {
    /// Whether both mean the same name of the same node.
    public static func == (left: NamedServer, right: NamedServer) -> Bool {
        left.node === right.node && left.name == right.name
    }

    /// Hashes the node's identity and the name.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(node))
        hasher.combine(name)
    }

    /// The type of the server and the name.
    public var description: String { "\(Server.self)(\"\(name)\")" }
}

extension Node {
    /// A typed reference to whichever server holds `name`, now or later. There need not be one yet.
    public func server<Server: GenServer>(
        _ type: Server.Type, named name: String
    ) -> NamedServer<Server> {
        NamedServer(self, name) { $0 is DirectCell<Server> }
    }

    /// A typed reference to whichever server holds `name`, now or later. There need not be one yet.
    public func server<Server: AsyncGenServer>(
        _ type: Server.Type, named name: String
    ) -> NamedServer<Server> {
        NamedServer(self, name) { $0 is AsyncCell<Server> }
    }

    /// A typed reference to the server that has a pid, for example a child that a supervisor has
    /// started.
    ///
    /// - Returns: nil when there is no such process on this node, or one of another type.
    public func server<Server: GenServer>(
        _ type: Server.Type, at pid: Pid
    ) -> ServerRef<Server>? {
        guard case .process(let cell) = locate(pid), cell is DirectCell<Server> else { return nil }
        return ServerRef(cell)
    }

    /// A typed reference to the server that has a pid, for example a child that a supervisor has
    /// started.
    ///
    /// - Returns: nil when there is no such process on this node, or one of another type.
    public func server<Server: AsyncGenServer>(
        _ type: Server.Type, at pid: Pid
    ) -> ServerRef<Server>? {
        guard case .process(let cell) = locate(pid), cell is AsyncCell<Server> else { return nil }
        return ServerRef(cell)
    }
}
