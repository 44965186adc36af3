//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Supervisor state")
struct SupervisorStateTests {
    /// What a sibling of the child that fails is doing.
    private enum Sibling: CaseIterable { case running, stopped, restarting }

    private static func pid(_ id: UInt64) -> Pid { Pid(node: "test", id: id, creation: 1) }
    private static func time(_ milliseconds: UInt64) -> NodeClock.Instant {
        NodeClock.Instant(nanoseconds: milliseconds * 1_000_000)
    }

    /// The children `a`, `b`, …, that run as the pids 1, 2, ….
    private static func state(
        limit: RestartLimit = .plenty, autoShutdown: AutoShutdown = .never,
        _ children: [ChildSpec]
    ) -> SupervisorState {
        state(.oneForOne, limit: limit, autoShutdown: autoShutdown, children)
    }

    private static func state(
        _ strategy: SupervisorStrategy, limit: RestartLimit = .plenty,
        autoShutdown: AutoShutdown = .never, _ children: [ChildSpec]
    ) -> SupervisorState {
        var state = SupervisorState(
            SupervisorSpec(
                strategy: strategy, limit: limit, autoShutdown: autoShutdown, children: children))
        for (index, id) in state.order.enumerated() {
            state.started(id, pid(UInt64(index + 1)), at: time(0))
        }
        return state
    }

    /// A process is killed, those of its group are ended, and then a child cannot be started.
    ///
    /// - Returns: what was to be done.
    @discardableResult
    private static func fail(
        _ state: inout SupervisorState, _ pid: Pid, notStarting id: String
    ) -> SupervisorState.RestartPlan? {
        let action = state.exited(pid, .killed, at: time(0), random: 0)
        guard case .restart(let plan) = action else {
            Issue.record("\(action)")
            return nil
        }
        for id in plan.ending { state.endedForRestart(id) }
        state.restartFailed(id, of: plan, at: time(0), random: 0)
        return plan
    }

    private static func specs(_ restarts: [Restart]) -> [ChildSpec] {
        zip(["a", "b", "c", "d"], restarts).map { .worker($0, restart: $1) }
    }

    @Test(
        "what an end does: every strategy, restart type, reason and state of the siblings",
        arguments: [SupervisorStrategy.oneForOne, .oneForAll, .restForOne])
    func exhaustive(strategy: SupervisorStrategy) {
        let restarts: [Restart] = [.permanent, .transient, .temporary]
        for own in restarts {
            for reason in ExitReason.examples {
                for (firstRestart, lastRestart) in restarts.flatMap({ one in
                    restarts.map { (one, $0) }
                }) {
                    for first in Sibling.allCases {
                        for last in Sibling.allCases {
                            // A temporary child neither is stopped nor waits.
                            if firstRestart == .temporary, first != .running { continue }
                            if lastRestart == .temporary, last != .running { continue }
                            check(
                                strategy, [firstRestart, own, lastRestart], first, last, reason)
                        }
                    }
                }
            }
        }
    }

    private func check(
        _ strategy: SupervisorStrategy, _ restarts: [Restart], _ first: Sibling, _ last: Sibling,
        _ reason: ExitReason
    ) {
        var state = Self.state(strategy, Self.specs(restarts))
        for (id, number, sibling) in [("a", UInt64(1), first), ("c", 3, last)] {
            switch sibling {
            case .running: break
            case .stopped: state.ended(id)
            case .restarting:
                _ = state.exited(Self.pid(number), .killed, at: Self.time(1), random: 0)
            }
        }
        let action = state.exited(Self.pid(2), reason, at: Self.time(2), random: 0)

        // The model: OTP's rules, written down another way.
        let isRestarted =
            switch restarts[1] {
            case .permanent: true
            case .transient: ![ExitReason.normal, .shutdown, .shutdown("x")].contains(reason)
            case .temporary: false
            }
        guard isRestarted else {
            #expect(action == .leave("b"))
            #expect(state["b"]?.phase == (restarts[1] == .temporary ? nil : .stopped))
            #expect(state.order == (restarts[1] == .temporary ? ["a", "c"] : ["a", "b", "c"]))
            return
        }
        var plan = SupervisorState.RestartPlan(failed: "b")
        let group: [(id: String, sibling: Sibling, restart: Restart)] =
            switch strategy {
            case .oneForOne: [("b", .stopped, restarts[1])]
            case .oneForAll:
                [
                    ("a", first, restarts[0]), ("b", .stopped, restarts[1]),
                    ("c", last, restarts[2]),
                ]
            case .restForOne: [("b", .stopped, restarts[1]), ("c", last, restarts[2])]
            }
        for member in group.reversed() where member.sibling != .stopped {
            plan.ending.append(member.id)
        }
        for member in group where member.restart != .temporary { plan.starting.append(member.id) }
        #expect(action == .restart(plan), "\(strategy) \(restarts) \(first) \(last) \(reason)")

        // When it is carried out everybody of the group runs, and nobody waits.
        for id in plan.ending { state.endedForRestart(id) }
        for (index, id) in plan.starting.enumerated() {
            state.started(id, Self.pid(UInt64(10 + index)), at: Self.time(2))
        }
        let outside = [first, last].count { $0 == .restarting }
        let inside = group.count { $0.sibling == .restarting }
        #expect(state.restartingCount == outside - inside)
        #expect(plan.starting.allSatisfy { state[$0]?.pid != nil })
        #expect(plan.ending.allSatisfy { plan.starting.contains($0) || state[$0] == nil })
        // The old process is nobody's any more.
        #expect(state.exited(Self.pid(2), .killed, at: Self.time(3), random: 0) == .ignore)
    }

    @Test("an unknown process does nothing")
    func unknown() {
        var state = Self.state(Self.specs([.permanent]))
        #expect(state.exited(Self.pid(99), .killed, at: Self.time(1), random: 0) == .ignore)
        #expect(state["a"]?.phase == .running(Self.pid(1)))
    }

    @Test("two children that are the same process: the end of the first leaves the other known")
    func sameProcess() {
        var state = Self.state(Self.specs([.permanent, .permanent]))
        state.started("b", Self.pid(1), at: Self.time(1))
        state.ended("a")
        let action = state.exited(Self.pid(1), .killed, at: Self.time(2), random: 0)
        #expect(action == .restart(.init(failed: "b", starting: ["b"])))
    }

    @Test("auto-shutdown: every mode, with one and with two significant children")
    func autoShutdown() {
        for mode in [AutoShutdown.never, .anySignificant, .allSignificant] {
            for significant in [[true, true], [true, false], [false, true], [false, false]] {
                for restart in [Restart.transient, .temporary] {
                    var state = Self.state(
                        autoShutdown: mode,
                        zip(["a", "b"], significant).map {
                            .worker($0, restart: restart, isSignificant: $1)
                        })
                    for (index, id) in ["a", "b"].enumerated() {
                        let action = state.exited(
                            Self.pid(UInt64(index + 1)), .normal, at: Self.time(1), random: 0)
                        let isDue =
                            switch mode {
                            case .never: false
                            case .anySignificant: significant[index]
                            case .allSignificant:
                                significant[index] && (index == 1 || !significant[1])
                            }
                        #expect(action == (isDue ? .shutDown(id) : .leave(id)))
                    }
                }
            }
        }
    }

    @Test("a significant child that waits to be started again counts as alive")
    func significantRestarting() {
        var state = Self.state(
            autoShutdown: .allSignificant,
            ["a", "b"].map { .worker($0, restart: .transient, isSignificant: true) })
        _ = state.exited(Self.pid(1), .killed, at: Self.time(1), random: 0)
        #expect(
            state.exited(Self.pid(2), .normal, at: Self.time(1), random: 0) == .leave("b"))
    }

    @Test("the limit: the failure and each attempt after it count, and then it is over")
    func limit() {
        var state = Self.state(
            limit: RestartLimit(3, within: .seconds(1)), Self.specs([.permanent, .permanent]))
        let plan = SupervisorState.RestartPlan(failed: "a", starting: ["a"])
        #expect(
            state.exited(Self.pid(1), .killed, at: Self.time(0), random: 0) == .restart(plan))
        for _ in 0..<2 {
            state.restartFailed("a", of: plan, at: Self.time(0), random: 0)
            #expect(state.nextDue == Self.time(0) && state.restartingCount == 1)
            #expect(state.dueAttempt(at: Self.time(0)) == .restart(plan))
        }
        state.restartFailed("a", of: plan, at: Self.time(0), random: 0)
        #expect(state.dueAttempt(at: Self.time(0)) == .giveUp("a"))
        // What is left to be ended does not contain it.
        #expect(state.endOrder == ["b"] && state.restartingCount == 0)
    }

    @Test("with no restarts allowed, the first failure ends the supervisor")
    func noRestarts() {
        var state = Self.state(limit: RestartLimit(0), Self.specs([.permanent]))
        #expect(state.exited(Self.pid(1), .normal, at: Self.time(0), random: 0) == .giveUp("a"))
    }

    @Test("when another of the group cannot be started, the attempts go on with that one, counted")
    func otherFails() {
        var state = Self.state(
            .oneForAll, limit: RestartLimit(2, within: .seconds(1)),
            Self.specs([.permanent, .permanent, .permanent]))
        Self.fail(&state, Self.pid(2), notStarting: "a")
        // As in OTP the child that failed first is just one of those that are not there.
        #expect(state["b"]?.phase == .awaitingGroup && state.restartingCount == 1)
        let next = SupervisorState.RestartPlan(failed: "a", starting: ["a", "b", "c"])
        #expect(state.dueAttempt(at: Self.time(0)) == .restart(next))
        state.restartFailed("a", of: next, at: Self.time(0), random: 0)
        #expect(state.dueAttempt(at: Self.time(0)) == .giveUp("a"))
    }

    @Test("a back-off grows with each failure, and begins anew when the child has run long enough")
    func backoff() {
        let backoff = RestartBackoff(
            from: .milliseconds(10), upTo: .milliseconds(45), jitter: 0,
            resetAfter: .milliseconds(100))
        var state = Self.state([
            .worker("a", recovery: .init(backoff: backoff)), .worker("b"),
        ])
        var (now, pid): (UInt64, UInt64) = (0, 1)
        for (runs, delay) in [(1, 10), (1, 20), (99, 40), (1, 45), (1, 45), (100, 10), (1, 20)] {
            now += UInt64(runs)
            let action = state.exited(Self.pid(pid), .killed, at: Self.time(now), random: 0.5)
            #expect(action == .restart(.init(failed: "a")))
            let due = Self.time(now + UInt64(delay))
            #expect(state.nextDue == due)
            #expect(state.dueAttempt(at: Self.time(now + UInt64(delay) - 1)) == nil)
            // It was counted when the child failed.
            now += UInt64(delay)
            #expect(
                state.dueAttempt(at: Self.time(now))
                    == .restart(.init(failed: "a", starting: ["a"])))
            pid += 100
            state.started("a", Self.pid(pid), at: Self.time(now))
            #expect(state.nextDue == nil)
        }
    }

    @Test("a group with a back-off is ended at once, and started when the time has come")
    func groupBackoff() {
        let backoff = RestartBackoff(
            from: .milliseconds(10), upTo: .milliseconds(10), jitter: 0)
        var state = Self.state(
            .oneForAll,
            [.worker("a"), .worker("b", recovery: .init(backoff: backoff)), .worker("c")])
        let action = state.exited(Self.pid(2), .killed, at: Self.time(0), random: 0)
        #expect(action == .restart(.init(failed: "b", ending: ["c", "a"])))
        for id in ["c", "a"] { state.endedForRestart(id) }
        #expect(
            state.dueAttempt(at: Self.time(10))
                == .restart(.init(failed: "b", starting: ["a", "b", "c"])))
    }

    @Test("a budget counts for its child alone; when it is used up the child stays stopped")
    func budget() {
        var state = Self.state(
            .oneForAll, limit: RestartLimit(0),
            [
                .worker("a", recovery: .init(budget: RestartLimit(2, within: .seconds(1)))),
                .worker("b"),
            ])
        for pid: UInt64 in [1, 11] {
            let action = state.exited(Self.pid(pid), .killed, at: Self.time(0), random: 0)
            #expect(
                action == .restart(.init(failed: "a", ending: ["b"], starting: ["a", "b"])))
            state.endedForRestart("b")
            state.started("a", Self.pid(pid + 10), at: Self.time(0))
            state.started("b", Self.pid(pid + 11), at: Self.time(0))
        }
        #expect(
            state.exited(Self.pid(21), .killed, at: Self.time(0), random: 0)
                == .giveUpChild("a"))
        #expect(state["a"]?.phase == .stopped && state["b"]?.phase == .running(Self.pid(22)))
        #expect(state.restartingCount == 0 && state.planForStranded == nil)
    }

    @Test("who was ended to be started with a child that is given up then is started without it")
    func budgetOfAGroup() {
        let budget = ChildRecovery(budget: RestartLimit(1, within: .seconds(1)))
        var state = Self.state(
            .restForOne, limit: RestartLimit(1),
            [
                .worker("a"), .worker("b", recovery: budget), .worker("c"),
                .worker("d", restart: .temporary),
            ])
        let plan = Self.fail(&state, Self.pid(2), notStarting: "b")
        #expect(plan == .init(failed: "b", ending: ["d", "c"], starting: ["b", "c"]))
        #expect(state.planForStranded == nil)
        #expect(state.dueAttempt(at: Self.time(0)) == .giveUpChild("b"))
        #expect(state["b"]?.phase == .stopped && state.nextDue == nil)
        let rest = SupervisorState.RestartPlan(failed: nil, starting: ["c"])
        #expect(state.planForStranded == rest)
        // It fails as one that has failed itself.
        state.restartFailed("c", of: rest, at: Self.time(0), random: 0)
        #expect(state.planForStranded == nil)
        #expect(
            state.dueAttempt(at: Self.time(0))
                == .restart(.init(failed: "c", starting: ["c"])))
    }

    @Test("nobody who is given up is started with the group, so that all are given up at last")
    func budgetsOfAGroup() {
        let budget = ChildRecovery(budget: RestartLimit(1, within: .seconds(60)))
        var state = Self.state(
            .oneForAll, limit: RestartLimit(0),
            [.worker("a", recovery: budget), .worker("b", recovery: budget)])
        var action: SupervisorState.ExitAction? = state.exited(
            Self.pid(1), .killed, at: Self.time(0), random: 0)
        var (givenUp, starts) = ([String](), [[String]]())
        // Nothing can be started.
        while let next = action, starts.count < 20 {
            switch next {
            case .restart(let plan):
                for id in plan.ending { state.endedForRestart(id) }
                starts.append(plan.starting)
                if let first = plan.starting.first {
                    state.restartFailed(first, of: plan, at: Self.time(0), random: 0)
                }
            case .giveUpChild(let id): givenUp.append(id)
            default: Issue.record("\(next)")
            }
            action =
                state.planForStranded.map { .restart($0) } ?? state.dueAttempt(at: Self.time(0))
        }
        #expect(givenUp == ["a", "b"])
        #expect(starts == [["a", "b"], ["b"], ["b"]])
        #expect(state.nextDue == nil)
        // Who is started by hand is one of the group again.
        state.started("a", Self.pid(3), at: Self.time(0))
        state.started("b", Self.pid(4), at: Self.time(0))
        #expect(
            state.exited(Self.pid(4), .killed, at: Self.time(100_000), random: 0)
                == .restart(.init(failed: "b", ending: ["a"], starting: ["a", "b"])))
    }

    @Test("who is about to be started again without a child that is given up has not ended")
    func budgetOfASignificantGroup() {
        let budget = ChildRecovery(budget: RestartLimit(1, within: .seconds(60)))
        var state = Self.state(
            .oneForAll, autoShutdown: .allSignificant,
            [
                .worker("a", restart: .transient, isSignificant: true, recovery: budget),
                .worker("b", restart: .transient, isSignificant: true),
            ])
        Self.fail(&state, Self.pid(1), notStarting: "a")
        #expect(state.dueAttempt(at: Self.time(0)) == .giveUpChild("a"))
        state.started("b", Self.pid(5), at: Self.time(0))
        #expect(
            state.exited(Self.pid(5), .normal, at: Self.time(0), random: 0) == .shutDown("b"))
    }

    /// One that runs a group restart that cannot begin: `b` waits for its back-off, the others for it.
    private static func waitingGroup(
        _ strategy: SupervisorStrategy = .oneForAll, autoShutdown: AutoShutdown = .never,
        isSignificant: Bool = false
    ) -> SupervisorState {
        let backoff = RestartBackoff(from: .seconds(1), upTo: .seconds(1), jitter: 0)
        var state = Self.state(
            strategy, autoShutdown: autoShutdown,
            ["a", "b", "c", "d"].map {
                .worker(
                    $0, restart: .transient, isSignificant: isSignificant,
                    recovery: .init(backoff: backoff))
            })
        // One that ended by itself before.
        #expect(state.exited(pid(4), .normal, at: time(0), random: 0) == .leave("d"))
        guard case .restart(let plan) = state.exited(pid(2), .killed, at: time(0), random: 0) else {
            Issue.record("no restart")
            return state
        }
        for id in plan.ending { state.endedForRestart(id) }
        return state
    }

    @Test("who was ended to be started with its group has not ended; who ended by itself has")
    func awaitingIsAlive() {
        var state = Self.waitingGroup(autoShutdown: .allSignificant, isSignificant: true)
        // Started by hand, it ends by itself: the group is still to come.
        state.started("c", Self.pid(9), at: Self.time(1))
        #expect(state.exited(Self.pid(9), .normal, at: Self.time(1), random: 0) == .leave("c"))
        #expect(state["a"]?.phase == .awaitingGroup && state["c"]?.phase == .stopped)
        state.ended("b")
        state.ended("a")
        state.started("d", Self.pid(10), at: Self.time(1))
        #expect(state.exited(Self.pid(10), .normal, at: Self.time(1), random: 0) == .shutDown("d"))
    }

    @Test("when the child that its group waits for is ended, the others are started without it")
    func endWaited() {
        for strategy in [SupervisorStrategy.oneForAll, .restForOne] {
            var state = Self.waitingGroup(strategy)
            #expect(state.planForStranded == nil)
            state.ended("b")
            let others = strategy == .oneForAll ? ["a", "c"] : ["c"]
            #expect(state.planForStranded == .init(failed: nil, starting: others))
            // Who is ended meanwhile stays that.
            state.ended("c")
            #expect(state.planForStranded?.starting ?? [] == Array(others.dropLast()))
        }
    }

    @Test("when the group becomes a smaller one, the others are started at once")
    func changeWaited() {
        for (strategy, others) in [
            (SupervisorStrategy.oneForOne, ["a", "c"]), (.restForOne, ["a"]),
        ] {
            var state = Self.waitingGroup()
            let specs = state.order.compactMap { state[$0]?.spec }
            state.change(
                to: SupervisorSpec(strategy: strategy, limit: .plenty, children: specs))
            let plan = SupervisorState.RestartPlan(failed: nil, starting: others)
            #expect(state.planForStranded == plan)
            // One that cannot be started waits by itself then.
            state.restartFailed("a", of: plan, at: Self.time(0), random: 0)
            #expect(state.planForStranded?.starting ?? [] == Array(others.dropFirst()))
            #expect(state.restartingCount == 2)
        }
    }

    @Test("who waits for its group is started with it, even if it was made temporary since")
    func awaitingMadeTemporary() {
        var state = Self.state(.oneForAll, Self.specs([.permanent, .permanent]))
        Self.fail(&state, Self.pid(2), notStarting: "a")
        state.change(
            to: SupervisorSpec(
                strategy: .oneForAll, limit: .plenty,
                children: Self.specs([.permanent, .temporary])))
        #expect(
            state.dueAttempt(at: Self.time(0))
                == .restart(.init(failed: "a", starting: ["a", "b"])))
    }

    @Test(
        "with another budget a child that was given up is one of its group again",
        arguments: [1, 2])
    func changedBudget(_ count: Int) {
        func specs(_ count: Int) -> [ChildSpec] {
            let budget = ChildRecovery(budget: RestartLimit(count, within: .seconds(60)))
            return [.worker("a", recovery: budget), .worker("b")]
        }
        var state = Self.state(.oneForAll, specs(1))
        Self.fail(&state, Self.pid(1), notStarting: "a")
        #expect(state.dueAttempt(at: Self.time(0)) == .giveUpChild("a"))
        state.started("b", Self.pid(3), at: Self.time(0))
        state.change(
            to: SupervisorSpec(strategy: .oneForAll, limit: .plenty, children: specs(count)))
        #expect(
            state.exited(Self.pid(3), .killed, at: Self.time(0), random: 0)
                == .restart(.init(failed: "b", starting: count == 1 ? ["b"] : ["a", "b"])))
    }

    @Test("a significant child that is given up has ended, too")
    func budgetOfASignificantChild() {
        let budget = ChildRecovery(budget: RestartLimit(0, within: .seconds(1)))
        for rule in [AutoShutdown.anySignificant, .allSignificant] {
            var state = SupervisorState(
                SupervisorSpec(
                    autoShutdown: rule,
                    children: ["a", "b"].map {
                        .worker($0, restart: .transient, isSignificant: true, recovery: budget)
                    }))
            state.started("a", Self.pid(1), at: Self.time(0))
            state.started("b", Self.pid(2), at: Self.time(0))
            if rule == .allSignificant {
                #expect(
                    state.exited(Self.pid(1), .killed, at: Self.time(0), random: 0)
                        == .giveUpChild("a"))
            }
            #expect(
                state.exited(Self.pid(2), .killed, at: Self.time(0), random: 0)
                    == .giveUpLastChild("b"))
        }
    }

    @Test("those who wait are started again one by one, the earliest first, in order")
    func severalDue() {
        let slow = RestartBackoff(from: .milliseconds(20), upTo: .milliseconds(20), jitter: 0)
        let fast = RestartBackoff(from: .milliseconds(10), upTo: .milliseconds(10), jitter: 0)
        var state = Self.state([
            .worker("a", recovery: .init(backoff: slow)),
            .worker("b", recovery: .init(backoff: fast)),
            .worker("c", recovery: .init(backoff: fast)),
        ])
        for pid: UInt64 in [3, 1, 2] {
            _ = state.exited(Self.pid(pid), .killed, at: Self.time(0), random: 0)
        }
        for id in ["b", "c", "a"] {
            #expect(
                state.dueAttempt(at: Self.time(30)) == .restart(.init(failed: id, starting: [id])))
            state.started(id, Self.pid(7), at: Self.time(30))
        }
        #expect(state.dueAttempt(at: Self.time(30)) == nil)
    }

    @Test("ending or removing a child that waits stops its attempts")
    func endRestarting() {
        for isRemoved in [true, false] {
            var state = Self.state(Self.specs([.permanent, .permanent]))
            _ = state.exited(Self.pid(1), .killed, at: Self.time(0), random: 0)
            if isRemoved { state.remove("a") } else { state.ended("a") }
            #expect(state.nextDue == nil && state.dueAttempt(at: Self.time(9)) == nil)
            #expect(state.order == (isRemoved ? ["b"] : ["a", "b"]))
        }
    }

    @Test("other specifications leave processes, and those that wait, as they are")
    func change() {
        var state = Self.state(Self.specs([.permanent, .permanent, .permanent]))
        _ = state.exited(Self.pid(1), .killed, at: Self.time(0), random: 0)
        state.change(
            to: SupervisorSpec(
                strategy: .restForOne,
                children: [
                    .worker("b", restart: .transient), .worker("a", restart: .temporary),
                    .worker("new"),
                ]))
        #expect(Set(state.order) == ["a", "b", "c", "new"] && state.order.count == 4)
        #expect(state["b"]?.phase == .running(Self.pid(2)) && state["new"]?.phase == .stopped)
        #expect(state.restartingCount == 1)
        // It fails no more after it was made temporary, but it is started once: it had failed before.
        guard case .restart(let plan) = state.dueAttempt(at: Self.time(1)) else {
            Issue.record("no attempt")
            return
        }
        #expect(plan.starting.contains("a"))
        #expect(
            state.exited(Self.pid(2), .normal, at: Self.time(1), random: 0) == .leave("b"))
    }
}
