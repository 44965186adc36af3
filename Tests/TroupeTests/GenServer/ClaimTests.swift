//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// Counts what it is sent, and what is wrong with that.
private struct Ledger: GenServer {
    /// One request: each sender counts its own.
    struct Entry: Sendable {
        let sender: Int
        let number: Int

        /// Unlike that of any other entry.
        var id: Int { sender * 1_000_000 + number }
    }

    enum Call: Sendable { case enter(Entry), entryCount, mistakeCount }
    enum Cast: Sendable { case enter(Entry), ask(Entry, ReplyTo<Int>) }

    private var entryCount = 0
    private var mistakeCount = 0
    private var isBusy = false
    /// The last number of each sender.
    private var numbers: [Int: Int] = [:]
    /// Of a call that has been answered.
    private var answered: From<Int>?

    init(_ argument: Void, process: ServerProcess) {}

    /// - Returns: the id of the entry.
    private mutating func enter(_ entry: Entry) -> Int {
        // Two handlers would run at once.
        if isBusy { mistakeCount += 1 }
        isBusy = true
        // One would have come too early, too late or twice.
        if numbers[entry.sender, default: 0] + 1 != entry.number { mistakeCount += 1 }
        numbers[entry.sender] = entry.number
        // The reply would go to a later call.
        let isAccepted = answered?.reply(-1) ?? false
        if isAccepted { mistakeCount += 1 }
        answered = nil
        entryCount += 1
        // The next ones come while this one is being handled.
        if entryCount % 8 == 0 { Platform.yieldThread() }
        isBusy = false
        return entry.id
    }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        switch request {
        case .entryCount: return .reply(entryCount)
        case .mistakeCount: return .reply(mistakeCount)
        case .enter(let entry):
            let reply = enter(entry)
            switch entry.number % 5 {
            case 0:
                from.reply(reply)
                return .noReply
            case 1:
                answered = from
                return .reply(reply)
            default: return .reply(reply)
            }
        }
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) {
        switch message {
        case .enter(let entry): _ = enter(entry)
        case .ask(let entry, let replyTo): replyTo.reply(enter(entry))
        }
    }
}

@Suite("Claims: callers that run an idle server themselves", .timeLimit(.minutes(4)))
struct ClaimTests {
    /// How many entries each sender makes.
    private static let entryCount = 400

    /// Sends all entries of a task or a process: calls, and between them casts and asks.
    ///
    /// - Returns: how many had a wrong answer, or none.
    private static func send(as sender: Int, to ledger: ServerRef<Ledger>) async -> Int {
        var wrongCount = 0
        for number in 1...entryCount {
            let entry = Ledger.Entry(sender: sender, number: number)
            var reply = entry.id
            do {
                switch number % 4 {
                case 0: try ledger.cast(.enter(entry))
                case 1: reply = try await ledger.ask(timeout: .seconds(60)) { .ask(entry, $0) }
                default: reply = try await ledger.call(.enter(entry), timeout: .seconds(60))
                }
                if reply != entry.id { wrongCount += 1 }
            } catch {
                wrongCount += 1
            }
        }
        return wrongCount
    }

    /// Sends all entries of a plain thread.
    ///
    /// - Returns: as ``send(as:to:)``.
    private static func sendBlocking(as sender: Int, to ledger: ServerRef<Ledger>) -> Int {
        var wrongCount = 0
        for number in 1...entryCount {
            let entry = Ledger.Entry(sender: sender, number: number)
            var reply = entry.id
            do {
                if number % 4 == 0 {
                    reply = try ledger.directBlocking(.enter(entry), timeout: .seconds(60))
                } else {
                    try ledger.cast(.enter(entry))
                }
                if reply != entry.id { wrongCount += 1 }
            } catch {
                wrongCount += 1
            }
        }
        return wrongCount
    }

    @Test("each caller gets its own reply, each request counts once, those of one sender in order")
    func crowd() async throws {
        try await withNode { node in
            let ledger = try node.spawn(Ledger.self, ())
            let processes = try (0..<2).map { number in
                try node.spawn { _ in await Self.send(as: number, to: ledger) }
            }
            var wrongCount = await withTaskGroup(of: Int.self) { group in
                for number in 2..<6 {
                    group.addTask(executorPreference: number < 4 ? nil : TestSlots.scheduler) {
                        await Self.send(as: number, to: ledger)
                    }
                }
                group.addTask {
                    let wrong = Count()
                    await onThreads(3) { number in
                        wrong.add(Self.sendBlocking(as: 6 + number, to: ledger))
                    }
                    return wrong.value
                }
                return await group.reduce(0, +)
            }
            for process in processes { wrongCount += try await process.value }
            #expect(wrongCount == 0)
            #expect(try await ledger.call(.entryCount) == 9 * Self.entryCount)
            #expect(try await ledger.call(.mistakeCount) == 0)
        }
    }
}
