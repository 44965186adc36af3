//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Registries under keys", .timeLimit(.minutes(4)))
struct KeyRegistryTests {
    @Test("a registry takes processes of its node only")
    func otherNode() async throws {
        try await withNode { node in
            try await withNode { other in
                let registry = KeyRegistry<Int, Void>(on: other)
                try await node.inProcess { process in
                    let pid = process.pid
                    #expect(throws: KeyRegistryError.notLocal(pid)) {
                        try process.register(1, in: registry)
                    }
                    #expect(registry.keys(of: pid) == [])
                }
                let options = ProcessOptions(registration: registry.registration(1))
                #expect(throws: SpawnError.self) { try node.spawn(options: options) { _ in } }
                #expect(node.count == 0 && registry.count == 0)
                #expect(registry.table.all.isEmpty)
            }
        }
    }

    @Test("a start that fails leaves nothing under its key, and of its name")
    func failedStart() async throws {
        try await withNode { node in
            let registry = KeyRegistry<Int, Void>(on: node)
            var options = ProcessOptions(
                name: "n", registration: registry.registration(1), ownThread: true)
            #expect(throws: SpawnError.self) { try node.spawn(Counter.self, -1, options: options) }
            await #expect(throws: SpawnError.self) {
                try await node.spawn(AsyncCounter.self, -1, options: options)
            }
            #expect(registry.count == 0 && node.whereis("n") == nil)
            let holder = try node.spawn(Counter.self, 1, options: options)
            options.name = "m"
            #expect(throws: SpawnError.self) { try node.spawn(Counter.self, 1, options: options) }
            await #expect(throws: SpawnError.self) {
                try await node.spawn(AsyncCounter.self, 1, options: options)
            }
            #expect(throws: SpawnError.self) { try node.spawn(options: options) { _ in } }
            #expect(node.whereis("m") == nil && node.processes == [holder.pid])
            // A taken name does not touch the key.
            options.name = "n"
            options.registration = registry.registration(2)
            #expect(throws: SpawnError.self) { try node.spawn(Counter.self, 1, options: options) }
            #expect(registry.count == 1 && registry.whereis(2) == nil)
        }
    }

    @Test("a server finds itself under its key while it starts")
    func selfInInit() async throws {
        try await withNode { node in
            let registry = KeyRegistry<String, Int>(on: node)
            let log = Log<Bool>()
            let server = try node.spawn(
                Recorder.self,
                .init(Log()) { process in
                    log.append(registry.whereis("k") == process.pid)
                    process.updateValue(of: "k", in: registry) { $0 + 1 }
                },
                options: .init(registration: registry.registration("k", 1)))
            #expect(log.elements == [true])
            #expect(registry.seen("k") == [SeenEntry(pid: server.pid, value: 2)])
        }
    }

    @Test("of many that start at once under one key one runs")
    func oneWins() async throws {
        try await withNode { node in
            let registry = KeyRegistry<Int, Void>(on: node)
            for round in 0..<50 {
                let options = ProcessOptions(registration: registry.registration(round))
                let winners = await withTaskGroup(of: ServerRef<Counter>?.self) { tasks in
                    for _ in 0..<4 {
                        tasks.addTask { try? node.spawn(Counter.self, 0, options: options) }
                    }
                    return await tasks.reduce(into: [ServerRef<Counter>]()) { list, server in
                        if let server { list.append(server) }
                    }
                }
                #expect(winners.count == 1)
                #expect(registry.whereis(round) == winners.first?.pid)
            }
            #expect(registry.count == 50 && node.count == 50)
        }
    }

    @Test("a key goes from hand to hand; a look-up finds a living process or nobody")
    func handOver() async throws {
        try await withNode { node in
            let registry = KeyRegistry<Int, Void>(on: node)
            let wins = Tally()
            let isOver = Tally()
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    while isOver.count == 0 {
                        #expect(registry.lookup(1).count <= 1)
                        await Task.yield()
                    }
                }
                tasks.addTask {
                    await withTaskGroup(of: Void.self) { workers in
                        for _ in 0..<4 {
                            workers.addTask {
                                for round in 0..<200 {
                                    let process = try? node.spawn { process in
                                        try process.register(1, in: registry)
                                        #expect(registry.whereis(1) == process.pid)
                                        if round % 2 == 0 {
                                            #expect(process.unregister(1, from: registry) == 1)
                                        }
                                    }
                                    if await (try? process?.value) != nil {
                                        wins.add()
                                    }
                                    if let pid = process?.pid { #expect(!node.isAlive(pid)) }
                                }
                            }
                        }
                    }
                    isOver.add()
                }
            }
            #expect(wins.count > 0)
            #expect(registry.count == 0 && registry.table.all.isEmpty)
        }
    }

    @Test("a listener that mirrors a registry never goes astray, whoever registers and ends")
    func listener() async throws {
        try await withNode { node in
            let watcher = try node.spawn(
                options: .init(name: "watcher", mailbox: .init(capacity: 1))
            ) { process in
                var holders: [Int: Pid] = [:]
                var registered = 0
                while true {
                    switch try await process.receive() {
                    case let message as MessageKeyRegistered<Int, Void>:
                        // The key was given back before.
                        #expect(holders[message.key] == nil)
                        holders[message.key] = message.pid
                        registered += 1
                    case let message as MessageKeyUnregistered<Int, Void>:
                        #expect(holders[message.key] == message.pid)
                        holders[message.key] = nil
                    default:
                        #expect(holders.isEmpty)
                        return registered
                    }
                }
            }
            let registry = KeyRegistry<Int, Void>(on: node, listeners: [.pid(watcher.pid)])
            let wins = Tally()
            await withTaskGroup(of: Void.self) { tasks in
                for _ in 0..<4 {
                    tasks.addTask {
                        for round in 0..<100 {
                            let process = try? node.spawn { process in
                                for key in 0..<3 {
                                    guard (try? process.register(key, in: registry)) != nil else {
                                        continue
                                    }
                                    wins.add()
                                    if round % 3 == 0 { process.unregister(key, from: registry) }
                                }
                            }
                            _ = try? await process?.exitReason
                        }
                    }
                }
            }
            try watcher.send("end")
            #expect(try await watcher.value == wins.count)
        }
    }

    /// A key whose comparison looks into the very registry.
    struct Nosy: Hashable, Sendable {
        let number: Int
        let registry: @Sendable () -> Int

        static func == (left: Nosy, right: Nosy) -> Bool {
            left.registry() >= 0 && left.number == right.number
        }
        func hash(into hasher: inout Hasher) {
            _ = registry()
            hasher.combine(0)
        }
    }

    @Test("keys and values may use the registry while they are compared, replaced and destroyed")
    func reentrant() async throws {
        final class Box: Sendable {
            let registry: KeyRegistry<Int, Int>
            init(_ registry: KeyRegistry<Int, Int>) { self.registry = registry }
            deinit { _ = registry.lookup(1) }
        }
        try await withNode { node in
            let inner = KeyRegistry<Int, Int>(on: node)
            let looks = Tally()
            let outer = KeyRegistry<Nosy, Box>(on: node, keys: .duplicate)
            let values = KeyRegistry<Int, Box>(on: node)
            @Sendable func key(_ number: Int) -> Nosy {
                Nosy(number: number) {
                    looks.add()
                    return outer.count + outer.entries.count
                }
            }
            try await node.inProcess { process in
                for number in 0..<4 {
                    try process.register(key(number % 2), Box(inner), in: outer)
                }
                #expect(outer.lookup(key(0)).count == 2)
                #expect(process.unregister(key(1), from: outer) == 2)
                try process.register(1, Box(inner), in: values)
                process.updateValue(of: 1, in: values) { _ in Box(inner) }
                process.unregister(1, from: values)
            }
            #expect(outer.count == 0 && looks.count > 0)
        }
    }

    @Test("many entries under one key go quickly, in any order")
    func bigKey() async throws {
        try await withNode { node in
            let registry = KeyRegistry<String, Int>(on: node, keys: .duplicate)
            let holders = try (0..<2000).map { _ in try node.spawn(Doer.self) }
            for (index, holder) in holders.enumerated() {
                try await holder.call { try $0.register("all", index, in: registry) }
            }
            #expect(registry.lookup("all").map(\.value) == Array(0..<2000))
            for holder in holders where holder.pid.id % 2 == 0 { try await holder.stop(.normal) }
            let odd = holders.enumerated().filter { $1.pid.id % 2 != 0 }
            #expect(registry.lookup("all").map(\.value) == odd.map(\.offset))
        }
    }

    @Test("a registry goes when nobody refers to it and nobody is registered")
    func lifetime() async throws {
        try await withNode { node in
            weak var weakly: KeyRegistry<Int, Void>?
            let holder = try node.spawn(Doer.self)
            do {
                let registry = KeyRegistry<Int, Void>(on: node)
                weakly = registry
                try await holder.call { try $0.register(1, in: registry) }
            }
            #expect(weakly?.whereis(1) == holder.pid)
            try await holder.stop(.normal)
            #expect(weakly == nil)
        }
    }
}
