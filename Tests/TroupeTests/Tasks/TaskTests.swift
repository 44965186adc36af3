//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// A server that uses tasks without waiting for them.
struct TaskUser: GenServer {
    typealias Cast = @Sendable (ServerProcess) throws -> [RequestID]

    let log: Log<String>
    var requests: Set<RequestID> = []

    init(_ log: Log<String>, process: ServerProcess) { self.log = log }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        requests.formUnion(try message(process))
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
        guard let response = message as? MessageResponse else { return log.append("\(message)") }
        #expect(requests.remove(response.request) != nil)
        switch response.result {
        case .success(let value): log.append("\(value)")
        case .failure(let error): log.append("\(error)")
        }
    }
}

/// A server that waits for tasks in its handlers.
struct TaskAwaiter: AsyncGenServer {
    typealias Cast = @Sendable (ServerProcess) async throws -> Void
    typealias Ending = @Sendable (ServerProcess) async throws -> Void

    let onTerminate: Ending

    init(_ onTerminate: @escaping Ending, process: ServerProcess) {
        self.onTerminate = onTerminate
    }

    mutating func handleCall(
        _ request: Int, from: From<Int>, process: ServerProcess
    ) async throws -> CallResult<Int> { .reply(request) }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        try await message(process)
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        try await onTerminate(process)
    }
}

@Suite("Tasks", .timeLimit(.minutes(4)))
struct TaskTests {
    @Test("outcomes as messages are not counted against the bound of the mailbox")
    func messagesBeyondTheBound() async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try node.spawn(
                TaskUser.self, log,
                options: .init(mailbox: .init(capacity: 1), ownThread: true))
            let (begun, go) = (Gate(), Gate())
            let ends = Log<ProcessTask<Int>>()
            try server.cast { process in
                for number in 0..<20 {
                    let task = try process.async { _ in number }
                    ends.append(task)
                }
                begun.open()
                go.waitBlocking()
                return []
            }
            await begun.wait()
            for task in ends.elements { await task.untilEnded() }
            // The one message that there is room for, and no other.
            try server.cast { process in
                try ends.elements.map { try process.requestOutcome(of: $0) }
            }
            #expect(throws: SendError<TaskUser.Cast>.self) { try server.cast { _ in [] } }
            go.open()
            _ = await log.wait(for: 20)
            #expect(log.elements == (0..<20).map { "\($0)" })
        }
    }

    @Test("a server gets the outcome of its tasks, each once; one that fails ends it over the link")
    func serverOwner() async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try node.spawn(TaskUser.self, log)
            try server.cast { process in
                [try process.requestOutcome(of: process.async { _ in "one" })]
            }
            #expect(await log.wait(for: 1) == ["one"])
            try server.cast { process in
                let task = try process.async(linked: false) { _ -> Int in throw TestError(2) }
                return [try process.requestOutcome(of: task)]
            }
            _ = await log.wait(for: 2)
            let supervisor = try await node.spawn(TaskSupervisor.self, .init(maxChildren: 0))
            try server.cast { process in [process.requestTask(under: supervisor) { _ in 3 }] }
            _ = await log.wait(for: 3)
            #expect(
                log.elements[1...] == [
                    "\(CallError.exited(.error(TestError(2))))",
                    "\(CallError.exited(.error(TaskError.tooManyTasks(limit: 0))))",
                ])
            try server.cast { process in
                let task = try process.async { _ -> Int in throw TestError(4) }
                return [try process.requestOutcome(of: task)]
            }
            #expect(try await server.exitReason == .error(TestError(4)))
            #expect(log.elements.count == 3)
        }
    }

    @Test("an outcome that was abandoned is never seen, even if it was in the mailbox")
    func abandoned() async throws {
        try await withNode { node in
            let report = try await node.runOwner { process in
                let ended = try process.async { _ in 1 }
                let first = try process.requestOutcome(of: ended)
                await ended.untilEnded()
                let isSeen = process.info.mailboxCount
                #expect(process.abandonRequest(first) && isSeen == 0)
                let go = Gate()
                let runs = try process.async { _ in await go.wait() }
                let second = try process.requestOutcome(of: runs)
                #expect(process.abandonRequest(second))
                #expect(!process.abandonRequest(second))
                go.open()
                await runs.untilEnded()
                // It has ended by itself.
                #expect(try runs.end.take() == .normal)
            }
            #expect(report.isClean)
        }
    }

    @Test("what a task has sent to its owner itself stays, only the EXIT of its link goes")
    func ownMessages() async throws {
        try await withNode { node in
            let report = try await node.runOwner(trapsExits: true) { process in
                let owner = process.pid
                let task = try process.async { child in
                    try child.send("hello", to: owner)
                    child.exit(owner, .custom("sent"))
                    return 1
                }
                return try await task.value()
            }
            #expect(report.value == 1 && report.links == [])
            #expect(report.messages.count == 2 && report.messages.first == "hello")
            #expect(report.messages.last?.contains("sent") == true)
        }
    }

    @Test("an owner that ends takes its linked tasks along, but not with normal")
    func ownerEnds() async throws {
        try await withNode { node in
            for reason in [ExitReason.shutdown, .custom("own"), .error(TestError(1)), .normal] {
                let tasks = Log<ProcessTask<Int>>()
                let owner = try node.spawn { process in
                    tasks.append(try process.asyncIdle())
                    tasks.append(try process.asyncIdle(linked: false))
                    throw reason
                }
                #expect(try await owner.exitReason == reason)
                let (linked, free) = (tasks.elements[0], tasks.elements[1])
                if reason != .normal { #expect(try await linked.end.wait() == reason) }
                for task in [linked, free] where !task.hasEnded {
                    node.exit(task.pid, .custom("left"))
                    #expect(try await task.end.wait() == .custom("left"))
                }
            }
            // A kill of the owner, while it waits for its task.
            let tasks = Log<ProcessTask<Int>>()
            let owner = try node.spawn { process in
                tasks.append(try process.asyncIdle())
                return try await tasks.elements[0].value(timeout: nil)
            }
            let task = await tasks.wait(for: 1)[0]
            node.kill(owner.pid)
            #expect(try await owner.exitReason == .killed)
            #expect(try await task.end.wait() == .killed)
        }
    }

    @Test("a task that calls the server that waits for it fails at once, as does that wait")
    func cycles() async throws {
        try await withNode { node in
            let errors = Log<String>()
            let server = try await node.spawn(TaskAwaiter.self, { _ in })
            try server.cast { process in
                let ref = process.ref
                // This one calls once it is waited for.
                let early = try process.async(linked: false) { child in
                    while child.node.info(ref.pid)?.waitsOn != [.reply(from: child.pid)] {
                        await Task.yield()
                    }
                    return try await ref.call(1)
                }
                let outcome = try await early.yield(upTo: .seconds(30))
                errors.append(outcome == nil ? "late" : "at once")
                // This one has called already, and waits.
                let isCalled = Gate()
                let late = try process.async(linked: false) { child in
                    let reply = ref.sendRequest(2)
                    isCalled.open()
                    return try await reply.receive(timeout: .seconds(30))
                }
                await isCalled.wait()
                while process.node.info(late.pid)?.waitsOn != [.reply(from: ref.pid)] {
                    await Task.yield()
                }
                let error = await TaskError.thrown { () throws(TaskError) in
                    try await late.value(timeout: .seconds(30))
                }
                errors.append(error == .cycle([ref.pid, late.pid]) ? "cycle" : "\(error as Any)")
            }
            #expect(await errors.wait(for: 2) == ["at once", "cycle"])
            #expect(try await server.call(5) == 5)
        }
    }

    @Test("an owner that is told to end waits no longer, and its task ends, whatever that does")
    func ownerToldToEnd() async throws {
        try await withNode { node in
            for isShuttingDown in [false, true] {
                let log = Log<TaskError?>()
                let tasks = Log<ProcessTask<Int>>()
                let owner = try node.spawn { process in
                    let isReady = Gate()
                    let task = try process.async(
                        options: .init(trapsExits: isShuttingDown)
                    ) { child -> Int in
                        isReady.open()
                        while true { _ = try await child.receive() }
                    }
                    await isReady.wait()
                    tasks.append(task)
                    let error = await TaskError.thrown { () throws(TaskError) in
                        if isShuttingDown {
                            _ = try await task.shutdown(.timeout(.seconds(60)))
                        } else {
                            _ = try await task.value(timeout: .seconds(60))
                        }
                    }
                    log.append(error)
                }
                let task = await tasks.wait(for: 1)[0]
                await waitWhile { node.info(owner.pid)?.waitsOn.isEmpty ?? false }
                node.exit(owner.pid, .custom("enough"))
                #expect(try await owner.exitReason == .custom("enough"))
                #expect(log.elements == [.cancelled])
                #expect(
                    try await task.end.wait() == (isShuttingDown ? .killed : .custom("enough")))
            }
        }
    }

    @Test("terminate can wait for tasks")
    func inTerminate() async throws {
        try await withNode { node in
            let log = Log<Int>()
            let server = try await node.spawn(
                TaskAwaiter.self,
                { process in log.append(try await process.async { _ in 1 }.value()) })
            node.exit(server.pid, .shutdown)
            #expect(try await server.exitReason == .shutdown)
            #expect(log.elements == [1])
        }
    }

    @Test("values gives all values in order, or fails with the first failure")
    func values() async throws {
        try await withNode { node in
            let report = try await node.runOwner(trapsExits: true) { process in
                let none: [ProcessTask<Int>] = []
                #expect(try await none.values() == [])
                #expect(try await none.yieldMany().isEmpty)
                let some = try (0..<50).map { number in try process.async { _ in number } }
                #expect(try await some.values() == Array(0..<50))
                let again = await TaskError.thrown { () throws(TaskError) in
                    try await some.values()
                }
                #expect(again == .exited(.noProcess))
                // The failure is told at once, though another goes on for ever.
                let idle = try process.asyncIdle()
                let fails = try process.async { _ -> Int in throw TestError(1) }
                let first = await TaskError.thrown { () throws(TaskError) in
                    try await [idle, fails].values(timeout: nil)
                }
                #expect(first == .exited(.error(TestError(1))))
                let late = await TaskError.thrown { () throws(TaskError) in
                    try await [idle].values(timeout: .milliseconds(1))
                }
                #expect(late == .timeout(idle.pid))
                // Nothing was taken.
                #expect(try await fails.yield() == .failure(.error(TestError(1))))
                #expect(try await idle.shutdown() == nil)
                // One that is there twice is taken once.
                let one = try process.async { _ in 1 }
                #expect(try await [one, one].yieldMany() == [.success(1), .failure(.noProcess)])
            }
            #expect(report.isClean)
        }
    }

    @Test("ten thousand tasks at once leave nothing behind")
    func many() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    let tasks = try (0..<10_000).map { number in
                        try process.async { _ in number }
                    }
                    return try await tasks.values(timeout: nil).reduce(0, +)
                }
                #expect(report.value == 49_995_000)
                #expect(report.isClean)
            }
        }
    }

    @Test("a task that returns just as it is shut down: its value, or nothing, and no more")
    func returnsDuringShutdown() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    var outcomes: Set<Int> = []
                    for round in 0..<1_000 {
                        let task = try process.async { _ in
                            for _ in 0..<(round % 5) { await Task.yield() }
                            return round
                        }
                        for _ in 0..<(round % 7) { await Task.yield() }
                        let manner: Shutdown =
                            round % 2 == 0 ? .brutalKill : .timeout(.seconds(30))
                        switch try await task.shutdown(manner) {
                        case .success(let value): outcomes.insert(value == round ? 1 : -1)
                        case nil: outcomes.insert(0)
                        case .failure: outcomes.insert(-2)
                        }
                        #expect(task.hasEnded)
                    }
                    return outcomes
                }
                #expect(report.value.isSubset(of: [0, 1]))
                #expect(report.isClean)
            }
        }
    }

    @Test("a task that is killed just as it returns: one outcome, and nothing more")
    func killedWhileReturning() async throws {
        try await withNode { node in
            let report = try await node.runOwner(trapsExits: true) { process in
                var outcomes: [Result<Int, ExitReason>?] = []
                for round in 0..<1_000 {
                    let task = try process.async { _ in round }
                    for _ in 0..<(round % 4) { await Task.yield() }
                    node.kill(task.pid)
                    outcomes.append(try await task.yield(upTo: .seconds(30)))
                }
                return outcomes
            }
            for (round, outcome) in report.value.enumerated() {
                #expect(outcome == .success(round) || outcome == .failure(.killed))
            }
            #expect(report.isClean)
        }
    }

    @Test("a task that cannot be started throws, and nothing of it is there")
    func notStarted() async throws {
        try await withNode { node in
            let report = try await node.runOwner { process in
                #expect(throws: SpawnError.mailboxCapacityInvalid(0)) {
                    try process.async(options: .init(mailbox: .init(capacity: 0))) { _ in 0 }
                }
                #expect(throws: SpawnError.nameInvalid("")) {
                    try process.async(options: .init(name: "")) { _ in 0 }
                }
                let named = try process.asyncIdle(.init(name: "task"))
                #expect(throws: SpawnError.nameTaken("task", by: named.pid)) {
                    try process.async(options: .init(name: "task")) { _ in 0 }
                }
                #expect(try await named.shutdown() == nil)
                let value = try await process.async(options: .init(ownThread: true)) { _ in 1 }
                    .value()
                #expect(value == 1)
            }
            #expect(report.isClean)
        }
    }

    @Test("a node that stops ends tasks and those who wait for them")
    func nodeStops() async throws {
        let waiting = Gate()
        try await withNode { node in
            try node.spawn { process in
                let task = try process.asyncIdle(.trapping)
                waiting.open()
                _ = try await task.value(timeout: nil)
            }
            let supervisor = try await node.spawn(TaskSupervisor.self, .init())
            for _ in 0..<20 {
                try await supervisor.startChild { child in
                    while true { _ = try await child.receive() }
                }
            }
            await waiting.wait()
        }
    }
}
