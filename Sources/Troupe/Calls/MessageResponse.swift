//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Names one request whose response comes as a message.
public struct RequestID: Hashable, Sendable, CustomStringConvertible {
    /// The reference as such.
    public let reference: Reference

    /// The description of the reference.
    public var description: String { reference.description }
}

/// The response to a request that a process has sent without waiting. Arrives in `handleInfo` or
/// `receive`.
///
/// - Source: what OTP's `gen_server:check_response/2` makes of a message.
public struct MessageResponse: Sendable {
    /// Which request.
    public let request: RequestID
    /// The reply, or why there is none.
    public let result: Result<any Sendable, CallError>

    /// The reply as the type that the server replies with.
    ///
    /// - Returns: nil when the reply is of another type.
    /// - Throws: ``CallError`` when there is no reply.
    public func reply<Reply>(as type: Reply.Type) throws(CallError) -> Reply? {
        try result.get() as? Reply
    }
}

extension ProcessContext {
    /// Sends a request to the `handleCall` of a server without waiting: the response comes as a
    /// ``MessageResponse``. So a ``GenServer``, whose handlers cannot wait, can call others.
    ///
    /// The response is not counted against the bound of the mailbox, and comes exactly once, unless
    /// the request is abandoned.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - server: whom to ask; it may be oneself.
    ///   - timeout: after which the response is `.timeout`.
    /// - Returns: the identity that the response will carry.
    /// - Source: OTP's `gen_server:send_request/2` and `check_response/2`.
    public func sendRequest<Server: ServerProtocol>(
        _ request: Server.Call, to server: ServerRef<Server>, timeout: Duration = .seconds(5)
    ) -> RequestID {
        sendRequestKeepingReply(request, to: server, timeout: timeout).id
    }

    /// As ``sendRequest(_:to:timeout:)``, returning also the place where the reply will be.
    func sendRequestKeepingReply<Server: ServerProtocol>(
        _ request: Server.Call, to server: ServerRef<Server>, timeout: Duration
    ) -> (id: RequestID, reply: TypedReplyCell<Server.Reply>) {
        let id = RequestID(reference: makeReference())
        let reply = TypedReplyCell<Server.Reply>(callee: server.pid)
        // Before the server can answer: else what it does after that, as to end, could come before the
        // response.
        cell.deliverResponse(of: reply, as: id, timeout: timeout)
        server.send(request, replyingTo: reply)
        return (id, reply)
    }

    /// Gives up a request: after this its response is never seen, even if it was in the mailbox.
    ///
    /// - Returns: whether the response was still to come, or to be seen.
    @discardableResult
    public func abandonRequest(_ id: RequestID) -> Bool {
        let reply = cell.withCore { core in
            core.relations?.rare?.requests.removeValue(forKey: id.reference.id)
        }
        reply?.fail(.cancelled)
        return reply != nil
    }
}

/// Turns the outcome of a call into a message of the process that has sent the request.
private final class ResponseForwarder<Reply: Sendable>: ReplyObserver, @unchecked Sendable {
    // Unchecked: the timer is set before the observer is entered.

    let cell: ProcessCell
    let id: RequestID
    let reply: TypedReplyCell<Reply>
    var timer: TimerToken?

    init(cell: ProcessCell, id: RequestID, reply: TypedReplyCell<Reply>) {
        self.cell = cell
        self.id = id
        self.reply = reply
    }

    func replyArrived(token: Int) {
        if let timer { cell.node.timers.cancel(timer) }
        let result: Result<any Sendable, CallError>
        do { result = .success(try reply.take()) } catch { result = .failure(error) }
        cell.receive(MessageResponse(request: id, result: result))
    }
}

extension ProcessCell {
    fileprivate func deliverResponse<Reply: Sendable>(
        of reply: TypedReplyCell<Reply>, as id: RequestID, timeout: Duration
    ) {
        withCore { $0.makeRelations().makeRare().requests[id.reference.id] = reply }
        let forwarder = ResponseForwarder(cell: self, id: id, reply: reply)
        let deadline = scheduler.now.addingSaturated(timeout.clampedNanoseconds)
        if deadline < TimerWheel<any TimerTarget>.latestDeadline {
            forwarder.timer = node.timers.schedule(at: deadline, reply)
        }
        reply.observe(forwarder, token: 0)
    }

    /// A response has come; it is dropped if nobody expects it any more.
    func receive(_ response: MessageResponse) {
        let arrival = withCore { core -> Arrival in
            guard core.lifecycle.phase != .ended,
                core.relations?.rare?.requests[response.request.reference.id] != nil
            else { return .none }
            return append(.response(response), to: &core)
        }
        arrival.perform(for: self)
    }
}
