//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import TroupeTesting

@testable import Troupe

@Suite("Simulated races of ends", .timeLimit(.minutes(30)))
struct EndRaceTests {
    // MARK: - Several causes

    /// Ends with what it is told, and writes down that it does.
    private struct Mortal: GenServer {
        let ends: Journal<ExitReason>

        init(_ ends: Journal<ExitReason>, process: ServerProcess) { self.ends = ends }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
            throw ExitReason.normal
        }

        mutating func terminate(reason: ExitReason, process: ServerProcess) {
            ends.append(reason)
        }
    }

    /// What everybody sees of a process that returns, is told to end and is killed, all at once.
    private static func severalCauses(
        _ simulation: Simulation, isServer: Bool, observers: Int
    ) async throws {
        let node = try simulation.node()
        let ends = Journal<ExitReason>()
        let victim: Pid
        let exitReason: @Sendable () async throws -> ExitReason?
        if isServer {
            let server = try node.spawn(Mortal.self, ends)
            victim = server.pid
            exitReason = { try await server.exitReason }
        } else {
            let process = try node.spawn { process in _ = try await process.receive() }
            victim = process.pid
            exitReason = { try await process.exitReason }
        }
        let watcher = try node.spawn(options: .trapping) { process in
            try process.link(to: victim)
            let refs = (0..<observers).map { _ in process.monitor(victim) }
            try process.spawn { _ = try? $0.send("end", to: victim) }
            try process.spawn { $0.exit(victim, .custom("exit")) }
            try process.spawn { $0.exit(victim, .kill) }
            var reasons: [ExitReason] = []
            var downs: [MonitorRef] = []
            for message in try await process.rest() {
                switch message {
                case let exit as MessageExit where exit.from == victim:
                    reasons.append(exit.reason)
                case let down as MessageDown:
                    downs.append(down.ref)
                    reasons.append(down.reason)
                default: throw Violation(description: "unexpected \(message)")
                }
            }
            try Violation.unless(Set(downs) == Set(refs), "\(downs) instead of \(refs)")
            return reasons
        }
        let reason = try await exitReason()
        let reasons = try await watcher.value
        let seen = try #require(reasons.first)
        #expect(reasons == Array(repeating: seen, count: 1 + observers))
        #expect(reason == seen)
        #expect([.normal, .custom("exit"), .killed].contains(seen))
        // `terminate` has run once, unless a kill has ended it.
        #expect(ends.entries == (isServer && seen != .killed ? [seen] : []))
    }

    @Test("RACE-06 whatever ends a process at once, all see one and the same reason, once")
    func severalCauses() async throws {
        try await explore(.severalCauses) { simulation, _ in
            try await Self.severalCauses(
                simulation, isServer: simulation.random(in: 0..<2) == 1, observers: 2)
        }
    }

    @Test("RACE-06 in every interleaving", arguments: [false, true])
    func severalCausesExhaustively(isServer: Bool) async throws {
        try await exploreAll { simulation, _ in
            try await Self.severalCauses(simulation, isServer: isServer, observers: 1)
        }
    }

    // MARK: - Parents and children

    /// A parent that is killed while it starts linked children, or ends on its own.
    private static func orphans(
        _ simulation: Simulation, rounds: Int, servers: Bool = true
    ) async throws {
        let node = try simulation.node()
        let (started, reasons) = (Journal<Pid>(), Journal<ExitReason>())
        let parent = try node.spawn { process in
            for _ in 0..<rounds {
                let child = try process.spawnLinked(options: .trapping) { child in
                    if let exit = try await child.receive() as? MessageExit {
                        reasons.append(exit.reason)
                    }
                    // Nothing comes twice.
                    try await child.expectNothing()
                }
                started.append(child.pid)
                await pause(1)
                if servers {
                    _ = try process.spawnLinked(Idler.self, options: .trapping)
                    _ = try await process.spawnLinked(SlowIdler.self, .init())
                }
            }
            throw ExitReason.custom("own")
        }
        try node.spawn { process in
            await pause(1)
            process.exit(parent.pid, .kill)
        }
        let reason = try await parent.exitReason
        try await simulation.sleep(for: .seconds(10))
        #expect(reason == .killed || reason == .custom("own"))
        #expect(reasons.entries == started.entries.map { _ in reason })
        #expect(node.count == 0)
    }

    @Test("RACE-07 whenever a parent ends while it starts linked children, none is left over")
    func orphans() async throws {
        try await explore(.orphans) { simulation, _ in
            try await Self.orphans(simulation, rounds: 2)
        }
        for delays in [0, 2] {
            try await exploreAll(delays: delays) { simulation, _ in
                try await Self.orphans(simulation, rounds: 1, servers: false)
            }
        }
    }

    // MARK: - During init

    /// Is killed in its `init`, by itself.
    private struct Suicide: GenServer {
        init(_: Void, process: ServerProcess) { process.exit(process.pid, .kill) }
    }

    /// Somebody kills a child while it starts, or just before or after.
    private static func childKilled(_ simulation: Simulation, steps: Int) async throws {
        let node = try simulation.node()
        let starter = try node.spawn(options: .trapping) { process in
            try process.spawn { killer in
                await pause(1)
                if let child = node.whereis("n") { killer.exit(child, .kill) }
            }
            do {
                let child = try await process.spawnLinked(
                    SlowIdler.self, .init(steps: steps), options: .init(name: "n"))
                // The kill has come later, or never, as there was no child yet.
                let exits = try await process.remainingExits()
                try Violation.unless(
                    exits
                        == (node.isAlive(child.pid)
                            ? [] : [.init(from: child.pid, reason: .killed)]),
                    "\(exits)")
            } catch SpawnError.initFailed(let reason) {
                try Violation.unless(reason == .killed, "init failed with \(reason)")
                try Violation.unless(node.whereis("n") == nil, "the name is taken")
                try Violation.unless(process.links.isEmpty, "a link is left")
                try await process.expectNothing()
                // So the name can be had at once.
                _ = try process.spawnLinked(Idler.self, options: .init(name: "n"))
            }
        }
        try await starter.value
        await simulation.settle()
        #expect(node.count == (node.whereis("n") == nil ? 0 : 1))
    }

    @Test("RACE-08 a child that is killed in its init is not started, and its name is free")
    func childKilled() async throws {
        try await explore(.childKilledInInit) { simulation, _ in
            try await Self.childKilled(simulation, steps: 3)
            let node = try simulation.node("other")
            #expect(throws: SpawnError.initFailed(.killed)) {
                try node.spawn(Suicide.self, options: .init(name: "n"))
            }
            #expect(node.whereis("n") == nil && node.count == 0)
        }
        for delays in [0, 2] {
            try await exploreAll(delays: delays) { simulation, _ in
                try await Self.childKilled(simulation, steps: 1)
            }
        }
    }

    /// Somebody kills a process while it starts a child.
    private static func starterKilled(
        _ simulation: Simulation, isLinked: Bool, steps: Int
    ) async throws {
        let node = try simulation.node()
        let started = Journal<Pid>()
        let starter = try node.spawn { process in
            let options = ProcessOptions(name: "n")
            let argument = SlowIdler.Argument(steps: steps)
            let child =
                isLinked
                ? try await process.spawnLinked(SlowIdler.self, argument, options: options)
                : try await process.spawn(SlowIdler.self, argument, options: options)
            started.append(child.pid)
            while true { _ = try await process.receive() }
        }
        try node.spawnKiller(of: starter.pid)
        let reason = try await starter.exitReason
        #expect(reason == .killed)
        await simulation.settle()
        let holder = node.whereis("n")
        if isLinked {
            #expect(holder == nil && node.count == 0)
        } else {
            // It is there for good, or was taken along; what the starter has been told is true.
            #expect(node.count == (holder == nil ? 0 : 1))
            #expect(started.entries.allSatisfy { $0 == holder })
            if holder != nil {
                let child = try #require(node.server(SlowIdler.self, named: "n").current)
                try await child.stop()
            }
        }
    }

    @Test("RACE-08 when the starter is killed a linked child dies, and no child is half there")
    func starterKilled() async throws {
        try await explore(.starterKilledInInit) { simulation, _ in
            try await Self.starterKilled(
                simulation, isLinked: simulation.random(in: 0..<2) == 1, steps: 3)
        }
        for isLinked in [false, true] {
            try await exploreAll { simulation, _ in
                try await Self.starterKilled(simulation, isLinked: isLinked, steps: 2)
            }
        }
    }

    // MARK: - A full mailbox, a suspended server

    private static func killOfFull(
        _ simulation: Simulation, _ way: SimulatedWay, senders: Int
    ) async throws {
        let node = try simulation.node()
        let handled = Journal<String>()
        let full = ProcessOptions(
            mailbox: .init(capacity: 2, overflow: .reject), trapsExits: true)
        let victim = try node.spawn(options: full) { process in
            while true {
                // Busy: the others may fill its mailbox meanwhile.
                await pause(1)
                _ = try await process.receive()
                handled.append("message")
            }
        }
        for _ in 0..<senders {
            try node.spawn { process in
                for number in 0..<3 {
                    _ = try? process.send(number, to: victim.pid)
                    await pause(1)
                }
            }
        }
        await pause(1)
        _ = try? victim.send("last")
        let before = handled.entries.count
        node.kill(victim.pid)
        let reason = try await victim.exitReason
        #expect(reason == .killed)
        // One that has been taken is handled; and the kill may have been held up, too.
        #expect(handled.entries.count <= before + 1 || way.delays)
    }

    @Test("RACE-17 a kill ends a process that is busy, traps exits and has a full mailbox")
    func killOfFull() async throws {
        // What is refused when it arrives late is lost.
        var options = SimulationOptions()
        options.detectors.remove(.messageLoss)
        try await explore(.killOfFull, options: options) { simulation, way in
            try await Self.killOfFull(simulation, way, senders: 2)
        }
    }

    /// Writes down what it does.
    private struct Scribe: GenServer {
        let done: Journal<String>

        init(_ done: Journal<String>, process: ServerProcess) { self.done = done }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
            done.append("handled \(message)")
        }

        mutating func terminate(reason: ExitReason, process: ServerProcess) {
            done.append("terminate \(reason)")
        }
    }

    private static func killOfSuspended(_ simulation: Simulation) async throws {
        let node = try simulation.node()
        let done = Journal<String>()
        let options = ProcessOptions(mailbox: .init(capacity: 1), trapsExits: true)
        let server = try node.spawn(Scribe.self, done, options: options)
        try await server.suspend()
        try node.spawn { _ = try? $0.send("message", to: server.pid) }
        try node.spawn { $0.exit(server.pid, .custom("trapped")) }
        try node.spawnKiller(of: server.pid)
        let reason = try await server.exitReason
        #expect(reason == .killed)
        #expect(done.entries.isEmpty)
        await simulation.settle()
        #expect(node.count == 0)
    }

    @Test("RACE-17 a kill reaches a suspended server whose mailbox is full")
    func killOfSuspended() async throws {
        try await explore(.killOfSuspended) { simulation, _ in
            try await Self.killOfSuspended(simulation)
        }
        for delays in [0, 2] {
            try await exploreAll(delays: delays) { simulation, _ in
                try await Self.killOfSuspended(simulation)
            }
        }
    }
}
