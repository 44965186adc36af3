//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: full mailboxes", .timeLimit(.minutes(4)))
struct FullMailboxConformanceTests {
    @Test("MBOX-10 a full mailbox takes nothing: the sender is told and gets its message back")
    func reject() async throws {
        try await withNode { node in
            let blocked = try await node.spawnBlocked(.init(mailbox: .init(capacity: 3)))
            let pid = blocked.server.pid
            let full = SendFailure.mailboxFull(pid, capacity: 3)
            for number in 0..<3 { try blocked.server.send(number) }
            let typed = #expect(throws: SendError<Int>.self) { try blocked.server.send(99) }
            #expect(typed?.failure == full && typed?.message == 99)
            let byPid = #expect(throws: SendError<Int>.self) { try node.send(98, to: pid) }
            #expect(byPid?.failure == full && byPid?.message == 98)
            let cast = #expect(throws: SendError<Recorder.Cast>.self) {
                try blocked.server.cast { _ in }
            }
            #expect(cast?.failure == full)
            blocked.gate.open()
            #expect(await blocked.log.wait(for: 3) == ["0", "1", "2"])
            try blocked.server.send(3)
            #expect(await blocked.log.wait(for: 4) == ["0", "1", "2", "3"])
        }
    }

    @Test("MBOX-11 what does not fit goes to the fallback, with the process and its tag")
    func fallback() async throws {
        try await withNode { node in
            let spill = try node.spawn(options: .init(name: "spill")) { process in
                var seen: [MessageFallback] = []
                for _ in 0..<4 {
                    seen.append(try #require(try await process.receive() as? MessageFallback))
                }
                return seen
            }
            for target in [Destination.pid(spill.pid), "spill"] {
                let blocked = try await node.spawnBlocked(
                    .init(mailbox: .init(capacity: 1, overflow: .fallback(target, tag: "t"))))
                for number in 0..<3 { try blocked.server.send(number) }
                await waitWhile { spill.cell.queueLength > 0 }
                blocked.gate.open()
                #expect(await blocked.log.wait(for: 1) == ["0"])
                try blocked.server.cast { _ in throw ExitReason.normal }
            }
            let seen = try await spill.value
            #expect(seen.map { $0.message as? Int } == [1, 2, 1, 2])
            #expect(seen.map(\.tag) == ["t", "t", "t", "t"])
            #expect(seen[0].process == seen[1].process && seen[2].process == seen[3].process)
            #expect(seen[0].process != seen[2].process)
            // Only a process of the same node can be a fallback.
            let away = Destination.pid(Pid(node: "away", id: spill.pid.id, creation: 1))
            let blocked = try await node.spawnBlocked(
                .init(mailbox: .init(capacity: 1, overflow: .fallback(away, tag: "t"))))
            try blocked.server.send(0)
            let error = #expect(throws: SendError<Int>.self) { try blocked.server.send(1) }
            #expect(error?.failure == .mailboxFull(blocked.server.pid, capacity: 1))
            #expect(error?.message == 1)
            blocked.gate.open()
        }
    }

    @Test("MBOX-12 a fallback that serves two processes tells them apart by their tags")
    func fallbackTags() async throws {
        try await withNode { node in
            let overflow = Log<String>()
            _ = try node.spawn(Recorder.self, .init(overflow), options: .init(name: "spill"))
            let one = try await node.spawnBlocked(
                .init(mailbox: .init(capacity: 1, overflow: .fallback("spill", tag: "one"))))
            let two = try await node.spawnBlocked(
                .init(mailbox: .init(capacity: 1, overflow: .fallback("spill", tag: "two"))))
            for number in 0..<3 { try one.server.send(number) }
            for number in 0..<2 { try two.server.send(number) }
            try one.server.send(3)
            let expected = [
                "fallback one 1", "fallback one 2", "fallback two 1", "fallback one 3",
            ]
            #expect(await overflow.wait(for: 4) == expected)
            one.gate.open()
            two.gate.open()
            #expect(await one.log.wait(for: 1) == ["0"])
            #expect(await two.log.wait(for: 1) == ["0"])
        }
    }

    @Test("MBOX-13 exits, DOWN, links, monitors and names need no room, and keep their order")
    func signals() async throws {
        try await withNode { node in
            let (watched, partner) = (try node.spawnListener(), try node.spawnListener())
            let (isReady, gate) = (Gate(), Gate())
            let options = ProcessOptions(mailbox: .init(capacity: 1), trapsExits: true)
            let full = try node.spawn(options: options) { process in
                try process.link(to: partner.pid)
                let ref = process.monitor(watched.pid)
                isReady.open()
                await gate.wait()
                let message = try await process.receive() as? String
                #expect(message == "message")
                let down = try await process.receiveDown()
                #expect(
                    down
                        == SeenDown(
                            ref: ref, object: .pid(watched.pid), reason: .custom("watched")))
                for (from, reason) in [(partner.pid, "partner"), (node.pid(id: 0), "explicit")] {
                    let exit = try await process.receive() as? MessageExit
                    #expect(exit == MessageExit(from: from, reason: .custom(reason)))
                }
                #expect(process.links.count == 1)
                let rest = try await process.receive(timeout: .zero)
                #expect(rest == nil)
            }
            await isReady.wait()
            try full.send("message")
            #expect(throws: SendError<String>.self) { try full.send("too many") }
            node.exit(watched.pid, .custom("watched"))
            #expect(try await watched.exitReason == .custom("watched"))
            node.exit(partner.pid, .custom("partner"))
            #expect(try await partner.exitReason == .custom("partner"))
            node.exit(full.pid, .custom("explicit"))
            try node.register("late", full.pid)
            try await node.inProcess(.init(trapsExits: true)) { process in
                #expect(try process.link(to: full.pid) == .linked)
                let ref = process.monitor(full.pid)
                #expect(full.cell.monitoredByCount == 1)
                gate.open()
                var exits = 0
                for _ in 0..<2 {
                    let message = try await process.receive()
                    if let exit = message as? MessageExit {
                        #expect(exit == MessageExit(from: full.pid, reason: .normal))
                        exits += 1
                    } else {
                        let down = try #require(message as? MessageDown)
                        #expect(down.ref == ref && down.reason == .normal)
                    }
                }
                #expect(exits == 1)
            }
            #expect(try await full.exitReason == .normal)
        }
    }

    @Test(
        "RACE-17 a kill ends a process that is busy, traps exits and has a full mailbox",
        arguments: [
            OverflowPolicy.reject, .dropNewest, .dropOldest, .stop, .fallback("spill", tag: ""),
        ])
    func kill(policy: OverflowPolicy) async throws {
        try await withNode { node in
            _ = try node.spawnListener(.init(name: "spill"))
            let options = ProcessOptions(
                mailbox: .init(capacity: 2, overflow: policy), trapsExits: true)
            let blocked = try await node.spawnBlocked(options)
            for number in 0..<4 { _ = try? blocked.server.send(number) }
            #expect(blocked.server.cell.queueLength == 2)
            try await node.inProcess { process in
                let ref = process.monitor(blocked.server.pid)
                process.exit(blocked.server.pid, .custom("trapped"))
                process.exit(blocked.server.pid, .kill)
                blocked.gate.open()
                let down = try await process.receiveDown()
                #expect(
                    down
                        == SeenDown(
                            ref: ref, object: .pid(blocked.server.pid), reason: .killed))
            }
            // No message was handled any more, and `terminate` did not run.
            #expect(blocked.log.elements == [])
            // A closure that is in the middle of something else.
            let (isReady, gate) = (Gate(), Gate())
            let closure = try node.spawn(options: options) { process in
                isReady.open()
                await gate.wait()
                let reason = await #expect(throws: ExitReason.self) {
                    _ = try await process.receive()
                }
                #expect(reason == .killed)
                return "the value of a killed process"
            }
            await isReady.wait()
            for number in 0..<4 { _ = try? closure.send(number) }
            node.kill(closure.pid)
            gate.open()
            #expect(try await closure.exitReason == .killed)
        }
    }
}
