//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Links and exits", .timeLimit(.minutes(1)))
struct LinkTests {
    @Test("the option asks for Ergo's rule: a normal end stops the partner")
    func ergosRule() async throws {
        try await withNode { node in
            let process = try node.spawn(options: .init(stopsOnNormalLink: true)) { process in
                try process.spawnLinked { _ in 1 }
                while true { _ = try await process.receive() }
            }
            #expect(try await process.exitReason == .normal)
        }
    }

    @Test("a pid of another life of the node cannot be linked; one of another node is unreachable")
    func elsewhere() async throws {
        try await withNode { node in
            let process = try node.spawn(options: .trapping) { process in
                let old = Pid(node: "test", id: 1, creation: node.creation + 1000)
                #expect(throws: SignalError.incarnation(old)) { try process.link(to: old) }
                let remote = Pid(node: "elsewhere", id: 1, creation: 1)
                try process.link(to: remote)
                let exit = try await process.receiveExit()
                #expect(exit == MessageExit(from: remote, reason: .noConnection))
                #expect(process.links.isEmpty)
                return try await process.hasNothing()
            }
            #expect(try await process.value)
            let other = try node.spawn { process in
                try process.link(to: Pid(node: "elsewhere", id: 1, creation: 1))
                _ = try await process.receive()
            }
            #expect(try await other.exitReason == .noConnection)
        }
    }

    @Test("GS-42 a trapping server obeys the exit of the parent that started it linked")
    func parentExit() async throws {
        try await withNode { node in
            let log = Log<String>()
            let stranger = try node.spawn { _ in 1 }
            let parent = try node.spawn { process in
                let server = try process.spawnLinked(
                    Recorder.self, .init(log), options: .init(trapsExits: true))
                node.exit(server.pid, .custom("stranger"))
                #expect(await log.wait(for: 1) == ["exit stranger"])
                throw TestError(1)
            }
            #expect(try await parent.exitReason == .error(TestError(1)))
            #expect(
                await log.wait(for: 2) == ["exit stranger", "terminate error(TestError(code: 1))"])
            _ = stranger
        }
    }
}
