//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The reply, still to come, to a request that was sent without waiting. Made by
/// ``ServerRef/sendRequest(_:)``.
///
/// It can be sent anywhere and waited for any number of times, also by several at once. Letting go
/// of it abandons nothing: the request is handled all the same, and its reply dropped.
///
/// - Source: the request ids of OTP's `gen_server:send_request/2`.
public struct PendingReply<Reply: Sendable>: Sendable {
    let reply: TypedReplyCell<Reply>
    let server: ProcessCell

    @usableFromInline
    init(_ reply: TypedReplyCell<Reply>, from server: ProcessCell) {
        self.reply = reply
        self.server = server
    }

    /// Whether there is a reply or an error, so that waiting returns at once.
    public var isReady: Bool { reply.isDone }

    /// Waits for the reply, but does not give the request up when none comes in time. OTP:
    /// `gen_server:wait_response/2`.
    ///
    /// - Parameter timeout: how long to wait at most; zero looks whether there is a reply.
    /// - Returns: the reply, or nil when there is none yet.
    /// - Throws: ``CallError``; `.cancelled` when the waiting task is cancelled, and the request goes
    ///   on then.
    public func wait(upTo timeout: Duration) async throws(CallError) -> Reply? {
        guard try await isReady(within: timeout) else { return nil }
        return try reply.take()
    }

    /// Waits for the reply, and gives the request up when none comes in time: a later reply is
    /// dropped. OTP: `gen_server:receive_response/2`.
    ///
    /// - Parameter timeout: how long to wait at most.
    /// - Returns: the reply.
    /// - Throws: ``CallError``.
    public func receive(timeout: Duration = .seconds(5)) async throws(CallError) -> Reply {
        do {
            guard try await isReady(within: timeout) else {
                reply.fail(.timeout(reply.callee))
                return try reply.take()
            }
        } catch {
            reply.fail(error)
            throw error
        }
        return try reply.take()
    }

    private func isReady(within timeout: Duration) async throws(CallError) -> Bool {
        if reply.isDone { return true }
        if timeout <= .zero { return false }
        let caller = CurrentProcess.cell
        if let caller {
            if caller === server { throw .callingSelf(server.pid) }
            if let cycle = caller.beginWaiting(for: reply, at: server) { throw .cycle(cycle) }
        }
        defer { caller?.endWaiting(for: reply) }
        let inbox = ReplyInbox()
        reply.observe(inbox, token: 0)
        defer { reply.stopTelling(inbox) }
        let deadline = server.scheduler.now.addingSaturated(timeout.clampedNanoseconds)
        return try await inbox.next(deadline: deadline, on: server.node) != nil
    }
}

extension ServerRef {
    /// Sends a request to `handleCall` without waiting for the reply. OTP:
    /// `gen_server:send_request/2`.
    ///
    /// - Returns: the reply to come. When there is no such server, or no room in its mailbox,
    ///   waiting for it says so.
    @inlinable
    public func sendRequest(_ request: Server.Call) -> PendingReply<Server.Reply> {
        let reply = TypedReplyCell<Server.Reply>(callee: pid)
        send(request, replyingTo: reply)
        return PendingReply(reply, from: cell)
    }

    /// Sends a request whose reply, or failure, is put into a place of its own.
    @inlinable
    func send(_ request: Server.Call, replyingTo reply: TypedReplyCell<Server.Reply>) {
        let result = cell.put(envelope: Envelope<Server>.call(request, reply))
        cell.putFailure(result, of: reply)
    }

    /// Sends a cast that somebody waits for through a ``ReplyTo`` within it. The wait fails when the
    /// server ends without a reply.
    func cast(_ message: Server.Cast, replyingTo reply: ReplyCell) {
        cell.putFailure(cell.put(envelope: Envelope<Server>.ask(message, reply)), of: reply)
    }
}
