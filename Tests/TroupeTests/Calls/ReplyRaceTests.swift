//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// A call that a server has taken without a reply.
private struct Taken: Sendable {
    let number: Int
    let from: From<Int>
}

/// Leaves it to others to reply.
private struct Silent: GenServer {
    private let taken: Log<Taken>

    init(_ taken: Log<Taken>, process: ServerProcess) { self.taken = taken }

    mutating func handleCall(
        _ number: Int, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        taken.append(Taken(number: number, from: from))
        return .noReply
    }
}

/// The same for handlers that may wait.
private struct AsyncSilent: AsyncGenServer {
    private let taken: Log<Taken>

    init(_ taken: Log<Taken>, process: ServerProcess) async throws { self.taken = taken }

    mutating func handleCall(
        _ number: Int, from: From<Int>, process: ServerProcess
    ) async throws -> CallResult<Int> {
        taken.append(Taken(number: number, from: from))
        return .noReply
    }
}

@Suite("Calls whose ends race with each other", .timeLimit(.minutes(4)))
struct ReplyRaceTests {
    private struct Server: Sendable {
        let pid: Pid
        let call: @Sendable (Int, Duration) async throws(CallError) -> Int
    }

    /// What has become of a call.
    private struct Ended: Sendable {
        let number: Int
        let reply: Int?
        let error: CallError?
    }

    private static let callCount = 8

    private static func spawn(
        on node: Node, _ taken: Log<Taken>, isAsync: Bool
    ) async throws -> Server {
        let pid: Pid
        let call: @Sendable (Int, Duration) async throws(CallError) -> Int
        if isAsync {
            let server = try await node.spawn(AsyncSilent.self, taken)
            pid = server.pid
            call = { (number: Int, timeout: Duration) async throws(CallError) in
                try await server.call(number, timeout: timeout)
            }
        } else {
            let server = try node.spawn(Silent.self, taken)
            pid = server.pid
            call = { (number: Int, timeout: Duration) async throws(CallError) in
                try await server.call(number, timeout: timeout)
            }
        }
        return Server(pid: pid, call: call)
    }

    /// Calls with a deadline that comes when the other ends do; every other call has none.
    private static func call(_ server: Server, _ number: Int) async -> Ended {
        let timeout: Duration = number % 2 == 0 ? .seconds(60) : .microseconds(number * 150)
        do throws(CallError) {
            let reply = try await server.call(number, timeout)
            return Ended(number: number, reply: reply, error: nil)
        } catch {
            return Ended(number: number, reply: nil, error: error)
        }
    }

    /// Ends calls of some tasks and processes in all ways at once.
    ///
    /// - Returns: what is wrong with how they ended.
    private static func run(_ round: Int, on node: Node, isAsync: Bool) async throws -> [Ended] {
        let (taken, ended) = (Log<Taken>(), Log<Ended>())
        let server = try await spawn(on: node, taken, isAsync: isAsync)
        let half = callCount / 2
        let tasks = (0..<half).map { number in
            Task {
                let end = await Self.call(server, number)
                ended.append(end)
            }
        }
        let processes = try (half..<callCount).map { number in
            try node.spawn { _ in
                let end = await Self.call(server, number)
                ended.append(end)
            }
        }
        let calls = await taken.wait(for: callCount)
        let replied = Shared<Set<Int>>([])
        await onThreads(3) { number in
            // Not always the same one comes first.
            for _ in 0..<((round >> (2 * number)) % 4 * 3) { Platform.yieldThread() }
            switch number {
            case 0:
                for call in calls {
                    let isFirst = call.from.reply(call.number)
                    if isFirst { replied.update { _ = $0.insert(call.number) } }
                }
            case 1:
                for index in (0..<half).reversed() {
                    tasks[index].cancel()
                    node.kill(processes[index].pid)
                }
            default: node.kill(server.pid)
            }
        }
        let ends = await ended.wait(for: callCount)
        #expect(ends.map(\.number).sorted() == Array(0..<callCount))
        let numbers = replied.value
        return ends.filter { !isAllowed($0, hasReply: numbers.contains($0.number), server.pid) }
    }

    /// - Parameter hasReply: whether somebody was told that he has replied.
    private static func isAllowed(_ end: Ended, hasReply: Bool, _ server: Pid) -> Bool {
        switch end.error {
        case nil: hasReply && end.reply == end.number
        case .timeout(let pid): !hasReply && pid == server && end.number % 2 == 1
        case .cancelled, .exited(.killed): !hasReply
        default: false
        }
    }

    @Test(
        "a call that is answered, late, cancelled and left by its server at once has one outcome",
        arguments: [false, true])
    func race(isAsync: Bool) async throws {
        let scheduler = Scheduler.threads(3)
        defer { scheduler.shutDown() }
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            for round in 0..<200 {
                let wrong = try await Self.run(round, on: node, isAsync: isAsync)
                #expect(wrong.isEmpty, "\(wrong)")
            }
        }
        #expect(scheduler.timers.count == 0)
    }
}
