//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// A supervisor's children beside a set of those that are to run, whatever happens to them.
///
/// Strategies, back-offs, budgets and requests meet here in orders that nobody would think of.
@Suite("Supervisor state against a model")
struct SupervisorStateModelTests {
    @Test("whoever is to run does in the end; until then it waits; nobody else does either")
    func wantedRun() {
        var (endings, strandings) = (Set<String>(), 0)
        for seed in 0..<1000 {
            var world = SupervisedWorld(seed: UInt64(seed))
            for _ in 0..<60 where world.isAlive { world.step() }
            if world.isAlive { world.settle() }
            endings.insert(world.ending)
            strandings += world.strandingCount
            if let problem = world.problem {
                Issue.record("seed \(seed): \(problem)")
                return
            }
        }
        // All that could happen did.
        #expect(endings == ["lives", "shutDown", "giveUpLastChild"])
        #expect(strandings > 100)
    }
}

private struct SupervisedWorld {
    private var random: SeededGenerator
    private var state: SupervisorState
    private var specs: [ChildSpec]
    private let autoShutdown: AutoShutdown
    /// The model: who is to run.
    private var wanted: Set<String> = []
    /// The model: who was given up and has not been started since.
    private var givenUp: Set<String> = []
    private var strategy: SupervisorStrategy
    private var now: UInt64 = 0
    private var lastPid: UInt64 = 0
    private(set) var ending = "lives"
    private(set) var strandingCount = 0
    private(set) var problem: String?

    var isAlive: Bool { ending == "lives" && problem == nil }

    private var time: NodeClock.Instant { NodeClock.Instant(nanoseconds: now * 1_000_000) }

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        autoShutdown = Bool.random(using: &random) ? .allSignificant : .never
        let slow = RestartBackoff(from: .milliseconds(20), upTo: .milliseconds(40), jitter: 0)
        specs = ["a", "b", "c", "d", "e"].map { id in
            let restart: Restart =
                [.permanent, .transient, .transient, .temporary].randomElement(using: &random)
                ?? .permanent
            return .worker(
                id, restart: restart,
                isSignificant: restart != .permanent && Bool.random(using: &random),
                recovery: ChildRecovery(
                    backoff: Bool.random(using: &random) ? slow : nil,
                    budget: Bool.random(using: &random)
                        ? RestartLimit(2, within: .milliseconds(200)) : nil))
        }
        let spec = Self.spec(specs, autoShutdown, &random)
        strategy = spec.strategy
        state = SupervisorState(spec)
        self.random = random
        for id in state.order { start(id) }
    }

    private static func spec(
        _ children: [ChildSpec], _ autoShutdown: AutoShutdown, _ random: inout SeededGenerator
    ) -> SupervisorSpec {
        let strategies: [SupervisorStrategy] = [.oneForOne, .oneForAll, .restForOne]
        return SupervisorSpec(
            strategy: strategies.randomElement(using: &random) ?? .oneForOne, limit: .plenty,
            autoShutdown: autoShutdown, children: children)
    }

    private mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    mutating func step() {
        now += UInt64.random(in: 0...15, using: &random)
        guard let id = state.order.randomElement(using: &random) else { return }
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<3: exit(id, .killed)
        case 3: exit(id, .normal)
        case 4:
            wanted.remove(id)
            state.ended(id)
            startStranded()
        case 5:
            if state[id]?.phase == .stopped || state[id]?.phase == .awaitingGroup, chance(70) {
                start(id)
            }
        case 6 where chance(30):
            specs.shuffle(using: &random)
            for index in specs.indices where specs[index].restart != .permanent {
                specs[index].restart = chance(50) ? .transient : .temporary
            }
            // A temporary child that has ended is one again.
            let children = specs.filter { state[$0.id] != nil }
            let spec = Self.spec(children, autoShutdown, &random)
            strategy = spec.strategy
            state.change(to: spec)
            startStranded()
        default:
            if let action = state.dueAttempt(at: time) { carryOut(action, failing: 25) }
        }
        check()
    }

    /// Lets all be started that waits for it.
    mutating func settle() {
        for _ in 0..<20 where isAlive {
            now += 50
            if let action = state.dueAttempt(at: time) { carryOut(action, failing: 0) }
            check()
        }
        for id in state.order where isAlive {
            if wanted.contains(id), state[id]?.pid == nil { problem = "\(id) does not run" }
        }
    }

    /// As whoever drives it does after each request, and when a child was given up.
    private mutating func startStranded() {
        for _ in 0..<20 where isAlive {
            guard let plan = state.planForStranded else { return }
            strandingCount += 1
            if !wanted.isSuperset(of: plan.starting) { problem = "\(plan) starts others" }
            carryOut(plan, failing: 25)
        }
    }

    private mutating func check() {
        if !isAlive { return }
        if let plan = state.planForStranded { problem = "\(plan) is left" }
        let present = Set(state.order.filter { state[$0]?.phase != .stopped })
        if present != wanted { problem = "\(present.sorted()), and not \(wanted.sorted())" }
    }

    private mutating func start(_ id: String) {
        lastPid += 1
        state.started(id, Pid(node: "test", id: lastPid, creation: 1), at: time)
        wanted.insert(id)
        givenUp.remove(id)
    }

    private mutating func exit(_ id: String, _ reason: ExitReason) {
        guard let pid = state[id]?.pid else { return }
        carryOut(state.exited(pid, reason, at: time, random: 0), failing: 25)
    }

    private mutating func carryOut(_ action: SupervisorState.ExitAction, failing percent: Int) {
        switch action {
        case .ignore, .giveUp: problem = "\(action)"
        case .leave(let id): forget(id)
        case .giveUpChild(let id):
            givenUp.insert(id)
            forget(id)
            startStranded()
        case .restart(let plan):
            checkGroup(plan)
            carryOut(plan, failing: percent)
        case .shutDown(let id): end("shutDown", id)
        case .giveUpLastChild(let id): end("giveUpLastChild", id)
        }
    }

    private func isSignificant(_ id: String) -> Bool {
        specs.contains { $0.id == id && $0.isSignificant }
    }

    /// A child does not run any more, and the supervisor goes on.
    private mutating func forget(_ id: String) {
        wanted.remove(id)
        if autoShutdown == .allSignificant, isSignificant(id),
            !wanted.contains(where: isSignificant)
        {
            problem = "\(id) was the last significant child"
        }
    }

    private mutating func end(_ how: String, _ id: String) {
        ending = how
        wanted.remove(id)
        let alive = wanted.filter(isSignificant)
        if !alive.isEmpty { problem = "\(how) although \(alive.sorted()) are to run" }
    }

    /// Whom a restart may start: of the group all that are to run, and those that have ended without
    /// having been given up.
    private mutating func checkGroup(_ plan: SupervisorState.RestartPlan) {
        let order = state.order
        guard let failed = plan.failed, let index = order.firstIndex(of: failed) else {
            problem = "\(plan) restarts nobody"
            return
        }
        let group =
            switch strategy {
            case .oneForOne: [failed]
            case .oneForAll: order
            case .restForOne: Array(order[index...])
            }
        let started = group.filter { id in
            let isEnded = state[id]?.spec.restart == .temporary && state[id]?.pid != nil
            return id == failed
                || !givenUp.contains(id) && !isEnded
                    && (wanted.contains(id) || state[id]?.spec.restart != .temporary)
        }
        let isLater = plan.starting.isEmpty
        if !isLater, plan.starting != started { problem = "\(plan) does not start \(started)" }
    }

    private mutating func carryOut(_ plan: SupervisorState.RestartPlan, failing percent: Int) {
        for id in plan.ending {
            state.endedForRestart(id)
            if state[id] == nil { wanted.remove(id) }
        }
        for id in plan.starting {
            if chance(percent) {
                wanted.insert(id)
                state.restartFailed(id, of: plan, at: time, random: 0)
                return
            } else if chance(percent / 5) {
                wanted.remove(id)
                state.startIgnored(id)
            } else {
                start(id)
            }
        }
    }
}
