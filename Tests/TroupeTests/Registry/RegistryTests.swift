//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

@testable import Troupe

@Suite("Names, aliases and pids", .timeLimit(.minutes(1)))
struct RegistryTests {
    private func idle(_ node: Node, name: String? = nil) throws -> ProcessRef<Int> {
        try node.spawn(options: .init(name: name)) { process in
            while true { _ = try await process.receive() }
        }
    }

    @Test("REG-01 REG-02 REG-07 REG-08 REG-11 a name has one holder, a process several names")
    func names() async throws {
        try await withNode { node in
            let (one, two) = (try idle(node, name: "a"), try idle(node))
            #expect(node.whereis("a") == one.pid)
            #expect(node.whereis("b") == nil)
            try node.register("b", one.pid)
            #expect(throws: RegistryError.nameTaken("a", by: one.pid)) {
                try node.register("a", two.pid)
            }
            #expect(throws: RegistryError.nameTaken("a", by: one.pid)) {
                try node.register("a", one.pid)
            }
            #expect(node.registered.map(\.name) == ["a", "b"])
            try node.unregister("a")
            #expect(node.whereis("a") == nil)
            #expect(throws: RegistryError.nameUnknown("a")) { try node.unregister("a") }
            #expect(node.isAlive(one.pid))
            try node.register("a", two.pid)
            #expect(node.whereis("a") == two.pid)
        }
    }

    @Test("REG-05 REG-06 bad names and pids are refused")
    func badInput() async throws {
        try await withNode { node in
            let process = try idle(node)
            let long = String(repeating: "x", count: 10_000_000)
            for name in ["", long, String(repeating: "y", count: 256)] {
                #expect(throws: RegistryError.nameInvalid(name)) {
                    try node.register(name, process.pid)
                }
                #expect(throws: SpawnError.self) { _ = try idle(node, name: name) }
            }
            try node.register(String(repeating: "z", count: 255), process.pid)
            let old = Pid(node: "test", id: process.pid.id, creation: node.creation + 1)
            #expect(throws: RegistryError.incarnation(old)) { try node.register("n", old) }
            let away = Pid(node: "away", id: 1, creation: 1)
            #expect(throws: RegistryError.notLocal(away)) { try node.register("n", away) }
            let unknown = Pid(node: "test", id: 99_999, creation: node.creation)
            #expect(throws: RegistryError.processUnknown(unknown)) {
                try node.register("n", unknown)
            }
            #expect(node.whereis("n") == nil)
        }
    }

    @Test("REG-09 RACE-10 whoever sees the holder's end can take its name, 2,000 times")
    func nameAtEnd() async throws {
        try await withNode { node in
            let watcher = try node.spawn { process in
                for _ in 0..<2000 {
                    let (_, _) = try process.spawnMonitored(options: .init(name: "n")) { child in
                        _ = try await child.receive()
                    }
                    try process.send("end", to: "n")
                    _ = try await process.receive()
                    try process.register("n")
                    try process.unregister("n")
                }
                return true
            }
            #expect(try await watcher.value)
        }
    }

    @Test("ALIAS-01 ALIAS-09 ALIAS-10 ALIAS-11 ALIAS-12 an alias works until it is removed")
    func aliases() async throws {
        try await withNode { node in
            let foreign = Log<Alias>()
            let other = try node.spawn { process in
                foreign.append(process.makeAlias())
                _ = try await process.receive()
            }
            let process = try node.spawn { process in
                let alias = process.makeAlias()
                try process.send("before", to: .alias(alias))
                let theirs = await foreign.wait(for: 1)[0]
                #expect(theirs != alias)
                #expect(process.removeAlias(theirs) == false)
                try process.send("end", to: .alias(theirs))
                #expect(process.removeAlias(alias))
                #expect(process.removeAlias(alias) == false)
                #expect(throws: SendError<String>.self) {
                    try process.send("after", to: .alias(alias))
                }
                let first = try await process.receive() as? String
                #expect(first == "before")
                return try await process.receive(timeout: .zero) == nil
            }
            #expect(try await process.value)
            _ = try await other.exitReason
            #expect(throws: SendError<String>.self) {
                try node.send("m", to: .alias(foreign.elements[0]))
            }
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
            for _ in 0..<300_000 { seen.insert(node.makeReference()) }
            #expect(seen.count == 300_000)
        }
    }
}
