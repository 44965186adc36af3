//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Requests to be waited for together, each with a label that says what it is for.
///
/// ```swift
/// let requests = RequestCollection<String, Int>()
/// for (city, server) in servers { try requests.add(server.sendRequest(.population), label: city) }
/// while case .response(let city, let result) = try await requests.receive() {
///     print(city, result)
/// }
/// ```
///
/// - Source: OTP's `gen_server:reqids_new/0`, `reqids_add/3`, `receive_response/3`.
public final class RequestCollection<Label, Reply: Sendable> {
    private var requests: [Int: (reply: PendingReply<Reply>, label: Label)] = [:]
    private var members: Set<ObjectIdentifier> = []
    private var nextToken = 0
    private let inbox = ReplyInbox()

    /// Makes an empty collection.
    public init() {}

    deinit {
        for request in requests.values { request.reply.reply.stopTelling(inbox) }
    }

    /// How many requests have not been responded to.
    public var count: Int { requests.count }

    /// Whether there is no request to wait for.
    public var isEmpty: Bool { requests.isEmpty }

    /// Adds a request.
    ///
    /// - Throws: ``RequestCollectionError/alreadyAdded`` when it is in the collection.
    public func add(
        _ request: PendingReply<Reply>, label: Label
    ) throws(RequestCollectionError) {
        guard members.insert(ObjectIdentifier(request.reply)).inserted else { throw .alreadyAdded }
        let token = nextToken
        nextToken += 1
        requests[token] = (request, label)
        request.reply.observe(inbox, token: token)
    }

    /// What waiting for any of the requests gives.
    public enum Outcome {
        /// One has been responded to, or has failed; it has left the collection.
        case response(Label, Result<Reply, CallError>)
        /// The collection is empty.
        case noRequest
        /// Nothing came in time.
        case timeout
    }

    /// Waits for any of the requests, and keeps them when nothing comes in time. OTP:
    /// `gen_server:wait_response/3`.
    ///
    /// - Parameter timeout: how long to wait at most.
    /// - Throws: ``CallError/cancelled`` when the task is cancelled; the requests stay.
    public func wait(upTo timeout: Duration) async throws(CallError) -> Outcome {
        guard let node = requests.first?.value.reply.server.node else { return .noRequest }
        let deadline = node.scheduler.now.addingSaturated(timeout.clampedNanoseconds)
        while let token = try await inbox.next(deadline: deadline, on: node) {
            // The outcome of one that was given up is nobody's business any more.
            guard let (pending, label) = requests.removeValue(forKey: token) else { continue }
            members.remove(ObjectIdentifier(pending.reply))
            do {
                return .response(label, .success(try pending.reply.take()))
            } catch {
                return .response(label, .failure(error))
            }
        }
        return .timeout
    }

    /// Waits for any of the requests, and gives all of them up when nothing comes in time. OTP:
    /// `gen_server:receive_response/3`.
    ///
    /// - Parameter timeout: how long to wait at most.
    /// - Throws: ``CallError/cancelled`` when the task is cancelled; the requests stay.
    public func receive(timeout: Duration = .seconds(5)) async throws(CallError) -> Outcome {
        let outcome = try await wait(upTo: timeout)
        if case .timeout = outcome {
            for request in requests.values {
                request.reply.reply.fail(.timeout(request.reply.reply.callee))
            }
            (requests, members) = ([:], [])
        }
        return outcome
    }
}

/// Why a request could not be added to a collection.
@nonexhaustive
public enum RequestCollectionError: Error, Sendable, CustomStringConvertible {
    /// It is in the collection already.
    case alreadyAdded

    /// What is wrong.
    public var description: String { "the request is in the collection already" }
}
