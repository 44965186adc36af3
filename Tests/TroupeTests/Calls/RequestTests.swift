//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Requests that are sent without waiting", .timeLimit(.minutes(4)))
struct RequestTests {
    @Test("a request for which there is no room fails when it is waited for")
    func noRoom() async throws {
        try await withNode { node in
            let counter = try node.spawn(
                Counter.self, 1, options: .init(mailbox: .init(capacity: 1), ownThread: true))
            let (gate, started) = (Gate(), Gate())
            try counter.cast(.block(gate, started: started))
            await started.wait()
            let first = counter.sendRequest(.value)
            let full = CallError.mailboxFull(counter.pid, capacity: 1)
            await #expect(throws: full) { try await counter.sendRequest(.value).receive() }
            let process = try node.spawn { process in
                let id = process.sendRequest(.value, to: counter)
                let response = try await process.receive() as? MessageResponse
                #expect(response?.request == id)
                #expect(throws: full) { try response?.reply(as: Int.self) }
            }
            #expect(try await process.exitReason == .normal)
            gate.open()
            #expect(try await first.receive() == 1)
        }
    }

    /// Answers, and ends at once.
    private struct LastAnswer: GenServer {
        init(_ argument: Void, process: ServerProcess) {}

        mutating func handleCall(
            _ request: Void, from: From<Int>, process: ServerProcess
        ) -> CallResult<Int> { .stop(.normal, reply: 1) }
    }

    /// Asks many servers that it is linked with, and counts the exits that come before the response.
    private struct Asker: GenServer {
        enum Call: Sendable { case ask(count: Int) }

        private var servers: [RequestID: Pid] = [:]
        private var unanswered: Set<Pid> = []
        private var exitsLeft = 0
        private var earlyExitCount = 0
        private var from: From<Int>?

        init(_ argument: Void, process: ServerProcess) { process.setTrapsExits(true) }

        mutating func handleCall(
            _ request: Call, from: From<Int>, process: ServerProcess
        ) throws -> CallResult<Int> {
            guard case .ask(let count) = request else { return .noReply }
            exitsLeft = count
            self.from = from
            for _ in 0..<count {
                let server = try process.spawnLinked(LastAnswer.self, ())
                unanswered.insert(server.pid)
                servers[process.sendRequest((), to: server)] = server.pid
            }
            return .noReply
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
            switch message {
            case let response as MessageResponse:
                if let server = servers.removeValue(forKey: response.request) {
                    unanswered.remove(server)
                }
            case let exit as MessageExit:
                if unanswered.contains(exit.from) { earlyExitCount += 1 }
                exitsLeft -= 1
                if exitsLeft == 0 { from?.reply(earlyExitCount) }
            default: break
            }
        }
    }

    @Test("a response comes before what the server did after it had answered")
    func order() async throws {
        // More threads than processors: one that has just sent a request often has to wait.
        let scheduler = Scheduler.threads(8)
        let options = NodeOptions(events: NoEvents(), scheduler: scheduler)
        try await withNode(options) { node in
            let askers = try (0..<4).map { _ in try node.spawn(Asker.self, ()) }
            for _ in 0..<50 {
                let answers = askers.map { $0.sendRequest(.ask(count: 200)) }
                for answer in answers {
                    #expect(try await answer.receive(timeout: .seconds(60)) == 0)
                }
            }
        }
        scheduler.shutDown()
    }

    @Test("a wait that is cancelled leaves the request alone; a receive gives it up")
    func cancelled() async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await ServerKind.plain.spawn(on: node, Script(log: log))
            let isDeferred = Gate()
            let request = server.sendRequest(.deferReply(isDeferred: isDeferred))
            await isDeferred.wait()
            let waiting = Task { try await request.wait(upTo: .seconds(1000)) }
            waiting.cancel()
            await #expect(throws: CallError.cancelled) { try await waiting.value }
            #expect(!request.isReady)
            let collecting = Task {
                let requests = RequestCollection<String, Int>()
                try requests.add(request, label: "x")
                do throws(CallError) {
                    _ = try await requests.receive(timeout: .seconds(1000))
                    return (error: CallError?.none, count: requests.count)
                } catch { return (error: error, count: requests.count) }
            }
            collecting.cancel()
            let collected = try await collecting.value
            #expect(collected.error == .cancelled && collected.count == 1)
            try server.cast(.replyToDeferred(1))
            #expect(try await request.wait(upTo: .seconds(30)) == 1)

            let other = Gate()
            let abandoned = server.sendRequest(.deferReply(isDeferred: other))
            await other.wait()
            let receiving = Task { try await abandoned.receive(timeout: .seconds(1000)) }
            receiving.cancel()
            await #expect(throws: CallError.cancelled) { try await receiving.value }
            try server.cast(.replyToDeferred(2))
            try await server.call(.note("end"))
            #expect(log.elements == ["replied", "reply dropped", "end"])
        }
    }

    @Test("several can wait for one reply")
    func severalWait() async throws {
        try await withNode { node in
            for _ in 0..<50 {
                let server = try await ServerKind.waiting.spawn(on: node)
                let isDeferred = Gate()
                let request = server.sendRequest(.deferReply(isDeferred: isDeferred))
                await isDeferred.wait()
                let replies = try await withThrowingTaskGroup(of: Int?.self) { group in
                    for number in 0..<6 {
                        group.addTask {
                            if number == 5 { try server.cast(.replyToDeferred(7)) }
                            return number < 3
                                ? try await request.wait(upTo: .seconds(30))
                                : try await request.receive(timeout: .seconds(30))
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(replies == Array(repeating: 7, count: 6))
                try await server.stop()
            }
        }
    }

    @Test("a process that waits for its own request, or in a cycle, is told at once")
    func cycle() async throws {
        try await withNode { node in
            let log = Log<CallError?>()
            let one = try await ServerKind.waiting.spawn(on: node)
            let two = try await ServerKind.waiting.spawn(on: node)
            try await one.call(
                .await { process in
                    do throws(CallError) {
                        _ = try await process.ref.sendRequest(.note("x")).receive()
                    } catch { log.append(error) }
                })
            #expect(log.elements == [.callingSelf(one.pid)])
            try await one.call(
                .await { _ in
                    let request = two.sendRequest(
                        .await { _ in log.append(await one.failure(of: .note("x"))) })
                    do throws(CallError) {
                        _ = try await request.receive(timeout: .seconds(1000))
                        log.append(nil)
                    } catch { log.append(error) }
                })
            // Who waits last closes the cycle and is told; the other then has its reply.
            let ends = await log.wait(for: 3).dropFirst()
            #expect(ends.contains(nil))
            #expect(
                ends.contains(.cycle([one.pid, two.pid]))
                    || ends.contains(.cycle([two.pid, one.pid])))
        }
    }

    @Test("a wait for the end of a server can be given up; the server goes on")
    func exitReasonCancelled() async throws {
        try await withNode { node in
            let server = try await ServerKind.plain.spawn(on: node)
            let waiting = Task { try await server.exitReason }
            waiting.cancel()
            await #expect(throws: CallError.cancelled) { try await waiting.value }
            #expect(try await server.call(.note("lives")) == 1)
        }
    }
}
