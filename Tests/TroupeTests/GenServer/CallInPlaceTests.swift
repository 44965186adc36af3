//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// Tells what it can see of the task that runs it.
private struct Witness: AsyncGenServer {
    @TaskLocal static var mark = 0

    enum Call: Sendable {
        case look, silent, waitFor(Gate), advance(VirtualTime, by: Duration)
        case callNext([ServerRef<Witness>])
    }

    struct Sight: Sendable {
        var mark = Witness.mark
        var thread = Platform.threadID
        var process = CurrentProcess.cell?.pid
        /// How many servers have been asked.
        var count = 1
    }

    init(_: Void, process: ServerProcess) async {}

    mutating func handleCall(
        _ request: Call, from: From<Sight>, process: ServerProcess
    ) async throws -> CallResult<Sight> {
        var sight = Sight()
        switch request {
        case .look: break
        case .waitFor(let gate): await gate.wait()
        case .silent: return .noReply
        case .advance(let time, let span): time.advance(by: span)
        case .callNext(var others):
            guard !others.isEmpty else { break }
            let next = others.removeFirst()
            let answer = try await next.call(.callNext(others))
            #expect(CurrentProcess.cell?.pid == process.pid)
            sight = answer
            sight.count += 1
        }
        return .reply(sight)
    }
}

@Suite("Calls of async servers in place", .timeLimit(.minutes(4)))
struct CallInPlaceTests {
    @Test("an idle server is called on the thread of its caller, as a process of its own")
    func sameThread() async throws {
        let scheduler = Scheduler.threads(2)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let server = try await node.spawn(Witness.self, ())
            try await node.inProcess(.init()) { process in
                var sameThread = 0
                for _ in 0..<100 {
                    let (before, sight) = try await Witness.$mark.withValue(7) {
                        let before = Platform.threadID
                        let sight = try await server.call(.look)
                        #expect(Witness.mark == 7)
                        return (before, sight)
                    }
                    #expect(sight.mark == 0)
                    #expect(sight.process == server.pid)
                    #expect(CurrentProcess.cell?.pid == process.pid)
                    if before == sight.thread { sameThread += 1 }
                }
                // Not those for which the caller has queued up.
                #expect(sameThread >= 90)
            }
        }
        scheduler.shutDown()
    }

    @Test("a handler that waits lets its caller wait, and others go on", arguments: [1, 2])
    func handlerWaits(threads: Int) async throws {
        let scheduler = Scheduler.threads(threads)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let server = try await node.spawn(Witness.self, ())
            let other = try await node.spawn(Witness.self, ())
            let gate = Gate()
            try await node.inProcess(.init()) { _ in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        let sight = try await server.call(.waitFor(gate))
                        #expect(sight.process == server.pid)
                    }
                    group.addTask {
                        let sight = try await other.call(.look)
                        #expect(sight.process == other.pid)
                        gate.open()
                    }
                    try await group.waitForAll()
                }
                await #expect(throws: CallError.timeout(server.pid)) {
                    try await server.call(.silent, timeout: .milliseconds(20))
                }
            }
        }
        scheduler.shutDown()
    }

    @Test("each of a long chain of servers may call the next one", arguments: [1, 2])
    func chain(threads: Int) async throws {
        let scheduler = Scheduler.threads(threads)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            var servers: [ServerRef<Witness>] = []
            for _ in 0..<200 { servers.append(try await node.spawn(Witness.self, ())) }
            let (first, others) = (servers[0], Array(servers.dropFirst()))
            try await node.inProcess(.init()) { _ in
                for _ in 0..<20 {
                    let sight = try await first.call(.callNext(others))
                    #expect(sight.count == 200)
                }
                // A cycle is found, however its calls were run.
                await #expect(throws: CallError.self) {
                    try await first.call(.callNext(Array(others.prefix(2)) + [first]))
                }
            }
        }
        scheduler.shutDown()
    }

    @Test("a process that does nothing but call gives others a turn")
    func fairness() async throws {
        let scheduler = Scheduler.threads(1)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let server = try await node.spawn(Witness.self, ())
            let log = Log<String>()
            let recorder = try node.spawn(Recorder.self, .init(log))
            try await node.inProcess(.init()) { _ in
                try recorder.send(1)
                var calls = 0
                while log.elements.isEmpty {
                    _ = try await server.call(.look)
                    calls += 1
                }
                #expect(calls <= 2 * NestedTurns.countMax)
            }
        }
        scheduler.shutDown()
    }

    @Test("a process that does nothing but call a plain server gives others a turn")
    func fairnessOfPlainCalls() async throws {
        let scheduler = Scheduler.threads(1)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let counter = try node.spawn(Counter.self, 1)
            let log = Log<String>()
            let recorder = try node.spawn(Recorder.self, .init(log))
            try await node.inProcess(.init()) { _ in
                try recorder.send(1)
                var calls = 0
                while log.elements.isEmpty, calls < 100_000 {
                    _ = try await counter.call(.value)
                    calls += 1
                }
                #expect(calls <= 256)
            }
        }
        scheduler.shutDown()
    }

    /// Calls a plain server until it is told to stop.
    private struct Restless: AsyncGenServer {
        private let counter: ServerRef<Counter>

        init(_ counter: ServerRef<Counter>, process: ServerProcess) async {
            self.counter = counter
        }

        mutating func handleCall(
            _ request: Shared<Bool>, from: From<Bool>, process: ServerProcess
        ) async throws -> CallResult<Bool> {
            let start = ContinuousClock.now
            while !request.value, ContinuousClock.now - start < .seconds(20) {
                _ = try await counter.call(.value)
            }
            return .reply(request.value)
        }
    }

    @Test("a callee that does nothing but call lets its caller see that the time is over")
    func fairnessToTheCaller() async throws {
        let scheduler = Scheduler.threads(1)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            let counter = try node.spawn(Counter.self, 1)
            let restless = try await node.spawn(Restless.self, counter)
            let isOver = Shared(false)
            try await node.inProcess(.init()) { _ in
                let start = ContinuousClock.now
                await #expect(throws: CallError.timeout(restless.pid)) {
                    try await restless.call(isOver, timeout: .milliseconds(50))
                }
                #expect(ContinuousClock.now - start < .seconds(15))
                isOver.update { $0 = true }
            }
        }
        scheduler.shutDown()
    }

    @Test("each thread of plain code has its own turns: a quick one does not take those of others")
    func turnsOfForeignThreads() async {
        let scheduler = Scheduler.threads(1)
        for _ in 0..<100 {
            let isOver = await withCheckedContinuation { continuation in
                Platform.startThread(name: "plain") {
                    continuation.resume(returning: scheduler.isTurnOver())
                }
            }
            #expect(isOver)
        }
        scheduler.shutDown()
    }

    @Test("plain code that does nothing but call gives others a turn, on the main actor, too")
    @MainActor
    func fairnessOutside() async throws {
        try await withNode { node in
            let counter = try node.spawn(Counter.self, 1)
            let hasRun = Shared(false)
            let other = Task { @MainActor in hasRun.update { $0 = true } }
            let start = ContinuousClock.now
            while !hasRun.value, ContinuousClock.now - start < .seconds(30) {
                _ = try await counter.call(.value)
            }
            #expect(hasRun.value)
            await other.value
        }
    }

    /// Runs `body` with a node of one thread, whose time the test moves.
    private func onMovedTime(
        _ body: (VirtualTime, Node) async throws -> Void
    ) async throws {
        let time = VirtualTime()
        defer { time.shutDown() }
        let scheduler = time.makeScheduler(threads: 1)
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler)) { node in
            try await body(time, node)
        }
    }

    @Test("a reply is too late when the handler had the thread for longer than the caller waits")
    func late() async throws {
        try await onMovedTime { time, node in
            let server = try await node.spawn(Witness.self, ())
            try await node.inProcess(.init()) { _ in
                await #expect(throws: CallError.timeout(server.pid)) {
                    try await server.call(
                        .advance(time, by: .milliseconds(60)), timeout: .milliseconds(10))
                }
                let sight = try await server.call(.look)
                #expect(sight.process == server.pid)
            }
        }
    }

    @Test("what the handler takes on the thread of its caller counts when the reply is put off")
    func deferred() async throws {
        try await onMovedTime { time, node in
            let server = try await node.spawn(AsyncEarly.self, time)
            let failure = Log<CallError>()
            let caller = try node.spawn { _ in
                do throws(CallError) {
                    _ = try await server.call(
                        .advanceThenDefer(by: .milliseconds(60)), timeout: .milliseconds(100))
                } catch {
                    failure.append(error)
                }
            }
            await waitWhile { node.info(caller.pid)?.waitsOn.isEmpty ?? false }
            await waitWhile { time.timerCount == 0 }
            time.advance(by: .milliseconds(39))
            #expect(failure.elements.isEmpty)
            time.advance(by: .milliseconds(2))
            #expect(await failure.wait(for: 1) == [.timeout(server.pid)])
        }
    }

    @Test("who was told that his reply is the first has told the truth, even if the caller is late")
    func acknowledged() async throws {
        try await onMovedTime { time, node in
            let direct = try node.spawn(Early.self, time)
            let inTask = try await node.spawn(AsyncEarly.self, time)
            try await node.inProcess(.init()) { _ in
                let early = Early.Call.replyThenAdvance(by: .milliseconds(60))
                var reply = try await direct.call(early, timeout: .milliseconds(10))
                #expect(reply)
                reply = try await inTask.call(early, timeout: .milliseconds(10))
                #expect(reply)
                // The other way round.
                let late = Early.Call.advanceThenAnswer(by: .milliseconds(60))
                await #expect(throws: CallError.timeout(direct.pid)) {
                    try await direct.call(late, timeout: .milliseconds(10))
                }
                await #expect(throws: CallError.timeout(inTask.pid)) {
                    try await inTask.call(late, timeout: .milliseconds(10))
                }
            }
        }
    }
}

/// Replies or not, and lets time go by; or the other way round, while it keeps the `From`.
private struct Early: GenServer {
    enum Call: Sendable {
        case replyThenAdvance(by: Duration), advanceThenAnswer(by: Duration)
        case advanceThenDefer(by: Duration)
    }

    private let time: VirtualTime
    private var kept: From<Bool>?

    init(_ time: VirtualTime) { self.time = time }

    init(_ time: VirtualTime, process: ServerContext<Early>) throws { self.init(time) }

    mutating func handleCall(
        _ call: Call, from: From<Bool>, process: ServerContext<Early>
    ) throws -> CallResult<Bool> {
        handle(call, from)
    }

    mutating func handle(_ call: Call, _ from: From<Bool>) -> CallResult<Bool> {
        switch call {
        case .replyThenAdvance(let span):
            #expect(from.reply(true))
            time.advance(by: span)
            return .noReply
        case .advanceThenAnswer(let span):
            kept = from
            time.advance(by: span)
            return .reply(true)
        case .advanceThenDefer(let span):
            kept = from
            time.advance(by: span)
            return .noReply
        }
    }
}

private struct AsyncEarly: AsyncGenServer {
    private var early: Early

    init(_ time: VirtualTime, process: ServerContext<AsyncEarly>) async throws {
        early = Early(time)
    }

    mutating func handleCall(
        _ call: Early.Call, from: From<Bool>, process: ServerContext<AsyncEarly>
    ) async throws -> CallResult<Bool> {
        early.handle(call, from)
    }
}
