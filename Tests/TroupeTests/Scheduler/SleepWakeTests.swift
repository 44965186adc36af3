//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// Handlers that all have to run at the same time, each on a thread of its own.
private final class Meeting: Sendable {
    /// Gets its permit when all are there.
    let host = Parker()
    private let isOver = Gate()
    private let present = Count()
    private let size: Int

    init(of size: Int) { self.size = size }

    /// Waits for all others.
    func attend() {
        if present.add() == size - 1 {
            end()
            host.unpark()
        }
        isOver.waitBlocking()
    }

    func end() { isOver.open() }
}

/// Passes messages on to others like it.
private struct Relay: GenServer {
    enum Cast: Sendable {
        /// Goes on so many times, then the parker gets its permit.
        case pass(hops: Int, ring: [ServerRef<Relay>], end: Parker)
        case attend(Meeting)
        /// To attend, and to tell the others to.
        case convene(Meeting, [ServerRef<Relay>])
        /// To wait, without a pause, and then to tell another and to attend.
        case invite(ServerRef<Relay>, Meeting, hasBegun: Count, mayGoOn: Count)
    }

    private var handledCount = 0

    init(_ argument: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Void, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> { .reply(handledCount) }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        handledCount += 1
        switch message {
        case .pass(let hops, let ring, let end):
            guard hops > 0 else { return end.unpark() }
            let next = ring[hops % ring.count]
            try next.cast(.pass(hops: hops - 1, ring: ring, end: end))
        case .attend(let meeting): meeting.attend()
        case .convene(let meeting, let others):
            for other in others { try other.cast(.attend(meeting)) }
            meeting.attend()
        case .invite(let other, let meeting, let hasBegun, let mayGoOn):
            hasBegun.add()
            while mayGoOn.value == 0 {}
            try other.cast(.attend(meeting))
            meeting.attend()
        }
    }
}

@Suite("Scheduler: threads that sleep wake up for what comes", .timeLimit(.minutes(4)))
struct SleepWakeTests {
    /// After so many nanoseconds something has been lost.
    private static let patience: UInt64 = 30_000_000_000

    /// Waits until all threads of the pool sleep, which nothing tells of.
    ///
    /// - Returns: false when they do not.
    private static func becomesQuiet(_ pool: WorkerPool) -> Bool {
        let limit = Platform.monotonicNanoseconds() + patience
        while !pool.isQuiet {
            if Platform.monotonicNanoseconds() > limit { return false }
            Platform.nap(nanoseconds: 20_000)
        }
        return true
    }

    /// Runs `body` with a node whose threads nobody else uses, and waits until these sleep.
    private func withPool(
        of threadCount: Int, _ body: (Node, WorkerPool) async throws -> Void
    ) async throws {
        let scheduler = Scheduler.threads(threadCount)
        defer { scheduler.shutDown() }
        let pool = try #require(scheduler as? WorkerPool)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            try await body(node, pool)
            await waitWhile { !pool.isQuiet }
        }
    }

    @Test("each message that finds threads asleep, or about to be, is handled", arguments: 2...4)
    func passing(threadCount: Int) async throws {
        try await withPool(of: threadCount) { node, pool in
            let ring = try (0..<5).map { _ in try node.spawn(Relay.self, ()) }
            let (rounds, lost, jobs) = (400, Count(), Count())
            await onThreads(2) { _ in
                let end = Parker()
                for round in 0..<rounds {
                    if round % 4 == 0, !Self.becomesQuiet(pool) { lost.add() }
                    let first = Relay.Cast.pass(hops: round % 5, ring: ring, end: end)
                    let isSent = (try? ring[(round + 1) % ring.count].cast(first)) != nil
                    let limit = Platform.monotonicNanoseconds() + Self.patience
                    guard isSent, end.park(until: limit) else {
                        lost.add()
                        return
                    }
                }
            }
            #expect(lost.value == 0)
            var handledCount = 0
            for relay in ring { handledCount += try await relay.call(()) }
            // In each round the last message has no hops left.
            let sentCount = 2 * (0..<rounds).reduce(0) { $0 + $1 % 5 + 1 }
            #expect(handledCount == sentCount)
            // The same for the jobs of a task.
            for _ in 0..<200 {
                await Task(executorPreference: pool) { _ = jobs.add() }.value
            }
            #expect(jobs.value == 200)
        }
    }

    @Test("while something waits every thread wakes up, as others may be stuck", arguments: 2...4)
    func meeting(threadCount: Int) async throws {
        try await withPool(of: threadCount) { node, pool in
            let servers = try (0..<threadCount).map { _ in try node.spawn(Relay.self, ()) }
            let failures = Count()
            await onThreads(1) { _ in
                for round in 0..<100 {
                    if round % 3 == 0, !Self.becomesQuiet(pool) { failures.add() }
                    let meeting = Meeting(of: threadCount)
                    if round % 2 == 0 {
                        // Each comes from outside.
                        for server in servers { try? server.cast(.attend(meeting)) }
                    } else {
                        // One comes from outside, the others from a thread that is stuck then.
                        try? servers[0].cast(.convene(meeting, Array(servers.dropFirst())))
                    }
                    let limit = Platform.monotonicNanoseconds() + Self.patience
                    if !meeting.host.park(until: limit) {
                        failures.add()
                        return meeting.end()
                    }
                }
            }
            #expect(failures.value == 0)
        }
    }

    @Test("what a stuck thread has pushed while another woke up for something else is run, too")
    func pushedMeanwhile() async throws {
        try await withPool(of: 3) { node, pool in
            let servers = try (0..<3).map { _ in try node.spawn(Relay.self, ()) }
            let failures = Count()
            await onThreads(1) { _ in
                for _ in 0..<50 {
                    if !Self.becomesQuiet(pool) { failures.add() }
                    let meeting = Meeting(of: 3)
                    let (hasBegun, mayGoOn) = (Count(), Count())
                    try? servers[0].cast(
                        .invite(servers[2], meeting, hasBegun: hasBegun, mayGoOn: mayGoOn))
                    while hasBegun.value == 0 { Platform.yieldThread() }
                    try? servers[1].cast(.attend(meeting))
                    mayGoOn.add()
                    let limit = Platform.monotonicNanoseconds() + Self.patience
                    if !meeting.host.park(until: limit) {
                        failures.add()
                        return meeting.end()
                    }
                }
            }
            #expect(failures.value == 0)
        }
    }
}
