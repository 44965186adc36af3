//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("A spare place for a reply")
struct SpareReplyTests {
    /// Neither tasks nor expectations can capture a spare place.
    private final class Holder: Sendable {
        private let spare = SpareReply<Int>()

        func take() -> TypedReplyCell<Int>? { spare.take() }
        func keep(_ reply: inout TypedReplyCell<Int>) { spare.keep(&reply) }
    }

    private static func makeReply() -> TypedReplyCell<Int> {
        TypedReplyCell<Int>(callee: Pid(node: "n", id: 1, creation: 1))
    }

    @Test("a place that was used is as good as new")
    func reset() throws {
        let spare = Holder()
        #expect(spare.take() == nil)
        var reply = Self.makeReply()
        let identity = ObjectIdentifier(reply)
        reply.complete(7)
        #expect(try reply.take() == 7)
        spare.keep(&reply)
        reply = Self.makeReply()
        let kept = try #require(spare.take())
        #expect(ObjectIdentifier(kept) == identity)
        #expect(!kept.isDone)
        #expect(spare.take() == nil)
        kept.discard(.killed)
        #expect(throws: CallError.exited(.killed)) { try kept.take() }
        #expect(kept.isUnhandled)
    }

    @Test("a place that somebody else may reply to is not kept, nor a second one")
    func shared() throws {
        let spare = Holder()
        var reply = Self.makeReply()
        let from = From(reply)
        spare.keep(&reply)
        #expect(spare.take() == nil)
        #expect(from.reply(1))
        var others = [Self.makeReply(), Self.makeReply()]
        let first = ObjectIdentifier(others[0])
        spare.keep(&others[0])
        spare.keep(&others[1])
        others = []
        #expect(spare.take().map { ObjectIdentifier($0) } == first)
        #expect(spare.take() == nil)
    }

    @Test("nobody gets a place that another has")
    func race() async {
        let spare = Holder()
        let keptCount = await withTaskGroup(of: Int.self) { group in
            for number in 0..<4 {
                group.addTask(executorPreference: number < 2 ? nil : TestSlots.scheduler) {
                    var keptCount = 0
                    for turn in 0..<20_000 {
                        let taken = spare.take()
                        if taken != nil { keptCount += 1 }
                        var reply = taken ?? Self.makeReply()
                        let value = turn * 4 + number
                        // False if another had replied.
                        #expect(reply.complete(value))
                        #expect((try? reply.take()) == value)
                        spare.keep(&reply)
                    }
                    return keptCount
                }
            }
            return await group.reduce(0, +)
        }
        #expect(keptCount > 0)
    }

    @Test("an async server reuses the place of a call, and not that of one which nobody waits for")
    func calls() async throws {
        try await withNode { node in
            let gate = Gate()
            let server = try await node.spawn(Slow.self, gate)
            for number in 0..<10 { #expect(try await server.call(.echo(number)) == number) }
            await #expect(throws: CallError.timeout(server.pid)) {
                try await server.call(.wait, timeout: .milliseconds(1))
            }
            let next = Task { try await server.call(.echo(11)) }
            gate.open()
            #expect(try await next.value == 11)
            #expect(try await server.call(.echo(12)) == 12)
        }
    }
}

/// Echoes numbers, or waits for a gate first.
private struct Slow: AsyncGenServer {
    enum Call: Sendable { case echo(Int), wait }

    let gate: Gate

    init(_ gate: Gate, process: ServerContext<Slow>) async { self.gate = gate }

    mutating func handleCall(
        _ call: Call, from: From<Int>, process: ServerContext<Slow>
    ) async throws -> CallResult<Int> {
        switch call {
        case .echo(let number): return .reply(number)
        case .wait:
            await gate.wait()
            return .reply(-1)
        }
    }
}
