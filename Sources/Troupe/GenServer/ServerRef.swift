//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Synchronization

/// A typed reference to a running server: what its messages and replies are is known to the
/// compiler.
///
/// It can be sent anywhere and stored. It keeps the process object in memory, not the process
/// alive. It is the fastest address of a server; a pid has to be looked up.
public struct ServerRef<Server: ServerProtocol>: Sendable {
    @usableFromInline let cell: ProcessCell

    @inlinable
    init(_ cell: ProcessCell) {
        self.cell = cell
    }

    /// The pid.
    public var pid: Pid { cell.pid }

    // MARK: - Messages without an answer

    /// Sends a message to `handleCast`, without waiting for anything. OTP: `gen_server:cast/2`.
    ///
    /// Messages, casts and calls of one sender arrive in the order in which they were sent.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered. Who does not care
    ///   writes `try?`.
    /// - Note: OTP's cast says nothing when there is no such process.
    @inlinable
    public func cast(_ message: Server.Cast) throws(SendError<Server.Cast>) {
        switch cell.put(envelope: Envelope<Server>.cast(message)) {
        case .accepted: return
        case .gone: throw SendError(.processUnknown(pid), message: message)
        case .full:
            if let failure = cell.overflowed(message) { throw SendError(failure, message: message) }
        }
    }

    /// As ``cast(_:)``, waiting for room when the mailbox is full: back-pressure.
    ///
    /// - Parameters:
    ///   - message: what to send.
    ///   - timeout: how long to wait at most.
    /// - Throws: ``SendError``, with the message, when it was not delivered: `.timeout` when there
    ///   was no room in time, `.cancelled` when the waiting task was cancelled.
    @inlinable
    public func cast(
        _ message: Server.Cast, waitingUpTo timeout: Duration
    ) async throws(SendError<Server.Cast>) {
        let failure = await cell.waitForRoom(upTo: timeout) { queue in
            queue.append(Envelope<Server>.cast(message))
        }
        if let failure { throw SendError(failure, message: message) }
    }

    /// Sends a message to `handleInfo`, as to the pid, without looking the pid up.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered.
    @inlinable
    public func send<Message: Sendable>(_ message: Message) throws(SendError<Message>) {
        switch cell.put(envelope: Envelope<Server>.info(message)) {
        case .accepted: return
        case .gone: throw SendError(.processUnknown(pid), message: message)
        case .full:
            if let failure = cell.overflowed(message) { throw SendError(failure, message: message) }
        }
    }

    // MARK: - Messages with an answer

    /// Sends a cast that carries a place for its own reply, and waits for that reply. So each
    /// message can have a reply type of its own.
    ///
    /// ```swift
    /// let value = try await counter.ask { .increment(by: 1, replyTo: $0) }
    /// ```
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most.
    ///   - message: makes the message around the place for the reply.
    /// - Returns: the reply.
    /// - Throws: ``CallError``.
    @inlinable
    public func ask<Reply: Sendable>(
        timeout: Duration = .seconds(5), _ message: (ReplyTo<Reply>) -> Server.Cast
    ) async throws(CallError) -> Reply {
        let reply = TypedReplyCell<Reply>(callee: pid)
        return try await cell.request(reply, timeout: timeout) {
            cell.put(envelope: Envelope<Server>.ask(message(ReplyTo(reply)), reply))
        }
    }

    /// Calls `handleDirect`: the call for plain, non-process code.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - timeout: how long to wait at most.
    /// - Returns: the reply.
    /// - Throws: ``CallError``.
    /// - Source: Ergo's `Direct`.
    @inlinable
    public func direct(
        _ request: Server.Direct, timeout: Duration = .seconds(5)
    ) async throws(CallError) -> Server.DirectReply {
        let reply = TypedReplyCell<Server.DirectReply>(callee: pid)
        return try await cell.request(reply, timeout: timeout) {
            cell.put(envelope: Envelope<Server>.direct(request, reply))
        }
    }

    /// As ``direct(_:timeout:)``, blocking the thread; for programs without `async`.
    ///
    /// - Throws: ``CallError`` — also `.wouldBlockScheduler` on a thread that runs processes, unless
    ///   it is a process's own.
    @available(*, noasync, message: "use 'await direct(_:)'")
    @inlinable
    public func directBlocking(
        _ request: Server.Direct, timeout: Duration = .seconds(5)
    ) throws(CallError) -> Server.DirectReply {
        let reply = TypedReplyCell<Server.DirectReply>(callee: pid)
        return try cell.requestBlocking(reply, timeout: timeout) {
            cell.put(envelope: Envelope<Server>.direct(request, reply))
        }
    }
}

extension ServerRef where Server: GenServer {
    /// Sends a request to `handleCall` and waits for the reply. OTP: `gen_server:call/2,3`.
    ///
    /// When the server is idle the request is handled on this thread, unless the server has its own
    /// or is watched by a hook.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - timeout: how long to wait at most; 5 s unless you say otherwise. Negative counts as zero.
    /// - Returns: the reply.
    /// - Throws: ``CallError``.
    @inlinable
    public func call(
        _ request: Server.Call, timeout: Duration = .seconds(5)
    ) async throws(CallError) -> Server.Reply {
        if Task.isCancelled { throw .cancelled }
        if cell.claim() {
            let start = cell.coarseNow
            cell.activitySince.store(start, ordering: .relaxed)
            let typed = unsafeDowncast(cell, to: DirectCell<Server>.self)
            // Read before the server is given back.
            let isTurnOver = typed.claimedCalls == .max && cell.isTurnOver
            let outcome = typed.handleClaimed(request)
            let isLate = cell.isPast(timeout, since: start)
            switch outcome {
            case .now(let value):
                if isLate { throw .timeout(pid) }
                if isTurnOver { await Task.yield() }
                return value
            case .there(let reply):
                // A reply that comes yet is dropped.
                if isLate, reply.expire() { throw .timeout(pid) }
                return try await cell.awaitReply(reply, timeout: timeout)
            }
        }
        let reply = TypedReplyCell<Server.Reply>(callee: pid)
        return try await cell.request(reply, timeout: timeout) {
            cell.put(envelope: Envelope<Server>.call(request, reply))
        }
    }
}

extension ServerRef where Server: AsyncGenServer {
    /// Sends a request to `handleCall` and waits for the reply. OTP: `gen_server:call/2,3`.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - timeout: how long to wait at most; 5 s unless you say otherwise. Negative counts as zero.
    /// - Returns: the reply.
    /// - Throws: ``CallError``.
    @inlinable
    public func call(
        _ request: Server.Call, timeout: Duration = .seconds(5)
    ) async throws(CallError) -> Server.Reply {
        let typed = unsafeDowncast(cell, to: AsyncCell<Server>.self)
        var reply = typed.spareReply.take() ?? TypedReplyCell<Server.Reply>(callee: pid)
        defer { typed.spareReply.keep(&reply) }
        return try await cell.request(reply, timeout: timeout) {
            cell.put(envelope: Envelope<Server>.call(request, reply))
        }
    }
}

extension ServerRef: Hashable, CustomStringConvertible {
    /// Whether both refer to the same process.
    public static func == (left: ServerRef, right: ServerRef) -> Bool { left.cell === right.cell }

    /// Hashes the identity of the process.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(cell)) }

    /// The type of the server and the pid.
    public var description: String { "\(Server.self)\(pid)" }
}

extension Node {
    /// The server that holds a name, typed.
    ///
    /// - Returns: nil when nobody holds the name, or a process of another type does.
    public func whereis<Server: GenServer>(
        _ name: String, as type: Server.Type
    ) -> ServerRef<Server>? {
        holder(of: name).flatMap { $0 is DirectCell<Server> ? ServerRef($0) : nil }
    }

    /// The server that holds a name, typed.
    ///
    /// - Returns: nil when nobody holds the name, or a process of another type does.
    public func whereis<Server: AsyncGenServer>(
        _ name: String, as type: Server.Type
    ) -> ServerRef<Server>? {
        holder(of: name).flatMap { $0 is AsyncCell<Server> ? ServerRef($0) : nil }
    }
}

extension ProcessCell {
    @usableFromInline
    final var coarseNow: UInt64 { withScheduler { $0.coarseNow } }

    @usableFromInline
    final var isTurnOver: Bool { withScheduler { $0.isTurnOver() } }

    /// Whether a caller that began at `start` would have given up by now. Good to some
    /// milliseconds: a reply that is there is not refused for less.
    @usableFromInline
    final func isPast(_ timeout: Duration, since start: UInt64) -> Bool {
        let now = coarseNow
        // The coarse clock may be behind the other one.
        guard now > start else { return false }
        let spent = now - start
        return spent > Self.coarseError && spent > timeout.clampedNanoseconds
    }

    /// How far two looks at the coarse clock may be from the time between them, in nanoseconds.
    private static let coarseError: UInt64 = 8_000_000

    /// How long ago `start` was, which was read from the coarse clock; never more than it is, so that no
    /// time is up too early.
    private func timeSpent(since start: UInt64) -> UInt64 {
        let now = coarseNow
        // Time that somebody moves is exact.
        let isExact = traits.isSimulated || scheduler.virtualTime != nil
        let error = isExact ? 0 : Self.coarseError
        return now > start + error ? now - start - error : 0
    }

    /// Sends a request with `put` and waits for its reply.
    ///
    /// Inlinable, so that what is not generic is not called by generic code that looks up types.
    @inlinable
    @inline(__always)
    final func request<Reply: Sendable>(
        _ reply: TypedReplyCell<Reply>, timeout: Duration, _ put: () -> PutResult
    ) async throws(CallError) -> Reply {
        if let wait = try beginRequest(reply, timeout: timeout, put) {
            await endRequest(reply, wait)
        }
        return try reply.take()
    }

    /// Sends a request with `put`.
    ///
    /// - Returns: how to wait for the reply; nil when it is there.
    @usableFromInline
    final func beginRequest(
        _ reply: ReplyCell, timeout: Duration, _ put: () -> PutResult
    ) throws(CallError) -> RequestWait? {
        let (runner, isCancelled) = CurrentProcess.look()
        if isCancelled { throw .cancelled }
        let caller = runner?.cell
        if let caller {
            if caller === self { throw .callingSelf(pid) }
            if let cycle = caller.beginWaiting(for: reply, at: self) { throw .cycle(cycle) }
        }
        let start = coarseNow
        var result = PutResult.accepted
        let hasRun = scheduler.call(self) { result = put() }
        if let failure = putFailure(result, of: reply) {
            caller?.endWaiting(for: reply)
            throw failure
        }
        guard hasRun, reply.isDone else {
            // Less what has gone by, if the callee has run on this thread.
            let begun = scheduler.now - (hasRun ? timeSpent(since: start) : 0)
            return RequestWait(
                deadline: begun.addingSaturated(timeout.clampedNanoseconds), runner: runner)
        }
        caller?.endWaiting(for: reply)
        if isPast(timeout, since: start), reply.expire() { throw .timeout(pid) }
        return nil
    }

    /// Waits for the reply to a request that was sent with ``beginRequest(_:timeout:_:)``.
    @usableFromInline
    final func endRequest(_ reply: ReplyCell, _ wait: RequestWait) async {
        await reply.wait(deadline: wait.deadline, on: node.scheduler, by: wait.runner)
        wait.runner?.cell?.endWaiting(for: reply)
    }

    /// Waits for the reply to a request that was handled at once, but not answered.
    @usableFromInline
    final func awaitReply<Reply: Sendable>(
        _ reply: TypedReplyCell<Reply>, timeout: Duration
    ) async throws(CallError) -> Reply {
        let runner = CurrentProcess.ownRunner
        let caller = runner?.cell
        // Its reply is deferred, so it cannot be part of a cycle.
        caller?.beginWait(.call(reply))
        defer { caller?.endWaiting(for: reply) }
        let deadline = scheduler.now.addingSaturated(timeout.clampedNanoseconds)
        await reply.wait(deadline: deadline, on: node.scheduler, by: runner)
        return try reply.take()
    }

    /// As ``request(_:timeout:_:)``, blocking the thread.
    @usableFromInline
    final func requestBlocking<Reply: Sendable>(
        _ reply: TypedReplyCell<Reply>, timeout: Duration, _ put: () -> PutResult
    ) throws(CallError) -> Reply {
        // On a process's own thread only that process waits; but not for itself.
        guard scheduler.mayBlockHere, !(traits.hasOwnThread && scheduler.isCurrent) else {
            throw .wouldBlockScheduler(pid)
        }
        if isClaimedByThisThread { throw .callingSelf(pid) }
        let deadline = scheduler.now.addingSaturated(timeout.clampedNanoseconds)
        if let failure = putFailure(put(), of: reply) { throw failure }
        reply.waitBlocking(deadline: deadline, on: node.scheduler)
        return try reply.take()
    }

    /// Fails a reply to come when its request was not put into the mailbox, and carries out the
    /// policy of a full one.
    ///
    /// - Returns: why the request was not put.
    @usableFromInline
    @discardableResult
    final func putFailure(_ result: PutResult, of reply: ReplyCell) -> CallError? {
        let failure: CallError
        switch result {
        case .accepted: return nil
        case .gone: failure = .noProcess(pid)
        case .full: failure = mailboxFull
        }
        reply.fail(failure)
        // Of the policies only `.stop` does something for a call. Not before the failure: the exit
        // that this request causes shall not come before the response to it.
        if case .full = result { _ = overflowed(nil) }
        return failure
    }
}

/// How a caller waits for a reply.
@usableFromInline
struct RequestWait: Sendable {
    /// By the clock of the scheduler.
    let deadline: UInt64
    /// The one whose own task waits, if it is a process that does.
    let runner: Runner?
}
