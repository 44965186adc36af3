//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// What somebody asks of a server besides its messages: to pause, to show itself, to stop.
///
/// It keeps its place among the messages, is never counted against the bound of the mailbox, and
/// reaches a suspended server.
///
/// - Source: the system messages of OTP's `sys`.
final class SystemRequest: Sendable {
    enum Kind: Sendable {
        /// Let messages wait, or do so no longer; then say that it is done.
        case setSuspended(Bool, TypedReplyCell<Void>)
        /// End with this reason, after `terminate`.
        case stop(ExitReason)
        /// Look at, or change, what the pointer points to: the state, an optional of the server's
        /// type.
        case inspect(@Sendable (UnsafeMutableRawPointer) -> Void)
    }

    let kind: Kind
    /// Fails when the server ends before it gets to the request. Who asks for an inspection, or
    /// waits for a stop, is answered elsewhere.
    let reply: ReplyCell

    init(_ kind: Kind, reply: ReplyCell) {
        self.kind = kind
        self.reply = reply
    }
}

/// Why a request to look at, or to steer, a server has failed.
@nonexhaustive
public enum SystemError: Error, Sendable, CustomStringConvertible {
    /// It failed as a call fails: nobody there, not in time, ended meanwhile.
    case call(CallError)
    /// The function that was given threw this. The server goes on with the state it had.
    case callbackFailed(any Error)

    /// What happened, to whom, and what to do about it.
    public var description: String {
        switch self {
        case .call(let error): error.description
        case .callbackFailed(let error):
            "the function threw \(error); the server goes on with the state it had"
        }
    }
}

extension ProcessCell {
    /// Puts a request at its place among the messages.
    func put(_ request: SystemRequest) -> PutResult {
        let (result, arrival) = withCore { core -> (PutResult, Arrival) in
            guard core.lifecycle.phase != .ended, !core.isClosing else { return (.gone, .none) }
            core.makeRelations().signals.append(.request(request), position: core.accepted)
            attention.store(true, ordering: .relaxed)
            return (.accepted, core.arrival(for: core.lifecycle.signalArrived()))
        }
        arrival.perform(for: self)
        return result
    }

    /// Suspends or resumes the server.
    func setSuspended(_ suspended: Bool, timeout: Duration) async throws(CallError) {
        let reply = TypedReplyCell<Void>(callee: pid)
        try await request(reply, timeout: timeout) {
            put(SystemRequest(.setSuspended(suspended, reply), reply: reply))
        }
    }

    /// Ends the process with `reason` and waits until it has ended.
    ///
    /// A server gets to it in its turn and runs `terminate`; a closure is told at once, as it takes
    /// no requests.
    func stop(_ reason: ExitReason, timeout: Duration?) async throws(CallError) {
        let end = TypedReplyCell<ExitReason>(callee: pid)
        let final = try await request(end, timeout: timeout ?? .nanoseconds(Int64.max)) {
            guard waitForExit(end) else { return .gone }
            if traits.isServer {
                // One that is ending already takes no requests, but its end is worth waiting for.
                _ = put(SystemRequest(.stop(reason), reply: end))
            } else {
                receive(ExitSignal(kind: .order, reason: reason), from: nil)
            }
            return .accepted
        }
        if final != reason { throw .exited(final) }
    }

    /// Enters somebody who is told when the process has ended.
    ///
    /// - Returns: false when it has already, and everybody has been told.
    func waitForExit(_ waiter: TypedReplyCell<ExitReason>) -> Bool {
        withCore { core in
            if core.isOver { return false }
            // Those who have given up are cleared away, each time that their number has doubled.
            let count = core.exitWaiters.count
            if count >= 16, count.nonzeroBitCount == 1 {
                core.exitWaiters.removeAll { $0.isDone }
            }
            core.exitWaiters.append(waiter)
            return true
        }
    }

    /// Why the process has ended, once it has.
    func exitReason(deadline: UInt64) async throws(CallError) -> ExitReason {
        let waiter = TypedReplyCell<ExitReason>(callee: pid)
        guard waitForExit(waiter) else {
            return withCore { $0.lifecycle.stopReason } ?? .normal
        }
        await waiter.wait(deadline: deadline, on: node.scheduler)
        return try waiter.take()
    }

    /// Runs `body` in the server, with a pointer to the optional that holds its state.
    func inspect<Server: ServerProtocol, Result: Sendable>(
        timeout: Duration, _ body: @escaping @Sendable (inout Server) throws -> Result
    ) async throws(SystemError) -> Result {
        let reply = TypedReplyCell<Swift.Result<Result, any Error>>(callee: pid)
        let request = SystemRequest(
            .inspect { pointer in
                let server = pointer.assumingMemoryBound(to: Server?.self)
                guard var state = server.pointee else { return }
                let outcome = Swift.Result { try body(&state) }
                if case .success = outcome { server.pointee = state }
                reply.complete(outcome)
            }, reply: reply)
        let outcome: Swift.Result<Result, any Error>
        do {
            outcome = try await self.request(reply, timeout: timeout) { put(request) }
        } catch { throw .call(error) }
        switch outcome {
        case .success(let result): return result
        case .failure(let error): throw .callbackFailed(error)
        }
    }
}
