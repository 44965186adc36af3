//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// A rate limiter: each client has a token bucket, a server that is started when the client first
// comes and ends when it has not come for a while. A timer refills it. Everything in it has a bound:
// tokens, requests that wait, buckets, and the mailbox of the log.
import Troupe

/// What a client may do.
struct Limits: Sendable {
    /// How many requests at once.
    let burst: Int
    /// How often one token comes back.
    let refillInterval: Duration
    /// How many requests may wait for a token.
    let waitingMax: Int
    /// After what time a full bucket that nobody uses is thrown away.
    let idleTime: Duration
}

/// The bucket of one client.
struct Bucket: GenServer {
    struct Argument: Sendable {
        let client: String
        let limits: Limits
    }
    enum Call: Sendable { case takeToken }
    enum Verdict: Sendable { case granted, grantedLater, refused }
    private struct Refill: Sendable {}

    private let limits: Limits
    private var tokenCount: Int
    private var waiting: [From<Verdict>] = []
    private var isRefilling = false

    init(_ argument: Argument, process: ServerProcess) {
        limits = argument.limits
        tokenCount = argument.limits.burst
        process.setLabel("bucket of \(argument.client)")
        process.setIdleTimeout(after: limits.idleTime)
    }

    mutating func handleCall(
        _ request: Call, from: From<Verdict>, process: ServerProcess
    ) throws -> CallResult<Verdict> {
        try refillLater(process)
        if tokenCount > 0 {
            tokenCount -= 1
            return .reply(.granted)
        }
        guard waiting.count < limits.waitingMax else { return .reply(.refused) }
        // The reply comes with the next token.
        waiting.append(from)
        return .noReply
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        guard message is Refill else { return process.reportUnhandled(message) }
        isRefilling = false
        if waiting.isEmpty {
            tokenCount += 1
        } else {
            waiting.removeFirst().reply(.grantedLater)
        }
        if tokenCount < limits.burst { try refillLater(process) }
    }

    mutating func handleTimeout(process: ServerProcess) throws {
        if tokenCount == limits.burst { throw ExitReason.normal }
    }

    /// The timer runs only while there is something to refill.
    private mutating func refillLater(_ process: ServerProcess) throws {
        if isRefilling { return }
        isRefilling = true
        try process.send(Refill(), to: .pid(process.pid), after: limits.refillInterval)
    }
}

/// Writes down who was refused. It is slow, so its mailbox is small: who cannot write must not wait.
struct RefusalLog: GenServer {
    enum Cast: Sendable { case refused(client: String) }
    var count = 0

    init(_: Void, process: ServerProcess) {}

    mutating func handleCast(_ message: Cast, process: ServerProcess) { count += 1 }
}

/// What the rest of a program sees of it.
struct RateLimiter: Sendable {
    private let buckets: KeyRegistry<String, Void>
    private let starter: NamedServer<DynamicSupervisor<Bucket.Argument>>
    private let log: NamedServer<RefusalLog>
    private let limits: Limits

    /// Starts a supervisor with the log and the supervisor of the buckets.
    init(on node: Node, limits: Limits) async throws {
        let buckets = KeyRegistry<String, Void>(on: node)
        let tree = SupervisorSpec {
            ChildSpec(
                RefusalLog.self, name: "refusals",
                options: .init(mailbox: .init(capacity: 8, overflow: .reject)))
            ChildSpec(
                DynamicSupervisor<Bucket.Argument>.self,
                DynamicSupervisorSpec(childLimit: 1000) { argument in
                    ChildSpec(
                        Bucket.self, argument,
                        options: .init(registration: buckets.registration(argument.client)),
                        // One that dies is started when its client comes again, and not before.
                        restart: .temporary)
                },
                name: "buckets")
        }
        _ = try await node.spawn(Supervisor.self, tree)
        self.buckets = buckets
        self.limits = limits
        starter = node.server(DynamicSupervisor<Bucket.Argument>.self, named: "buckets")
        log = node.server(RefusalLog.self, named: "refusals")
    }

    /// The buckets that there are.
    var bucketPids: [Pid] { buckets.entries.map(\.pid) }

    /// The bucket of a client, which is started if there is none.
    func bucket(of client: String) async throws -> ServerRef<Bucket>? {
        if let bucket = buckets.whereis(client, as: Bucket.self) { return bucket }
        do {
            try await starter.current?.startChild(.init(client: client, limits: limits))
        } catch .startFailed {
            // Somebody else was faster: of two with one key only one is started.
        }
        return buckets.whereis(client, as: Bucket.self)
    }

    /// Asks for a token.
    func request(by client: String) async throws -> Bucket.Verdict {
        for _ in 0..<3 {
            guard let bucket = try await bucket(of: client) else { continue }
            do {
                let verdict = try await bucket.call(.takeToken)
                // A note that has no room in the log is not worth waiting for.
                if verdict == .refused { try? log.cast(.refused(client: client)) }
                return verdict
            } catch .exited, .noProcess {
                // It has ended just now; there will be another one.
            }
        }
        return .refused
    }
}

@main
enum Main {
    static func main() async throws {
        let node = try Node(name: "limiter", options: .init(events: NoEvents()))
        let limits = Limits(
            burst: 3, refillInterval: .milliseconds(200), waitingMax: 2,
            idleTime: .milliseconds(400))
        let limiter = try await RateLimiter(on: node, limits: limits)

        for client in ["Ada", "Bob"] {
            let attempts = (0..<6).map { _ in
                Task { try await limiter.request(by: client) }
            }
            var verdicts: [Bucket.Verdict] = []
            for attempt in attempts { verdicts.append(try await attempt.value) }
            let counts = [Bucket.Verdict.granted, .grantedLater, .refused].map { verdict in
                "\(verdicts.count { $0 == verdict }) \(verdict)"
            }
            print("\(client) asks six times at once:", counts.joined(separator: ", "))
        }

        print("Ada's bucket is killed")
        if let bucket = try await limiter.bucket(of: "Ada") { node.kill(bucket.pid) }
        print("Ada asks again and has a new one:", try await limiter.request(by: "Ada"))

        // While the log does not take messages, its mailbox fills up; then its senders are told.
        if let log = node.whereis("refusals", as: RefusalLog.self) {
            print("refusals in the log:", try await log.state { $0.count })
            try await log.suspend()
            for number in 1...10 {
                do {
                    try log.cast(.refused(client: "Mallory"))
                } catch {
                    print("note \(number):", error)
                }
            }
            try await log.resume()
            // Unlike a call, this needs no room either.
            print("refusals in the log:", try await log.state { $0.count })
        }

        // Nobody asks any more: the buckets fill up, nobody uses them, and they end.
        let watcher = try node.spawn { process in
            let refs = limiter.bucketPids.map { process.monitor($0) }
            for _ in refs { _ = try await process.receive() }
        }
        try await watcher.value
        print("buckets that are left:", limiter.bucketPids.count)
        await node.stop()
    }
}
