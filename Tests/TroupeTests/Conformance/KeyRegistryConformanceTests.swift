//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: registries under keys", .timeLimit(.minutes(4)))
struct KeyRegistryConformanceTests {
    typealias Numbers = KeyRegistry<String, Int>

    @Test("KREG-01 a free key is registered, and a look-up finds the process with its value")
    func register() async throws {
        try await withNode { node in
            let registry = Numbers(on: node)
            #expect(registry.seen("k") == [])
            try await node.inProcess { process in
                try process.register("k", 7, in: registry)
                #expect(registry.seen("k") == [SeenEntry(pid: process.pid, value: 7)])
                #expect(registry.whereis("k") == process.pid)
                #expect(registry.keys(of: process.pid) == ["k"])
                #expect(registry.count == 1)
                #expect(registry.seen("other") == [])
            }
        }
    }

    @Test("KREG-02 a unique key that is held is refused with its holder, to the holder too")
    func taken() async throws {
        try await withNode { node in
            let registry = Numbers(on: node)
            let holder = try node.spawn(Doer.self)
            try await holder.call { try $0.register("k", 1, in: registry) }
            let taken = KeyRegistryError.alreadyRegistered(by: holder.pid)
            try await node.inProcess { process in
                #expect(throws: taken) { try process.register("k", 2, in: registry) }
                #expect(registry.keys(of: process.pid) == [])
            }
            try await holder.call { process in
                #expect(throws: taken) { try process.register("k", 3, in: registry) }
            }
            #expect(registry.seen("k") == [SeenEntry(pid: holder.pid, value: 1)])
            #expect(registry.count == 1)
        }
    }

    @Test("KREG-03 the key of a dead process, of whose end nobody knows, can be registered")
    func takeOver() async throws {
        try await HeldEnds.withNode { node, ends in
            let registry = Numbers(on: node)
            let holder = try node.spawn(options: HeldEnds.options) { process in
                try process.register("k", 1, in: registry)
                throw HeldEnds.reason
            }
            await ends.hasEnded.wait()
            try await node.inProcess { process in
                try process.register("k", 2, in: registry)
                #expect(registry.seen("k") == [SeenEntry(pid: process.pid, value: 2)])
                ends.release.open()
                _ = try await holder.exitReason
                #expect(registry.seen("k") == [SeenEntry(pid: process.pid, value: 2)])
            }
            #expect(registry.count == 0)
        }
    }

    @Test("KREG-04 a dead process is not found under its key, before anybody knows of its end")
    func deadHolder() async throws {
        try await HeldEnds.withNode { node, ends in
            let registry = Numbers(on: node, keys: .duplicate)
            let holder = try node.spawn(options: HeldEnds.options) { process in
                try process.register("k", 1, in: registry)
                throw HeldEnds.reason
            }
            await ends.hasEnded.wait()
            #expect(registry.seen("k") == [])
            #expect(registry.keys(of: holder.pid) == [])
            #expect(registry.count == 0)
            registry.dispatch("k") { _ in Issue.record("nobody is registered") }
            ends.release.open()
        }
    }

    @Test("KREG-05 a duplicate key can be registered twice by one process; both go at once")
    func duplicates() async throws {
        try await withNode { node in
            let registry = Numbers(on: node, keys: .duplicate)
            let other = try node.spawn(Doer.self)
            try await other.call { try $0.register("k", 9, in: registry) }
            try await node.inProcess { process in
                try process.register("k", 1, in: registry)
                try process.register("k", 2, in: registry)
                #expect(
                    registry.seen("k") == [
                        SeenEntry(pid: other.pid, value: 9), SeenEntry(pid: process.pid, value: 1),
                        SeenEntry(pid: process.pid, value: 2),
                    ])
                #expect(registry.keys(of: process.pid) == ["k", "k"])
                #expect(process.unregister("k", from: registry) == 2)
                #expect(registry.keys(of: process.pid) == [])
                #expect(registry.seen("k") == [SeenEntry(pid: other.pid, value: 9)])
            }
        }
    }

    enum Number: Hashable, Sendable { case whole(Int), real(Double) }

    @Test("KREG-06 1 and 1.0 are two keys")
    func keysOfTwoTypes() async throws {
        try await withNode { node in
            let registry = KeyRegistry<Number, String>(on: node)
            try await node.inProcess { process in
                try process.register(.whole(1), "whole", in: registry)
                try process.register(.real(1), "real", in: registry)
                #expect(registry.lookup(.whole(1)).map(\.value) == ["whole"])
                #expect(registry.lookup(.real(1)).map(\.value) == ["real"])
                #expect(registry.keys(of: process.pid) == [.whole(1), .real(1)])
            }
        }
    }

    @Test("KREG-07 all entries of a process are gone when its end is seen", arguments: [1, 100])
    func allGone(count: Int) async throws {
        try await withNode { node in
            let unique = KeyRegistry<Int, Int>(on: node)
            let duplicate = KeyRegistry<Int, Int>(on: node, keys: .duplicate)
            try await node.inProcess { process in
                let (holder, ref) = try process.spawnMonitored { holder in
                    for key in 0..<count {
                        try holder.register(key, key, in: unique)
                        try holder.register(key % 3, key, in: duplicate)
                    }
                    _ = try await holder.receive()
                }
                try holder.send("end")
                let down = try await process.receiveDown()
                #expect(down.ref == ref)
                #expect(unique.count == 0 && duplicate.count == 0)
                #expect(unique.entries.isEmpty && duplicate.entries.isEmpty)
                #expect((0..<count).allSatisfy { unique.lookup($0).isEmpty })
                #expect(unique.table.all.isEmpty && duplicate.table.all.isEmpty)
            }
        }
    }

    @Test("KREG-09 a key that one does not hold is not given back, and stays with its holder")
    func unregisterOthers() async throws {
        try await withNode { node in
            for kind in [KeyKind.unique, .duplicate] {
                let registry = Numbers(on: node, keys: kind)
                let holder = try node.spawn(Doer.self)
                try await holder.call { try $0.register("k", 1, in: registry) }
                try await node.inProcess { process in
                    #expect(process.unregister("k", from: registry) == 0)
                    #expect(process.unregister("free", from: registry) == 0)
                }
                #expect(registry.seen("k") == [SeenEntry(pid: holder.pid, value: 1)])
                #expect(registry.count == 1)
            }
        }
    }

    @Test("KREG-10 the holder changes its value, nobody else does")
    func update() async throws {
        try await withNode { node in
            let registry = Numbers(on: node)
            let holder = try node.spawn(Doer.self)
            try await holder.call { process in
                try process.register("k", 1, in: registry)
                let values = process.updateValue(of: "k", in: registry) { $0 + 10 }
                #expect(values?.new == 11 && values?.old == 1)
                #expect(throws: TestError(1)) {
                    try process.updateValue(of: "k", in: registry) { _ in throw TestError(1) }
                }
            }
            try await node.inProcess { process in
                let others = process.updateValue(of: "k", in: registry) { value in
                    Issue.record("not the holder's function")
                    return value
                }
                let free = process.updateValue(of: "free", in: registry) { value in
                    Issue.record("nobody's function")
                    return value
                }
                #expect(others == nil && free == nil)
            }
            #expect(registry.seen("k") == [SeenEntry(pid: holder.pid, value: 11)])
        }
    }

    @Test("KREG-11 a dispatch runs its function once with all entries, here; not without entries")
    func dispatch() async throws {
        try await withNode { node in
            let registry = Numbers(on: node, keys: .duplicate)
            registry.dispatch("k") { _ in Issue.record("nobody is registered") }
            let holders = try (0..<50).map { _ in try node.spawn(Doer.self) }
            for (index, holder) in holders.enumerated() {
                try await holder.call { try $0.register("k", index, in: registry) }
            }
            try await node.inProcess { process in
                var seen: [[SeenEntry]] = []
                registry.dispatch("k") { entries in
                    #expect(CurrentProcess.cell?.pid == process.pid)
                    seen.append(entries.map { SeenEntry(pid: $0.pid, value: $0.value) })
                }
                let all = holders.enumerated().map { SeenEntry(pid: $1.pid, value: $0) }
                #expect(seen == [all])
            }
        }
    }

    @Test("KREG-12 what the function of a dispatch throws goes to its caller; the registry lives")
    func dispatchThrows() async throws {
        try await withNode { node in
            let registry = Numbers(on: node, keys: .duplicate)
            try await node.inProcess { process in
                try process.register("k", 1, in: registry)
                #expect(throws: TestError(3)) {
                    try registry.dispatch("k") { _ in throw TestError(3) }
                }
                #expect(registry.seen("k") == [SeenEntry(pid: process.pid, value: 1)])
                try process.register("k", 2, in: registry)
                #expect(registry.count == 2)
            }
        }
    }

    @Test("KREG-13 only own entries that match are given back; a key stands for itself only")
    func unregisterMatching() async throws {
        try await withNode { node in
            let registry = Numbers(on: node, keys: .duplicate)
            let other = try node.spawn(Doer.self)
            try await other.call { process in
                for value in 1...3 { try process.register("k", value, in: registry) }
            }
            try await node.inProcess { process in
                for key in ["k", "_", "*", "$1"] {
                    for value in 1...3 { try process.register(key, value, in: registry) }
                }
                #expect(process.unregister("_", from: registry) == 3)
                #expect(registry.keys(of: process.pid).count == 9)
                let count = process.unregister(from: registry) { key, value in
                    key == "k" && value >= 2
                }
                #expect(count == 2)
                #expect(
                    registry.seen("k") == (1...3).map { SeenEntry(pid: other.pid, value: $0) }
                        + [SeenEntry(pid: process.pid, value: 1)])
                #expect(throws: TestError(5)) {
                    try process.unregister(from: registry) { key, _ in
                        if key == "$1" { throw TestError(5) }
                        return true
                    }
                }
                #expect(registry.keys(of: process.pid).count == 7)
            }
        }
    }

    @Test("KREG-14 a listener is told of every entry that comes and goes, also by an end")
    func listeners() async throws {
        try await withNode { node in
            try await node.inProcess(.init(name: "listener")) { process in
                let registry = Numbers(
                    on: node, keys: .duplicate, listeners: ["listener", "nobody"])
                let holder = try node.spawn(Doer.self)
                try await holder.call { holder in
                    try holder.register("a", 1, in: registry)
                    try holder.register("a", 2, in: registry)
                    try holder.register("b", 3, in: registry)
                    holder.unregister("a", from: registry)
                }
                var seen: [SeenChange] = []
                for _ in 0..<5 { seen.append(try await process.receiveChange()) }
                #expect(
                    seen == [
                        .register("a", holder.pid, 1), .register("a", holder.pid, 2),
                        .register("b", holder.pid, 3), .unregister("a", holder.pid),
                        .unregister("a", holder.pid),
                    ])
                process.exit(holder.pid, .shutdown)
                let last = try await process.receiveChange()
                #expect(last == .unregister("b", holder.pid))
            }
        }
    }

    @Test("KREG-15 a unique key names a server from its start to its end; a duplicate one does not")
    func via() async throws {
        try await withNode { node in
            let registry = Numbers(on: node)
            let options = ProcessOptions(registration: registry.registration("k", 5))
            let server = try node.spawn(Counter.self, 41, options: options)
            let waiting = try await node.spawn(
                AsyncCounter.self, 1, options: .init(registration: registry.registration("a", 0)))
            #expect(registry.seen("k") == [SeenEntry(pid: server.pid, value: 5)])
            #expect(registry.whereis("k") == server.pid)
            #expect(try await registry.whereis("k", as: Counter.self)?.call(.add(1)) == 42)
            #expect(registry.whereis("k", as: AsyncCounter.self) == nil)
            #expect(registry.whereis("a", as: AsyncCounter.self) == waiting)
            try await server.stop(.normal)
            #expect(registry.whereis("k") == nil && registry.seen("k") == [])

            let topics = Numbers(on: node, keys: .duplicate)
            let bad = ProcessOptions(registration: topics.registration("k", 5))
            let error = #expect(throws: SpawnError.self) {
                try node.spawn(Counter.self, 0, options: bad)
            }
            guard case .registrationFailed(.keysNotUnique)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            try await node.inProcess { process in
                try process.register("k", 1, in: topics)
                #expect(topics.whereis("k") == nil)
                #expect(topics.whereis("k", as: Counter.self) == nil)
            }
        }
    }

    @Test(
        "REG-19 a key in place of a name: one start wins, the other is told, and after a stop none")
    func viaAsName() async throws {
        try await withNode { node in
            let registry = KeyRegistry<Int, Void>(on: node)
            let options = ProcessOptions(registration: registry.registration(1))
            let log = Log<String>()
            let first = try node.spawn(Recorder.self, .init(log), options: options)
            let error = #expect(throws: SpawnError.self) {
                try node.spawn(
                    Recorder.self, .init(log) { _ in log.append("init ran") }, options: options)
            }
            guard case .registrationFailed(.alreadyRegistered(first.pid))? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(node.count == 1)
            // Linked and monitored: only the error tells.
            try await node.inProcess(.trapping) { process in
                #expect(throws: SpawnError.self) {
                    try process.spawnLinked(Recorder.self, .init(log), options: options)
                }
                #expect(throws: SpawnError.self) {
                    try process.spawnMonitored(Recorder.self, .init(log), options: options)
                }
                #expect(process.links == [])
            }
            try await first.stop(.shutdown)
            #expect(registry.whereis(1) == nil)
            let second = try node.spawn(Recorder.self, .init(log), options: options)
            #expect(registry.whereis(1, as: Recorder.self) == second)
            #expect(log.elements == ["terminate shutdown"])
        }
    }
}
