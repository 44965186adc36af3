//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: names at the start of a process", .timeLimit(.minutes(4)))
struct NamedStartConformanceTests {
    private func isTaken(_ error: SpawnError?, by holder: Pid) -> Bool {
        guard case .nameTaken("n", by: holder) = error else { return false }
        return true
    }

    @Test("REG-14 nothing is started under a taken name, and the starter only gets the error")
    func startTaken() async throws {
        try await withNode { node in
            let holder = try node.spawnListener(.init(name: "n"))
            let ran = Log<String>()
            let options = ProcessOptions(name: "n")
            let closure = #expect(throws: SpawnError.self) {
                try node.spawn(options: options) { _ in ran.append("closure") }
            }
            let slow = await #expect(throws: SpawnError.self) {
                _ = try await node.spawn(AsyncCounter.self, 1, options: options)
            }
            #expect(isTaken(closure, by: holder.pid) && isTaken(slow, by: holder.pid))
            let counts = try await node.inProcess(.init(trapsExits: true)) { process in
                let recorder = Recorder.Argument(ran) { _ in ran.append("init") }
                let before = node.count
                let linked = #expect(throws: SpawnError.self) {
                    try process.spawnLinked(Recorder.self, recorder, options: options)
                }
                let monitored = #expect(throws: SpawnError.self) {
                    _ = try process.spawnMonitored(Recorder.self, recorder, options: options)
                }
                #expect(isTaken(linked, by: holder.pid) && isTaken(monitored, by: holder.pid))
                #expect(process.links == [])
                return [before, node.count]
            }
            #expect(counts == [2, 2])
            #expect(ran.elements == [])
            #expect(node.whereis("n") == holder.pid)
        }
    }

    @Test("REG-16 a process that is started without a name has none")
    func anonymous() async throws {
        try await withNode { node in
            let server = try node.spawn(Counter.self, 1, options: .init(name: nil))
            try await node.inProcess(.init(name: nil)) { process in
                #expect(process.names == [])
            }
            #expect(node.registered.isEmpty)
            #expect(node.isAlive(server.pid))
        }
    }

    @Test("REG-17 a start under an invalid name fails before anything runs")
    func startInvalid() async throws {
        try await withNode { node in
            let ran = Log<String>()
            let recorder = Recorder.Argument(ran) { _ in ran.append("init") }
            for name in [
                "", String(repeating: "y", count: 256), .init(repeating: "x", count: 1_000_000),
            ] {
                let options = ProcessOptions(name: name)
                let errors = [
                    #expect(throws: SpawnError.self) {
                        try node.spawn(options: options) { _ in ran.append("closure") }
                    },
                    #expect(throws: SpawnError.self) {
                        _ = try node.spawn(Recorder.self, recorder, options: options)
                    },
                    await #expect(throws: SpawnError.self) {
                        _ = try await node.spawn(AsyncCounter.self, 1, options: options)
                    },
                ]
                for case let error? in errors {
                    guard case .nameInvalid(name) = error else {
                        Issue.record("\(error)")
                        continue
                    }
                }
                #expect(node.count == 0)
            }
            #expect(ran.elements == [])
        }
    }

    @Test("REG-20 a name leads to the living process, typed when it is a server of that type")
    func resolve() async throws {
        try await withNode { node in
            let counter = try node.spawn(Counter.self, 5, options: .init(name: "counter"))
            let slow = try await node.spawn(AsyncCounter.self, 6, options: .init(name: "slow"))
            let closure = try node.spawnListener(.init(name: "closure"))
            #expect(node.whereis("counter", as: Counter.self) == counter)
            #expect(node.whereis("slow", as: AsyncCounter.self) == slow)
            #expect(try await node.whereis("counter", as: Counter.self)?.call(.value) == 5)
            #expect(node.whereis("counter", as: Recorder.self) == nil)
            #expect(node.whereis("counter", as: AsyncCounter.self) == nil)
            #expect(node.whereis("slow", as: Counter.self) == nil)
            #expect(node.whereis("closure", as: Counter.self) == nil)
            #expect(node.whereis("closure") == closure.pid)
            node.kill(closure.pid)
            _ = try await closure.exitReason
            #expect(node.whereis("closure") == nil)
        }
    }

    @Test("REG-21 a process may take a name away from another")
    func unregisterOther() async throws {
        try await withNode { node in
            let holder = try node.spawn(options: .init(name: "n")) { process in
                _ = try await process.receive()
                return process.names
            }
            try await node.inProcess { process in
                try process.unregister("n")
                try process.register("n")
                #expect(node.whereis("n") == process.pid)
            }
            try holder.send("go on")
            #expect(try await holder.value == [])
        }
    }

    @Test("REG-23 a server that was started without a name can take one later, once")
    func nameLater() async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try node.spawn(Recorder.self, .init(log))
            #expect(node.registered.isEmpty)
            let register: Recorder.Cast = { process in
                do throws(RegistryError) {
                    try process.register("late")
                    log.append("registered")
                } catch {
                    log.append(error == .nameTaken("late", by: process.pid) ? "taken" : "\(error)")
                }
            }
            try server.cast(register)
            try server.cast(register)
            #expect(await log.wait(for: 2) == ["registered", "taken"])
            #expect(node.whereis("late", as: Recorder.self) == server)
        }
    }
}
