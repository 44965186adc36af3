//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

@testable import Troupe

@Suite("Names, aliases and pids", .timeLimit(.minutes(4)))
struct RegistryTests {
    private func idle(_ node: Node, name: String? = nil) throws -> ProcessRef<Int> {
        try node.spawn(options: .init(name: name)) { process in
            while true { _ = try await process.receive() }
        }
    }

    @Test("pids print like OTP's")
    func pids() {
        let pid = Pid(node: "test", id: 3 << 32 | 12, creation: 5)
        #expect(pid.description.hasSuffix(".12.3>") && pid.description.hasPrefix("<"))
        #expect(pid.debugDescription.hasSuffix("@test/5"))
    }

    @Test("a pid survives being encoded and decoded")
    func codable() throws {
        let pid = Pid(node: "far away", id: 5 << 32 | 77, creation: 9)
        let data = try JSONEncoder().encode([pid])
        #expect(try JSONDecoder().decode([Pid].self, from: data) == [pid])
        #expect(String(decoding: data, as: UTF8.self).contains("\"node\":\"far away\""))
    }

    @Test("a second node of the same name has another creation; its pids are strangers here")
    func incarnations() async throws {
        let first = try Node(name: "twice")
        let old = try first.spawn { process in _ = try await process.receive() }.pid
        await first.stop()
        let second = try Node(name: "twice")
        #expect(first.creation != second.creation)
        let error = #expect(throws: SendError<Int>.self) { try second.send(1, to: old) }
        #expect(error?.failure == .incarnation(old))
        #expect(!second.isAlive(old))
        await second.stop()
    }

    @Test("process numbers that are used again get another serial")
    func reuse() async throws {
        try await withNode { node in
            var seen: Set<Pid> = []
            for _ in 0..<20_000 {
                let process = try node.spawn { _ in 1 }
                #expect(seen.insert(process.pid).inserted)
                _ = try await process.value
            }
            #expect(seen.contains { $0.id >> 32 > 0 })
        }
    }

    @Test("references do not repeat")
    func references() async throws {
        try await withNode { node in
            var seen: Set<Reference> = []
            for number in 0..<300_000 {
                seen.insert(node.makeReference())
                if number % 1000 == 0 { await Task.yield() }
            }
            #expect(seen.count == 300_000)
        }
    }
}
