//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: what is known of a process", .timeLimit(.minutes(4)))
struct ProcessInfoConformanceTests {
    @Test("SYS-17 info is a consistent snapshot of everything that connects a process")
    func snapshot() async throws {
        try await withNode { node in
            let leader = try node.spawn { try await $0.receive() as? String }
            let partner = try node.spawn { try await $0.receive() as? String }
            let ready = Log<(ServerRef<Recorder>, Pid)>()
            let parent = try node.spawn(options: .init(groupLeader: leader.pid)) { process in
                let options = ProcessOptions(
                    name: "first", mailbox: .init(capacity: 7), trapsExits: true)
                let child = try process.spawn(Recorder.self, .init(Log()), options: options)
                _ = process.monitor(child.pid)
                ready.append((child, process.pid))
                return try await process.receive() as? String
            }
            let (child, parentPid) = await ready.wait(for: 1)[0]
            let made = Log<Alias>()
            try child.cast { process in
                try process.register("second")
                try process.link(to: partner.pid)
                _ = process.monitor(partner.pid)
                _ = process.monitor(name: "first")
                _ = process.monitor(leader.pid)
                made.append(process.makeAlias())
                process.setLabel("label")
            }
            let alias = await made.wait(for: 1)[0]
            try await child.suspend()
            for _ in 0..<3 { try child.send("wait") }

            let info = try #require(node.info(child.pid))
            #expect(info.pid == child.pid)
            #expect(info.names == ["first", "second"])
            #expect(info.label == "label")
            #expect(info.behaviour == "Recorder")
            #expect(info.activity == .waiting)
            #expect(info.isSuspended)
            #expect(info.waitsOn == [])
            #expect((info.mailboxCount, info.mailboxCapacity) == (3, 7))
            #expect((info.messagesIn, info.messagesHandled, info.messagesDropped) == (4, 1, 0))
            #expect(info.links == [partner.pid])
            // Monitoring itself, by its own name, it has no monitor.
            #expect(info.monitors == [.pid(partner.pid), .pid(leader.pid)])
            #expect(info.monitoredBy == [parentPid])
            #expect(info.aliases == [alias])
            #expect(info.trapsExits)
            #expect(info.parent == parentPid)
            #expect(info.groupLeader == leader.pid)
            #expect(info.uptime >= .zero && info.activityAge >= .zero)
            #expect(node.info(partner.pid)?.links == [child.pid])
            #expect(node.info(partner.pid)?.monitoredBy == [child.pid])
            for pid in [leader.pid, partner.pid, parent.pid] { try node.send("end", to: pid) }
        }
    }

    @Test("MBOX-18 info shows how many messages wait, as they come and go")
    func mailboxCount() async throws {
        try await withNode { node in
            let receive = Gate()
            let received = Gate()
            let end = Gate()
            let process = try node.spawn { process in
                await receive.wait()
                for _ in 0..<2 { _ = try await process.receive() }
                received.open()
                await end.wait()
            }
            for number in 1...5 {
                try process.send(number)
                #expect(process.info?.mailboxCount == number)
            }
            receive.open()
            await received.wait()
            #expect(process.info?.mailboxCount == 3)
            #expect(process.info?.messagesHandled == 2)
            end.open()
        }
    }

    @Test("SYS-18 there is no info of a process that has ended, or is on another node")
    func dead() async throws {
        try await withNode { node in
            let process = try node.spawn { _ in 1 }
            _ = try await process.value
            #expect(process.info == nil)
            #expect(node.info(process.pid) == nil)
            #expect(node.info(Pid(node: "elsewhere", id: 1, creation: 1)) == nil)
            let old = Pid(node: node.name, id: process.pid.id, creation: node.creation &+ 1)
            #expect(node.info(old) == nil)
        }
    }

    @Test("SYS-19 a busy process is seen as busy: with what, and that looking changes nothing")
    func busy() async throws {
        try await withNode { node in
            let started = Gate()
            let gate = Gate()
            let options = ProcessOptions(ownThread: true)
            let counter = try node.spawn(Counter.self, 0, options: options)
            try counter.cast(.block(gate, started: started))
            await started.wait()
            for _ in 0..<10 {
                #expect(counter.info?.activity == .handling(.cast))
                #expect(counter.info?.messagesHandled == 1)
            }
            gate.open()
            #expect(try await counter.call(.value) == 0)
        }
    }

    @Test("SYS-19 what a process waits for is seen: a reply, room, time")
    func waits() async throws {
        try await withNode { node in
            let silent = try node.spawn(Counter.self, 0)
            let full = try node.spawn(
                Counter.self, 0, options: .init(mailbox: .init(capacity: 1)))
            try await full.suspend()
            try full.cast(.increment(by: 1))
            let caller = try node.spawn { _ in _ = try await silent.call(.silent) }
            let sender = try node.spawn { _ in
                try await full.cast(.increment(by: 1), waitingUpTo: .seconds(60))
            }
            let sleeper = try node.spawn { try await $0.sleep(for: .seconds(60)) }
            let receiver = try node.spawn { _ = try await $0.receive() }
            try await expect(caller.pid, [.reply(from: silent.pid)], .running, node)
            try await expect(sender.pid, [.room(full.pid)], .running, node)
            try await expect(sleeper.pid, [.sleep], .running, node)
            try await expect(receiver.pid, [], .waiting, node)
            node.kill(silent.pid)
            #expect(
                try await caller.exitReason == .error(CallError.exited(.killed)))
        }
    }

    /// Looks until the process has come as far as it can.
    private func expect(
        _ pid: Pid, _ waits: [ProcessWait], _ activity: ProcessActivity, _ node: Node
    ) async throws {
        await waitWhile {
            guard let info = node.info(pid) else { return false }
            return (info.waitsOn, info.activity) != (waits, activity)
        }
        #expect(node.isAlive(pid))
    }
}
