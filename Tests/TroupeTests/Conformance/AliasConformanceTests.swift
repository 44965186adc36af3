//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: aliases", .timeLimit(.minutes(4)))
struct AliasConformanceTests {
    /// Runs a process and returns what its body returns.
    private func run<Value: Sendable>(
        _ node: Node, _ body: @escaping @Sendable (Process) async throws -> Value
    ) async throws -> Value {
        try await node.spawn(body).value
    }

    /// A process that waits to be told to end.
    private func idle(_ node: Node) throws -> ProcessRef<Int> {
        try node.spawn { process in
            while true { _ = try await process.receive() }
        }
    }

    /// Ends a process, and waits until everybody has been told.
    private static func end(
        _ target: ProcessRef<Int>, _ reason: ExitReason, by process: Process
    ) async throws {
        process.exit(target.pid, reason)
        #expect(try await target.exitReason == reason)
    }

    /// Everything that is in the mailbox, in words.
    private static func contents(_ process: Process) async throws -> [String] {
        var contents: [String] = []
        while let message = try await process.receive(timeout: .zero) {
            if let down = message as? MessageDown {
                contents.append("DOWN \(down.reason)")
            } else {
                contents.append("\(message)")
            }
        }
        return contents
    }

    @Test("ALIAS-01 messages before the alias is removed arrive, later ones do not")
    func removal() async throws {
        try await withNode { node in
            let contents = try await run(node) { process in
                let alias = process.makeAlias()
                try node.send("before", to: .alias(alias))
                #expect(process.removeAlias(alias))
                let error = #expect(throws: SendError<String>.self) {
                    try node.send("after", to: .alias(alias))
                }
                #expect(error?.failure == .aliasUnknown(alias))
                return try await Self.contents(process)
            }
            #expect(contents == ["before"])
        }
    }

    @Test("ALIAS-02 an alias for one reply takes the first of four messages")
    func oneReply() async throws {
        try await withNode { node in
            let contents = try await run(node) { process in
                let alias = process.makeAlias(forOneReply: true)
                for number in 1...4 { try? node.send(number, to: .alias(alias)) }
                #expect(!process.removeAlias(alias))
                return try await Self.contents(process)
            }
            #expect(contents == ["1"])
        }
    }

    @Test("ALIAS-02 of many senders at once one gets through, and the others are told")
    func oneReplyRace() async throws {
        try await withNode { node in
            for _ in 0..<50 {
                let address = Log<Alias>()
                let go = Gate()
                let owner = try node.spawn { process in
                    address.append(process.makeAlias(forOneReply: true))
                    await go.wait()
                    return try await Self.contents(process)
                }
                let alias = await address.wait(for: 1)[0]
                let delivered = await withTaskGroup(of: Bool.self) { group in
                    for number in 0..<4 {
                        group.addTask { (try? node.send(number, to: .alias(alias))) != nil }
                    }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                go.open()
                #expect(delivered == 1)
                #expect(try await owner.value.count == 1)
            }
        }
    }

    @Test("ALIAS-03 explicit removal: the alias outlives DOWN and demonitor")
    func explicit() async throws {
        try await withNode { node in
            let (first, second) = (try idle(node), try idle(node))
            let contents = try await run(node) { process in
                let (_, dead) = process.monitor(first.pid, alias: .explicitUnalias)
                try await Self.end(first, .shutdown, by: process)
                let (ref, removed) = process.monitor(second.pid, alias: .explicitUnalias)
                #expect(process.demonitor(ref))
                try node.send("a", to: .alias(dead))
                try node.send("b", to: .alias(removed))
                #expect(process.removeAlias(dead) && process.removeAlias(removed))
                #expect((try? node.send("c", to: .alias(dead))) == nil)
                return try await Self.contents(process)
            }
            #expect(contents == ["DOWN shutdown", "a", "b"])
        }
    }

    @Test("ALIAS-04 demonitor mode: the alias ends with the monitor, or with the DOWN")
    func demonitorMode() async throws {
        try await withNode { node in
            let (first, second) = (try idle(node), try idle(node))
            let contents = try await run(node) { process in
                let (_, dead) = process.monitor(first.pid, alias: .demonitor)
                try node.send("a", to: .alias(dead))
                try node.send("b", to: .alias(dead))
                try await Self.end(first, .shutdown, by: process)
                // The DOWN has arrived, though nobody has looked at it.
                #expect((try? node.send("c", to: .alias(dead))) == nil)
                let (ref, removed) = process.monitor(second.pid, alias: .demonitor)
                #expect(process.demonitor(ref))
                #expect((try? node.send("d", to: .alias(removed))) == nil)
                #expect(!process.removeAlias(dead) && !process.removeAlias(removed))
                return try await Self.contents(process)
            }
            #expect(contents == ["a", "b", "DOWN shutdown"])
        }
    }

    @Test("ALIAS-05 reply-demonitor mode: a message takes the place of the DOWN")
    func reply() async throws {
        try await withNode { node in
            let target = try idle(node)
            let contents = try await run(node) { process in
                let (ref, alias) = process.monitor(target.pid, alias: .replyDemonitor)
                try node.send("reply", to: .alias(alias))
                #expect(process.info.monitors == [] && process.info.aliases == [])
                #expect(target.info?.monitoredBy == [])
                try await Self.end(target, .shutdown, by: process)
                #expect((try? node.send("second", to: .alias(alias))) == nil)
                #expect(!process.demonitor(ref))
                return try await Self.contents(process)
            }
            #expect(contents == ["reply"])
        }
    }

    @Test("ALIAS-05 a reply that the mailbox refuses leaves monitor and alias as they were")
    func refusedReply() async throws {
        try await withNode { node in
            let target = try idle(node)
            let body: @Sendable (Process) async throws -> [String] = { process in
                let (_, alias) = process.monitor(target.pid, alias: .replyDemonitor)
                try node.send("fills", to: process.pid)
                let error = #expect(throws: SendError<String>.self) {
                    try node.send("refused", to: .alias(alias))
                }
                #expect(error?.failure == .mailboxFull(process.pid, capacity: 1))
                #expect(process.info.monitors == [.pid(target.pid)])
                let first = try await Self.contents(process)
                try node.send("reply", to: .alias(alias))
                try await Self.end(target, .shutdown, by: process)
                return first + (try await Self.contents(process))
            }
            let owner = try node.spawn(
                options: .init(mailbox: .init(capacity: 1)), body)
            #expect(try await owner.value == ["fills", "reply"])
        }
    }

    @Test("ALIAS-06 reply-demonitor mode: a target that ends without a reply gives a DOWN")
    func noReply() async throws {
        try await withNode { node in
            let target = try idle(node)
            let contents = try await run(node) { process in
                let (_, alias) = process.monitor(target.pid, alias: .replyDemonitor)
                try await Self.end(target, .custom("why"), by: process)
                #expect((try? node.send("late", to: .alias(alias))) == nil)
                return try await Self.contents(process)
            }
            #expect(contents == ["DOWN why"])
        }
    }

    @Test("ALIAS-07 reply-demonitor mode: after demonitor a reply goes nowhere")
    func demonitorBeforeReply() async throws {
        try await withNode { node in
            let target = try idle(node)
            let contents = try await run(node) { process in
                let (ref, alias) = process.monitor(target.pid, alias: .replyDemonitor)
                #expect(process.demonitor(ref))
                #expect((try? node.send("late", to: .alias(alias))) == nil)
                #expect(node.aliases.count == 0)
                return try await Self.contents(process)
            }
            #expect(contents == [])
        }
    }

    @Test("ALIAS-08 demonitor against a target that ends: never a DOWN afterwards, 200 times")
    func demonitorRace() async throws {
        try await withNode { node in
            for round in 0..<200 {
                let target = try idle(node)
                let contents = try await run(node) { process in
                    let (ref, alias) = process.monitor(target.pid, alias: .explicitUnalias)
                    node.exit(target.pid, .shutdown([round]))
                    if round % 2 == 0 { await Task.yield() }
                    _ = process.demonitor(ref)
                    #expect(try await target.exitReason == .shutdown([round]))
                    #expect(process.removeAlias(alias))
                    return try await Self.contents(process)
                }
                #expect(contents == [])
            }
        }
    }

    @Test("ALIAS-05 a reply races with the target's end: one of the two arrives, 200 times")
    func replyRace() async throws {
        try await withNode { node in
            for round in 0..<200 {
                let target = try node.spawn { process in
                    guard let alias = try await process.receive() as? Alias else { return false }
                    let helper = try process.spawn { _ in
                        (try? node.send("reply", to: .alias(alias))) != nil
                    }
                    if round % 2 == 0 { _ = try await helper.value }
                    throw ExitReason.custom("end")
                }
                let contents = try await run(node) { process in
                    let (_, alias) = process.monitor(target.pid, alias: .replyDemonitor)
                    try node.send(alias, to: target.pid)
                    let first = try await process.receive()
                    _ = try await target.exitReason
                    let rest = try await Self.contents(process)
                    #expect(rest == [], "besides \(first)")
                    return first is MessageDown ? "DOWN" : "\(first)"
                }
                if round % 2 == 0 { #expect(contents == "reply") }
                #expect(["DOWN", "reply"].contains(contents))
            }
        }
    }

    @Test("ALIAS-09 only its owner can remove an alias")
    func stranger() async throws {
        try await withNode { node in
            let contents = try await run(node) { process in
                let alias = process.makeAlias()
                let stranger = try process.spawn { $0.removeAlias(alias) }
                #expect(try await stranger.value == false)
                try node.send("still", to: .alias(alias))
                return try await Self.contents(process)
            }
            #expect(contents == ["still"])
        }
    }

    @Test("ALIAS-10 removing an alias again returns false")
    func again() async throws {
        try await withNode { node in
            let results = try await run(node) { process in
                let alias = process.makeAlias()
                return [process.removeAlias(alias), process.removeAlias(alias)]
            }
            #expect(results == [true, false])
        }
    }

    @Test("ALIAS-11 a message that is in the mailbox stays when its alias is removed")
    func queued() async throws {
        try await withNode { node in
            let contents = try await run(node) { process in
                let alias = process.makeAlias()
                for number in 0..<3 { try node.send(number, to: .alias(alias)) }
                process.removeAlias(alias)
                return try await Self.contents(process)
            }
            #expect(contents == ["0", "1", "2"])
        }
    }

    @Test("ALIAS-12 an alias of a process that has ended reaches nobody, and says so")
    func ownerEnded() async throws {
        try await withNode { node in
            let alias = try await run(node) { $0.makeAlias() }
            let error = #expect(throws: SendError<Int>.self) { try node.send(1, to: .alias(alias)) }
            #expect(error?.failure == .aliasUnknown(alias))
            #expect(error?.message == 1)
        }
    }

    @Test("ALIAS-16 references of every kind differ, and are keys of a dictionary")
    func references() async throws {
        try await withNode { node in
            let target = try idle(node)
            let references = try await run(node) { process in
                (0..<100).flatMap { _ in
                    [
                        process.makeReference(), process.makeAlias().reference,
                        process.monitor(target.pid).reference, node.makeReference(),
                    ]
                }
            }
            #expect(Set(references).count == 400)
            let other = try Node(name: "test", options: NodeOptions(events: NoEvents()))
            #expect(!references.contains(other.makeReference()))
            await other.stop()
        }
    }
}
