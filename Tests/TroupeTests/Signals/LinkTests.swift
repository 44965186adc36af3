//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Links and exits", .timeLimit(.minutes(4)))
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
}
