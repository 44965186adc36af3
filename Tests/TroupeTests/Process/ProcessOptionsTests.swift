//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Process options", .timeLimit(.minutes(4)))
struct ProcessOptionsTests {
    private enum Color: EnvironmentKey { typealias Value = String }

    @Test("a process reads its options as they are now")
    func reading() async throws {
        try await withNode { node in
            let leader = try node.spawn { _ = try await $0.receive() }
            let mailbox = MailboxOptions(capacity: 5, overflow: .dropNewest)
            var options = ProcessOptions(
                name: "first", mailbox: mailbox, groupLeader: leader.pid)
            options.environment[Color.self] = "red"
            try await node.inProcess(options) { process in
                var now = process.options
                #expect(now.name == "first" && now.mailbox == mailbox)
                #expect(now.groupLeader == leader.pid && now.environment[Color.self] == "red")
                #expect(!now.trapsExits && !now.stopsOnNormalLink && !now.ownThread)
                process.setTrapsExits(true)
                #expect(process.setStopsOnNormalLink(true) == false)
                process.setEnvironment(Color.self, to: "blue")
                now = process.options
                #expect(now.trapsExits && now.stopsOnNormalLink)
                #expect(now.environment[Color.self] == "blue")
            }
            try leader.send("end")
        }
    }

    @Test("Ergo's rule for links can be switched on and off while the process runs")
    func normalLinks() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let first = try process.spawnLinked { try await $0.receive(Int.self) }
                process.setStopsOnNormalLink(true)
                process.setStopsOnNormalLink(false)
                try first.send(1)
                _ = try await first.value
                let second = try process.spawnLinked { try await $0.receive(Int.self) }
                #expect(process.setStopsOnNormalLink(true) == false)
                try second.send(2)
                _ = try await process.receive()
                return "unreached"
            }
            #expect(try await process.exitReason == .normal)
            await #expect(throws: CallError.exited(.normal)) { try await process.value }
        }
    }
}
