//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization
import Testing

@testable import Troupe

@Suite("Conformance: races of monitors, names and calls", .timeLimit(.minutes(4)))
struct SignalRaceConformanceTests {
    @Test("RACE-01 demonitor against targets that end on their own: never a DOWN afterwards")
    func demonitor() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                for round in 0..<3000 {
                    let reason: ExitReason =
                        round % 2 == 0 ? .normal : .custom(["compound": [round, round]])
                    let target = try process.spawn { _ in throw reason }
                    let (ref, alias) = Self.monitor(
                        target.pid, by: process, withAlias: round % 3 == 0)
                    for _ in 0..<round % 4 { await Task.yield() }
                    let wasArmed = process.demonitor(ref)
                    // What is not armed any more has fired, and that is done by one that has ended.
                    #expect(wasArmed || !node.isAlive(target.pid))
                    let early = try await process.receive(timeout: .zero)
                    #expect(try await target.exitReason == reason)
                    let late = try await process.receive(timeout: .zero)
                    #expect(early == nil && late == nil)
                    if let alias { #expect(process.removeAlias(alias)) }
                }
                #expect(process.info.monitors == [])
            }
        }
    }

    private static func monitor(
        _ target: Pid, by process: Process, withAlias: Bool
    ) -> (MonitorRef, Alias?) {
        guard withAlias else { return (process.monitor(target), nil) }
        let (ref, alias) = process.monitor(target, alias: .explicitUnalias)
        return (ref, alias)
    }

    @Test("RACE-10 the name of a process is free for whoever sees its end, and leads to no dead")
    func nameAtEnd() async throws {
        struct End: Sendable {}
        try await withNode { node in
            let lastDead = Lock<Pid?>(nil)
            let isOver = Atomic(false)
            // While the name goes from one to the next, others look it up and send to it.
            let other = try node.spawn { process in
                while !isOver.load(ordering: .relaxed) {
                    let dead = lastDead.withLock { $0 }
                    if let found = node.whereis("n"), found == dead {
                        Issue.record("\(found) was found after its end")
                    }
                    _ = try? process.send("message", to: "n")
                    await Task.yield()
                    // Throws when the node stops.
                    _ = try await process.receive(timeout: .zero)
                }
            }
            try await node.inProcess(.init(trapsExits: true)) { process in
                for round in 0..<3000 {
                    let holder: ProcessRef<Void>
                    let body: @Sendable (Process) async throws -> Void = { holder in
                        while !(try await holder.receive() is End) {}
                    }
                    // Room for all that `other` sends to a holder that does not get its turn.
                    let options = ProcessOptions(name: "n", mailbox: .init(capacity: 1_000_000))
                    switch round % 3 {
                    case 0:
                        holder = try process.spawnLinked(options: options, body)
                        try holder.send(End())
                        let exit = try await process.receive() as? MessageExit
                        #expect(exit == MessageExit(from: holder.pid, reason: .normal))
                    case 1:
                        let ref: MonitorRef
                        (holder, ref) = try process.spawnMonitored(options: options, body)
                        try holder.send(End())
                        let down = try await process.receive() as? MessageDown
                        #expect(down?.ref == ref && down?.reason == .normal)
                    default:
                        holder = try process.spawn(options: options, body)
                        process.exit(holder.pid, .kill)
                        while node.isAlive(holder.pid) { await Task.yield() }
                    }
                    lastDead.withLock { $0 = holder.pid }
                }
                isOver.store(true, ordering: .relaxed)
            }
            #expect(try await other.exitReason == .normal)
        }
    }

    @Test("RACE-10 of two that take the name when they see the end, one gets it")
    func twoTakers() async throws {
        try await withNode { node in
            for _ in 0..<300 {
                let holder = try node.spawn(options: .init(name: "n")) { holder in
                    _ = try await holder.receive()
                }
                let (isWatched, isOver) = (Log<Void>(), Gate())
                let takers = try (0..<2).map { _ in
                    try node.spawn { process in
                        _ = process.monitor(holder.pid)
                        isWatched.append(())
                        _ = try await process.receiveDown()
                        do throws(RegistryError) {
                            try process.register("n")
                            await isOver.wait()
                            return Optional<RegistryError>.none
                        } catch { return error }
                    }
                }
                _ = await isWatched.wait(for: 2)
                try holder.send("end")
                #expect(try await holder.exitReason == .normal)
                while node.whereis("n") == nil { await Task.yield() }
                let winner = try #require(takers.firstIndex { $0.pid == node.whereis("n") })
                let loser = takers[1 - winner]
                #expect(try await loser.value == .nameTaken("n", by: takers[winner].pid))
                #expect(node.whereis("n") == takers[winner].pid)
                isOver.open()
                #expect(try await takers[winner].value == nil)
            }
        }
    }

    /// Replies a while after it was asked.
    private struct LateReplier: GenServer {
        struct Due: Sendable { let number: Int }

        let wasFirst: Log<Bool>
        var waiting: [Int: From<Int>] = [:]
        var asked = 0

        init(_ wasFirst: Log<Bool>, process: ServerProcess) throws { self.wasFirst = wasFirst }

        mutating func handleCall(
            _ delay: Duration, from: From<Int>, process: ServerProcess
        ) throws -> CallResult<Int> {
            asked += 1
            waiting[asked] = from
            try process.send(Due(number: asked), after: delay)
            return .noReply
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
            guard let due = message as? Due, let from = waiting.removeValue(forKey: due.number)
            else { return }
            wasFirst.append(from.reply(due.number))
        }
    }

    @Test("RACE-12 a call whose reply comes at its deadline has one outcome, and leaves nothing")
    func lateReply() async throws {
        try await withNode { node in
            let (callerCount, rounds) = (40, 50)
            let wasFirst = Log<Bool>()
            let server = try node.spawn(LateReplier.self, wasFirst)
            let callers = try (0..<callerCount).map { _ in
                try node.spawn { process in
                    var replyCount = 0
                    for round in 0..<rounds {
                        let delay = Duration.milliseconds(2) - .microseconds(round % 10 * 20)
                        do throws(CallError) {
                            _ = try await server.call(delay, timeout: .milliseconds(2))
                            replyCount += 1
                        } catch {
                            #expect(error == .timeout(server.pid))
                        }
                        let rest = try await process.receive(timeout: .zero)
                        #expect(rest == nil)
                    }
                    return replyCount
                }
            }
            var replyCount = 0
            for caller in callers { replyCount += try await caller.value }
            let outcomes = await wasFirst.wait(for: callerCount * rounds)
            // Both sides agree on which replies were in time.
            #expect(outcomes.count == callerCount * rounds)
            #expect(outcomes.filter { $0 }.count == replyCount)
            // The server forgets a call just after its caller was told.
            await waitWhile { server.cell.deferredCallCount > 0 }
        }
    }

    enum Request: CaseIterable, Sendable {
        case stopWithReply, replyAndFail, fail, deferAndFail

        /// Whether the reply is sent before the server ends, if it gets so far.
        var isAnswered: Bool { self == .stopWithReply || self == .replyAndFail }
    }

    private static func answer(
        _ request: Request, from: From<Int>, with number: Int, _ process: some ProcessContext
    ) throws -> CallResult<Int> {
        switch request {
        case .stopWithReply: return .stop(.custom("own"), reply: number)
        case .replyAndFail:
            from.reply(number)
            throw ExitReason.custom("own")
        case .fail: throw ExitReason.custom("own")
        case .deferAndFail:
            try process.send("fail", to: process.pid)
            return .noReply
        }
    }

    private struct Ender: GenServer {
        let number: Int

        init(_ number: Int, process: ServerProcess) throws { self.number = number }

        mutating func handleCall(
            _ request: Request, from: From<Int>, process: ServerProcess
        ) throws -> CallResult<Int> {
            try SignalRaceConformanceTests.answer(request, from: from, with: number, process)
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
            throw ExitReason.custom("own")
        }
    }

    private struct AsyncEnder: AsyncGenServer {
        let number: Int

        init(_ number: Int, process: ServerProcess) async throws { self.number = number }

        mutating func handleCall(
            _ request: Request, from: From<Int>, process: ServerProcess
        ) async throws -> CallResult<Int> {
            await Task.yield()
            return try SignalRaceConformanceTests.answer(request, from: from, with: number, process)
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
            throw ExitReason.custom("own")
        }
    }

    @Test(
        "RACE-13 a call to a server that ends gets the reply, if there was one, else the reason",
        arguments: Request.allCases, [false, true])
    func exitDuringCall(request: Request, isAsync: Bool) async throws {
        try await withNode { node in
            try await node.inProcess { process in
                for round in 0..<200 {
                    let pid: Pid
                    let ref: MonitorRef
                    let call: @Sendable () async throws(CallError) -> Int
                    if isAsync {
                        let server: ServerRef<AsyncEnder>
                        (server, ref) = try await process.spawnMonitored(
                            AsyncEnder.self, round, options: .init(name: "n"))
                        pid = server.pid
                        let found = node.whereis("n", as: AsyncEnder.self)
                        call = { () async throws(CallError) in
                            try await (found ?? server).call(request, timeout: .seconds(30))
                        }
                    } else {
                        let server: ServerRef<Ender>
                        (server, ref) = try process.spawnMonitored(
                            Ender.self, round, options: .init(name: "n"))
                        pid = server.pid
                        let found = node.whereis("n", as: Ender.self)
                        call = { () async throws(CallError) in
                            try await (found ?? server).call(request, timeout: .seconds(30))
                        }
                    }
                    // Every other time somebody kills it meanwhile.
                    let killer = round % 2 == 0 ? nil : try process.spawn { $0.exit(pid, .kill) }
                    if round % 4 == 3 { await Task.yield() }
                    var reply: Int?
                    var failure: CallError?
                    do throws(CallError) { reply = try await call() } catch { failure = error }
                    let down = try await process.receiveDown()
                    #expect(down.ref == ref)
                    let reasons: [ExitReason] =
                        killer == nil ? [.custom("own")] : [.custom("own"), .killed]
                    #expect(reasons.contains(down.reason))
                    switch failure {
                    case nil:
                        #expect(request.isAnswered && reply == round)
                    case .exited(let reason):
                        #expect(reason == down.reason)
                        #expect(!request.isAnswered || reason == .killed)
                    default:
                        #expect(failure == .noProcess(pid) && down.reason == .killed)
                    }
                    _ = try await killer?.exitReason
                    let rest = try await process.receive(timeout: .zero)
                    #expect(rest == nil)
                }
            }
        }
    }
}
