//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("Signals: random operations against a model", .timeLimit(.minutes(30)))
struct SignalModelTests {
    @Test("processes that link, monitor and end each other see what the rules say, in order")
    func atOnce() async throws {
        try await explore(
            .signalModel, seeds: SeedCount.model, ways: [.random, .priorities]
        ) { simulation, way in
            try await SignalWorld.run(simulation, way)
        }
    }

    @Test("also when signals are held up, as far as one can know then")
    func heldUp() async throws {
        try await explore(
            .signalBooks, seeds: SeedCount.model, ways: [.randomWithDelays, .prioritiesWithDelays]
        ) { simulation, way in
            try await SignalWorld.run(simulation, way)
        }
    }

    @Test("the same seed makes the same run", arguments: SimulatedWay.allCases)
    func repeated(way: SimulatedWay) async throws {
        for seed in UInt64(1)...5 {
            try await expectSameTrace(seed: seed, options: way.options(SimulationOptions())) {
                try await SignalWorld.run($0, way)
            }
        }
    }
}

/// Processes that do random things to each other, and a model that is told of them.
///
/// An operation and its entry in the model are one step, so the model is always up to date.
private final class SignalWorld: Sendable {
    private struct State: Sendable {
        var model: SignalModel
        var pids: [Pid] = []
        var violations: [String] = []
    }

    private static let firstCount = 4
    private static let countMax = 9
    private static let operationCount = 12
    private static let reasons: [ExitReason] = [
        .normal, .shutdown, .custom("a"), .custom("b"), .kill, .killed,
    ]

    private let simulation: Simulation
    private let isExact: Bool
    private let state: Lock<State>

    private init(_ simulation: Simulation, isExact: Bool) {
        self.simulation = simulation
        self.isExact = isExact
        state = Lock(State(model: SignalModel(isExact: isExact)))
    }

    static func run(_ simulation: Simulation, _ way: SimulatedWay) async throws {
        let world = SignalWorld(simulation, isExact: !way.delays)
        let events = EventHandler(.exited) { event in
            if case .exited(let pid, let reason) = event { world.ended(pid, reason) }
        }
        let node = try simulation.node(events: events)
        for _ in 0..<firstCount {
            let number = world.state.withLock { $0.model.added() }
            let process = try node.spawn { try await world.live($0, number) }
            world.state.withLock { $0.pids.append(process.pid) }
        }
        await simulation.settle()
        world.check(node)
        world.killAll(node)
        await simulation.settle()
        #expect(node.count == 0)
        let (violations, living) = world.state.withLock { ($0.violations, $0.model.living) }
        #expect(violations.isEmpty && living.isEmpty)
    }

    private func killAll(_ node: Node) {
        let (living, pids) = state.withLock { ($0.model.living, $0.pids) }
        for number in living {
            node.kill(pids[number])
            // For the model it is all the same who does it.
            state.withLock { $0.model.exit(number, number, .kill) }
        }
    }

    // MARK: - A process

    private func live(_ process: Process, _ number: Int) async throws {
        var refs: [MonitorRef] = []
        for _ in 0..<Self.operationCount {
            try act(process, number, &refs)
            await pause(1)
            while let message = try await process.receive(timeout: .zero) { take(message, number) }
        }
        while true { take(try await process.receive(), number) }
    }

    private func act(_ process: Process, _ number: Int, _ refs: inout [MonitorRef]) throws {
        let (count, pids) = state.withLock { ($0.model.count, $0.pids) }
        let target = simulation.random(in: 0..<count)
        let pid = pids[target]
        switch simulation.random(in: 0..<20) {
        case 0..<4:
            let result = try? process.link(to: pid)
            expect("link of \(number) to \(target)") { $0.link(number, to: target) == result }
        case 4..<6:
            process.unlink(from: pid)
            state.withLock { $0.model.unlink(number, from: target) }
        case 6..<10:
            let ref = process.monitor(pid)
            refs.append(ref)
            state.withLock { $0.model.monitor(number, target, as: ref) }
        case 10..<12 where !refs.isEmpty:
            let ref = refs[simulation.random(in: 0..<refs.count)]
            let wasArmed = process.demonitor(ref)
            expect("demonitor of \(number): \(wasArmed)") { model in
                let possible = model.demonitor(number, ref)
                return wasArmed ? possible.armed : possible.fired
            }
        case 12..<15:
            let reason = Self.reasons[simulation.random(in: 0..<Self.reasons.count)]
            process.exit(pid, reason)
            state.withLock { $0.model.exit(number, target, reason) }
        case 15..<18:
            let traps = simulation.random(in: 0..<3) > 0
            process.setTrapsExits(traps)
            state.withLock { $0.model.setTraps(number, traps) }
        case 18 where count < Self.countMax:
            let child = state.withLock { $0.model.added(linkedTo: number) }
            let new = try process.spawnLinked { try await self.live($0, child) }
            state.withLock { $0.pids.append(new.pid) }
        case 19 where simulation.random(in: 0..<3) == 0:
            let reason = Self.reasons[simulation.random(in: 0..<Self.reasons.count)]
            state.withLock { $0.model.ends(number, reason) }
            throw reason
        default:
            break
        }
        checkLinks(number, process.links, process.node)
    }

    // MARK: - What is seen

    private func take(_ message: any Sendable, _ number: Int) {
        state.withLock { state in
            let problem: String?
            switch message {
            case let exit as MessageExit:
                let from = state.pids.firstIndex(of: exit.from)
                problem =
                    from.map { state.model.tookExit(number, from: $0, exit.reason) }
                    ?? "an EXIT from nobody"
            case let down as MessageDown:
                problem = state.model.tookDown(number, down.ref, down.reason)
            default:
                problem = "unexpected \(message)"
            }
            if let problem { state.violations.append(problem) }
        }
    }

    private func ended(_ pid: Pid, _ reason: ExitReason) {
        state.withLock { state in
            guard let number = state.pids.firstIndex(of: pid) else {
                return state.violations.append("nobody has ended")
            }
            if let problem = state.model.ended(number, reason) { state.violations.append(problem) }
        }
    }

    private func expect(_ what: String, _ holds: (inout SignalModel) -> Bool) {
        state.withLock { state in
            if !holds(&state.model) { state.violations.append(what) }
        }
    }

    /// Links of those who live are those of the model; what is on its way may still be there.
    private func checkLinks(_ number: Int, _ links: [Pid], _ node: Node) {
        let links = isExact ? links : links.filter { node.isAlive($0) }
        state.withLock { state in
            let numbers = links.compactMap { state.pids.firstIndex(of: $0) }.sorted()
            if numbers != state.model.links(of: number) {
                state.violations.append("\(number) is linked to \(numbers)")
            }
        }
    }

    /// When everything has arrived.
    private func check(_ node: Node) {
        let (model, pids) = state.withLock { ($0.model, $0.pids) }
        let living = model.living
        #expect(model.missing.isEmpty)
        #expect(pids.indices.filter { node.isAlive(pids[$0]) } == living)
        #expect(node.count == living.count)
        for number in living {
            guard let info = node.info(pids[number]) else { continue }
            checkLinks(number, info.links, node)
            // Nothing is left of those who are dead.
            #expect(info.links.allSatisfy { node.isAlive($0) })
            #expect(info.monitoredBy.allSatisfy { node.isAlive($0) })
        }
    }
}
