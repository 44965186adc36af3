//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import TroupeTesting

@testable import Troupe

@Suite("Simulated races of monitors and links", .timeLimit(.minutes(30)))
struct SignalRaceTests {
    // MARK: - Monitors

    /// A process that removes one of two monitors of a process that ends.
    private static func demonitor(
        _ simulation: Simulation, _ way: SimulatedWay, alias: MonitorAlias?, reason: ExitReason
    ) async throws {
        let node = try simulation.node()
        let watcher = try node.spawn { process in
            let target = try process.spawn { _ in throw reason }
            let (ref, address): (MonitorRef, Alias?) =
                alias.map { process.monitor(target.pid, alias: $0) }
                ?? (process.monitor(target.pid), nil)
            let other = process.monitor(target.pid)
            await pause()
            let wasArmed = process.demonitor(ref)
            // What is not armed any more has fired, and that is done by one that has ended.
            try Violation.unless(wasArmed || !node.isAlive(target.pid), "disarmed by a living one")
            let early = try await process.receive(timeout: .zero) as? MessageDown
            try Violation.unless(
                way.delays || wasArmed == (early == nil),
                "armed: \(wasArmed), and the other monitor has \(early as Any)")
            var downs = early.map { [$0] } ?? []
            for message in try await process.rest() {
                guard let down = message as? MessageDown else {
                    throw Violation(description: "unexpected \(message)")
                }
                downs.append(down)
            }
            try Violation.unless(
                downs.map(\.ref) == [other] && downs.map(\.reason) == [reason], "\(downs)")
            try Violation.unless(process.info.monitors.isEmpty, "a monitor is left")
            if let address {
                try Violation.unless(
                    process.removeAlias(address) == (alias == .explicitUnalias),
                    "the alias lives as long as it should not")
            }
        }
        try await watcher.value
    }

    @Test("RACE-01 a demonitor against a DOWN in flight: never that DOWN, always the other")
    func demonitor() async throws {
        try await explore(.demonitor) { simulation, way in
            let aliases: [MonitorAlias?] = [nil, .explicitUnalias, .demonitor, .replyDemonitor]
            try await Self.demonitor(
                simulation, way, alias: aliases[simulation.random(in: 0..<4)],
                reason: [.normal, .custom(["compound": [1, 2]])][simulation.random(in: 0..<2)])
        }
    }

    @Test("RACE-01 in every interleaving, with every signal held up", arguments: [0, 2])
    func demonitorExhaustively(delays: Int) async throws {
        try await exploreAll(delays: delays) { simulation, way in
            try await Self.demonitor(simulation, way, alias: nil, reason: .custom("reason"))
        }
    }

    // MARK: - Unlink

    /// A process that traps exits and unlinks itself from one that ends.
    private static func unlink(_ simulation: Simulation) async throws {
        let node = try simulation.node()
        let process = try node.spawn(options: .trapping) { process in
            let dying = try process.spawnLinked { _ in throw ExitReason.custom("end") }
            await pause()
            process.unlink(from: dying.pid)
            try Violation.unless(process.links.isEmpty, "the link is still there")
            // What has not come yet never will.
            let early = try await process.receive(timeout: .zero) as? MessageExit
            let expected = MessageExit(from: dying.pid, reason: .custom("end"))
            try Violation.unless(early == nil || early == expected, "\(early as Any)")
            try await process.expectNothing()
            try Violation.unless(!node.isAlive(dying.pid), "it has not ended")
        }
        try await process.value
    }

    @Test("RACE-02 an unlink against an exit in flight: it is in the mailbox already, or never is")
    func unlink() async throws {
        try await explore(.unlink) { simulation, _ in try await Self.unlink(simulation) }
        for delays in [0, 3] {
            try await exploreAll(delays: delays) { simulation, _ in
                try await Self.unlink(simulation)
            }
        }
    }

    /// A process that does not trap, and unlinks itself from one that ends.
    private static func unlinkUntrapped(_ simulation: Simulation) async throws {
        let node = try simulation.node()
        let wasUnharmed = Journal<Bool>()
        let process = try node.spawn { process in
            let dying = try process.spawnLinked { _ in throw ExitReason.custom("end") }
            await pause()
            process.unlink(from: dying.pid)
            wasUnharmed.append(process.cell.withCore { $0.lifecycle.stopReason == nil })
            try await process.expectNothing()
        }
        let reason = try await process.exitReason
        await simulation.settle()
        // It is ended by an exit before the unlink, or not at all.
        #expect(wasUnharmed.entries == [reason == .normal])
        #expect([.normal, .custom("end")].contains(reason))
        #expect(node.count == 0)
    }

    @Test("RACE-02 who does not trap survives if the unlink came before the exit, and only then")
    func unlinkUntrapped() async throws {
        try await explore(.unlinkUntrapped) { simulation, _ in
            try await Self.unlinkUntrapped(simulation)
        }
        for delays in [0, 3] {
            try await exploreAll(delays: delays) { simulation, _ in
                try await Self.unlinkUntrapped(simulation)
            }
        }
    }

    // MARK: - Link

    /// A process that links itself with one that ends at once, or in some steps.
    private static func linkToDying(_ simulation: Simulation, isSlow: Bool) async throws {
        let node = try simulation.node()
        let process = try node.spawn(options: .trapping) { process in
            let dying: Pid
            if isSlow {
                dying = try await process.spawn(SlowIdler.self, .init(steps: 0, endSteps: 2)).pid
                process.exit(dying, .custom("end"))
            } else {
                dying = try process.spawn { _ in throw ExitReason.custom("end") }.pid
            }
            await pause()
            let wasAlive = node.isAlive(dying)
            var expected: [MessageExit] = []
            do {
                try process.link(to: dying)
                try Violation.unless(wasAlive, "linked with one that has ended")
                expected = [MessageExit(from: dying, reason: .custom("end"))]
            } catch SignalError.processUnknown(let pid) {
                try Violation.unless(!wasAlive && pid == dying, "\(pid) is alive")
            }
            let exits = try await process.remainingExits()
            try Violation.unless(exits == expected, "\(exits) instead of \(expected)")
            try Violation.unless(process.links.isEmpty, "a link is left")
        }
        try await process.value
    }

    @Test("RACE-03 a link to a dying process has one outcome: an error, or one exit that is real")
    func linkToDying() async throws {
        try await explore(.linkToDying) { simulation, _ in
            try await Self.linkToDying(simulation, isSlow: simulation.random(in: 0..<2) == 1)
        }
        for (isSlow, delays) in [(false, 0), (false, 3), (true, 0), (true, 3)] {
            try await exploreAll(delays: delays) { simulation, _ in
                try await Self.linkToDying(simulation, isSlow: isSlow)
            }
        }
    }

    /// A process that links itself again with one that unlinks it and ends.
    private static func relink(_ simulation: Simulation) async throws {
        let node = try simulation.node()
        let process = try node.spawn(options: .trapping) { process in
            let own = process.pid
            let partner = try process.spawnLinked { partner in
                partner.unlink(from: own)
                await pause(1)
                throw ExitReason.custom("end")
            }
            await pause()
            let wasAlive = node.isAlive(partner.pid)
            var expected: [MessageExit] = []
            do {
                // The old link that is still there is removed by the partner before it ends.
                if try process.link(to: partner.pid) == .linked {
                    expected = [MessageExit(from: partner.pid, reason: .custom("end"))]
                }
                try Violation.unless(wasAlive, "linked with one that has ended")
            } catch SignalError.processUnknown(let pid) {
                try Violation.unless(!wasAlive && pid == partner.pid, "\(pid) is alive")
            }
            let exits = try await process.remainingExits()
            try Violation.unless(exits == expected, "\(exits) instead of \(expected)")
            try Violation.unless(process.links.isEmpty, "a link is left")
        }
        try await process.value
    }

    @Test("RACE-04 a link made while the partner unlinks and ends is a link of its own")
    func relink() async throws {
        try await explore(.relink) { simulation, _ in try await Self.relink(simulation) }
        for delays in [0, 3] {
            try await exploreAll(delays: delays) { simulation, _ in
                try await Self.relink(simulation)
            }
        }
    }
}
