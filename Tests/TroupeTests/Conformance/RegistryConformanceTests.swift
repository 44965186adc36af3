//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: names", .timeLimit(.minutes(4)))
struct RegistryConformanceTests {
    /// What registering throws.
    private func failure(
        _ node: Node, _ name: String, _ pid: Pid
    ) -> RegistryError? {
        do throws(RegistryError) {
            try node.register(name, pid)
            return nil
        } catch { return error }
    }

    @Test("REG-01 a registered name is found, and what is sent to it reaches its holder")
    func found() async throws {
        try await withNode { node in
            let holder = try node.spawn { process in
                var seen: [String?] = []
                for _ in 0..<2 { seen.append(try await process.receive() as? String) }
                return seen
            }
            try node.register("n", holder.pid)
            #expect(node.whereis("n") == holder.pid)
            try node.send("from the node", to: "n")
            try await node.inProcess { process in try process.send("from a process", to: "n") }
            #expect(try await holder.value == ["from the node", "from a process"])
        }
    }

    @Test("REG-02 a name that is held is taken, and its holder keeps it")
    func taken() async throws {
        try await withNode { node in
            let holder = try node.spawnListener(.init(name: "n"))
            let other = try node.spawnListener()
            #expect(failure(node, "n", other.pid) == .nameTaken("n", by: holder.pid))
            try await node.inProcess { process in
                #expect(throws: RegistryError.nameTaken("n", by: holder.pid)) {
                    try process.register("n")
                }
                #expect(process.names == [])
            }
            #expect(node.whereis("n") == holder.pid)
        }
    }

    @Test("REG-03 a process may hold several names; all reach it, and all are free at its end")
    func several() async throws {
        try await withNode { node in
            let own = try await node.inProcess { process in
                for name in ["b", "a", "c"] { try process.register(name) }
                #expect(process.names == ["b", "a", "c"])
                for name in ["a", "b", "c"] {
                    #expect(node.whereis(name) == process.pid)
                    try process.send(name, to: .name(name))
                    let message = try await process.receive() as? String
                    #expect(message == name)
                }
                return process.pid
            }
            #expect(!node.isAlive(own))
            #expect(["a", "b", "c"].map { node.whereis($0) } == [nil, nil, nil])
        }
    }

    @Test("REG-04 a name cannot be registered again by its own holder")
    func again() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                try process.register("n")
                #expect(throws: RegistryError.nameTaken("n", by: process.pid)) {
                    try process.register("n")
                }
                #expect(process.names == ["n"])
                try process.unregister("n")
                #expect(node.whereis("n") == nil)
            }
        }
    }

    @Test("REG-05 a process that is gone, of another start or of another node gets no name")
    func badPids() async throws {
        try await withNode { node in
            let live = try node.spawnListener()
            let gone = try node.spawn { _ in 1 }
            _ = try await gone.exitReason
            let unknown = Pid(node: "test", id: 99_999, creation: node.creation)
            let old = Pid(node: "test", id: live.pid.id, creation: node.creation + 1)
            let away = Pid(node: "away", id: live.pid.id, creation: node.creation)
            #expect(failure(node, "n", gone.pid) == .processUnknown(gone.pid))
            #expect(failure(node, "n", unknown) == .processUnknown(unknown))
            #expect(failure(node, "n", old) == .incarnation(old))
            #expect(failure(node, "n", away) == .notLocal(away))
            #expect(node.whereis("n") == nil)
            try node.register("n", live.pid)
            #expect(node.whereis("n") == live.pid)
        }
    }

    @Test("REG-06 a name has 1 to 255 Unicode scalars, whatever they are")
    func badNames() async throws {
        try await withNode { node in
            let process = try node.spawnListener()
            let huge = String(repeating: "x", count: 1_000_000)
            let accents = String(repeating: "e\u{301}", count: 128)
            for name in ["", huge, String(repeating: "y", count: 256), accents] {
                // Not in the condition: a failure would print 1 MB.
                let isInvalid = failure(node, name, process.pid) == .nameInvalid(name)
                #expect(isInvalid, "\(name.prefix(10))")
            }
            #expect(node.registered.isEmpty)
            let faces = String(repeating: "\u{1F600}", count: 255)
            for name in ["undefined", " ", "é", String(repeating: "z", count: 255), faces] {
                try node.register(name, process.pid)
                #expect(node.whereis(name) == process.pid)
            }
            // Equal strings are one name, whatever their bytes.
            for number in 0..<32 {
                try node.register("\(number)\u{E9}", process.pid)
                #expect(node.whereis("\(number)e\u{301}") == process.pid)
            }
        }
    }

    @Test("REG-07 an unregistered name is free, and the process that held it goes on")
    func unregister() async throws {
        try await withNode { node in
            let log = Log<String>()
            let holder = try node.spawn(Recorder.self, .init(log), options: .init(name: "n"))
            try node.unregister("n")
            #expect(node.whereis("n") == nil)
            try node.send("still here", to: holder.pid)
            #expect(await log.wait(for: 1) == ["still here"])
            let next = try node.spawnListener(.init(name: "n"))
            #expect(node.whereis("n") == next.pid)
        }
    }

    @Test("REG-08 a name that nobody holds cannot be unregistered")
    func unregisterFree() async throws {
        try await withNode { node in
            let once = try node.spawnListener(.init(name: "once"))
            try node.unregister("once")
            for name in ["never", "once"] {
                #expect(throws: RegistryError.nameUnknown(name)) { try node.unregister(name) }
                try await node.inProcess { process in
                    #expect(throws: RegistryError.nameUnknown(name)) {
                        try process.unregister(name)
                    }
                }
            }
            #expect(node.isAlive(once.pid))
        }
    }

    enum Way: CaseIterable, Sendable {
        case returns, throwsError, exitsItself, isSentExit, isKilled

        var reason: ExitReason {
            switch self {
            case .returns: .normal
            case .throwsError: .error(TestError(1))
            case .exitsItself: .shutdown
            case .isSentExit: .custom("sent")
            case .isKilled: .killed
            }
        }
    }

    enum Sign: CaseIterable, Sendable { case exit, down }

    @Test(
        "REG-09 names are free when the end of their holder is seen, whatever ended it",
        arguments: Way.allCases, Sign.allCases)
    func freeAtEnd(way: Way, sign: Sign) async throws {
        try await withNode { node in
            try await node.inProcess(.init(trapsExits: true)) { process in
                let holder = try process.spawn(options: .init(name: "one")) { holder in
                    _ = try await holder.receive()
                    if way == .throwsError { throw TestError(1) }
                    if way == .exitsItself { throw ExitReason.shutdown }
                }
                try node.register("two", holder.pid)
                switch sign {
                case .exit: try process.link(to: holder.pid)
                case .down: _ = process.monitor(holder.pid)
                }
                switch way {
                case .isSentExit: process.exit(holder.pid, .custom("sent"))
                case .isKilled: process.exit(holder.pid, .kill)
                default: try process.send("end", to: "one")
                }
                let message = try await process.receive()
                try process.register("one")
                try process.register("two")
                #expect(process.names == ["one", "two"])
                let reason = (message as? MessageExit)?.reason ?? (message as? MessageDown)?.reason
                #expect(reason == way.reason)
            }
        }
    }

    @Test("REG-10 a send to a free name fails at once and hands the message back")
    func sendToFree() async throws {
        try await withNode { node in
            let first = #expect(throws: SendError<String>.self) {
                try node.send("m", to: "nobody")
            }
            #expect(first?.failure == .nameUnknown("nobody") && first?.message == "m")
            let second = await #expect(throws: SendError<Int>.self) {
                try await node.send(7, to: "nobody", waitingUpTo: .seconds(60))
            }
            #expect(second?.failure == .nameUnknown("nobody") && second?.message == 7)
            try await node.inProcess { process in
                let third = #expect(throws: SendError<String>.self) {
                    try process.send("m", to: "nobody")
                }
                #expect(third?.failure == .nameUnknown("nobody") && third?.message == "m")
            }
        }
    }

    @Test("REG-11 nobody is found under a free name")
    func lookupFree() async throws {
        try await withNode { node in
            #expect(node.whereis("n") == nil)
            #expect(node.whereis("n", as: Counter.self) == nil)
            #expect(node.whereis("n", as: AsyncCounter.self) == nil)
            #expect(node.whereis("") == nil)
        }
    }

    @Test("REG-12 a process knows its names: none, then the one it got, then none again")
    func ownNames() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                #expect(process.names == [])
                try node.register("n", process.pid)
                #expect(process.names == ["n"])
                try process.unregister("n")
                #expect(process.names == [])
            }
            let log = Log<[String]>()
            let server = try node.spawn(
                Recorder.self, .init(Log()), options: .init(name: "server"))
            try server.cast { log.append($0.names) }
            #expect(await log.wait(for: 1) == [["server"]])
        }
    }

    @Test("REG-13 the list of names has each once, with its holder, in order")
    func list() async throws {
        try await withNode { node in
            let one = try node.spawnListener(.init(name: "b"))
            let two = try node.spawnListener(.init(name: "c"))
            try node.register("a", one.pid)
            _ = try? node.register("a", two.pid)
            #expect(node.registered.map(\.name) == ["a", "b", "c"])
            #expect(node.registered.map(\.pid) == [one.pid, one.pid, two.pid])
        }
    }
}
