//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("What a dynamic supervisor decides")
struct DynamicSupervisorStateTests {
    private typealias State = DynamicSupervisorState

    private func pid(_ id: UInt64) -> Pid {
        Pid(node: "test", id: id, creation: 1)
    }

    private func instant(_ milliseconds: UInt64) -> NodeClock.Instant {
        .init(nanoseconds: milliseconds * 1_000_000)
    }

    private func child(
        _ restart: Restart = .permanent, _ recovery: ChildRecovery = ChildRecovery()
    ) -> ChildSpec {
        ChildSpec("child", restart: restart, recovery: recovery) { _ in }
    }

    /// With the children 0, 1, …, whose pids have the same numbers.
    private func state(
        _ children: [ChildSpec], limit: RestartLimit = RestartLimit(), childLimit: Int? = nil
    ) -> State {
        var state = State(limit, childLimit: childLimit)
        for (number, child) in children.enumerated() {
            state.added(child, nil, pid(UInt64(number)), at: instant(0))
        }
        return state
    }

    private func backoff(jitter: Double = 0) -> ChildRecovery {
        ChildRecovery(
            backoff: RestartBackoff(
                from: .milliseconds(10), upTo: .milliseconds(40), jitter: jitter,
                resetAfter: .milliseconds(100)))
    }

    @Test(
        "which end of which child is repaired",
        arguments: [Restart.permanent, .transient, .temporary], ExitReason.examples)
    func repaired(restart: Restart, reason: ExitReason) {
        var state = state([child(restart)])
        let isRepaired =
            switch restart {
            case .permanent: true
            case .transient: !reason.isClean
            case .temporary: false
            }
        let action = state.exited(pid(0), reason, at: instant(1), random: 0)
        #expect(action == (isRepaired ? .start(0) : .forget))
        #expect(state.count == (isRepaired ? 1 : 0))
        #expect(state.isRunning(0) == false)
        // Whoever ends twice was no child the second time.
        #expect(state.exited(pid(0), reason, at: instant(1), random: 0) == .ignore)
    }

    @Test("a stranger's end is ignored")
    func stranger() {
        var state = state([child()])
        #expect(state.exited(pid(7), .kill, at: instant(1), random: 0) == .ignore)
        #expect(state.isRunning(0))
    }

    @Test("what is needed to start a child again is kept, except for a temporary one")
    func kept() {
        let state = state([child(.permanent), child(.transient), child(.temporary)])
        #expect(state[0]?.restarting?.spec.restart == .permanent)
        #expect(state[1]?.restarting?.spec.restart == .transient)
        #expect(state[2] != nil && state[2]?.restarting == nil)
        #expect(state[3] == nil)
    }

    @Test("a child that was started again is known by its new pid")
    func restarted() {
        var state = state([child(), child()])
        #expect(state.exited(pid(0), .normal, at: instant(1), random: 0) == .start(0))
        #expect(state.number(of: pid(0)) == 0)
        state.restarted(0, pid(9), at: instant(2))
        #expect(state.number(of: pid(0)) == nil && state.number(of: pid(9)) == 0)
        #expect(state.all.map(\.child.pid) == [pid(9), pid(1)])
        #expect(state.all.map(\.isRunning) == [true, true])
        #expect(state.nextDue == nil)
    }

    @Test("too many restarts within the period end the supervisor; those before do not count")
    func limit() {
        var state = state(
            Array(repeating: child(), count: 4), limit: RestartLimit(2, within: .milliseconds(10)))
        for (number, time) in [0, 11, 12].enumerated() {
            let number = UInt64(number)
            let action = state.exited(
                pid(number), .killed, at: instant(UInt64(time)), random: 0)
            #expect(action == .start(number))
            state.restarted(number, pid(number + 10), at: instant(UInt64(time)))
        }
        #expect(state.exited(pid(3), .killed, at: instant(13), random: 0) == .giveUp)
        #expect(state.number(of: pid(3)) == nil)
    }

    @Test("a start that fails is tried again at once, and counts")
    func startFails() {
        var state = state([child()], limit: RestartLimit(2))
        #expect(state.exited(pid(0), .normal, at: instant(0), random: 0) == .start(0))
        state.restartFailed(0, at: instant(1), random: 0)
        #expect(state.nextDue == instant(1))
        #expect(state.number(of: pid(0)) == 0 && !state.isRunning(0))
        #expect(state.dueAttempt(at: instant(0)) == nil)
        #expect(state.dueAttempt(at: instant(1)) == .start(0))
        state.restartFailed(0, at: instant(1), random: 0)
        #expect(state.dueAttempt(at: instant(1)) == .giveUp)
        #expect(state.count == 0 && state.nextDue == nil)
    }

    @Test(
        "a back-off delays restarts, twice as long each time, until the child has run long enough")
    func backsOff() {
        var state = state([child(.permanent, backoff())], limit: RestartLimit(100))
        var (now, own) = (UInt64(0), pid(0))
        for (run, delay) in [(1, 10), (1, 20), (99, 40), (1, 40), (100, 10), (1, 20)]
            as [(UInt64, UInt64)]
        {
            now += run
            #expect(state.exited(own, .killed, at: instant(now), random: 0) == .wait)
            #expect(state.nextDue == instant(now + delay))
            #expect(state.dueAttempt(at: instant(now + delay - 1)) == nil)
            now += delay
            #expect(state.dueAttempt(at: instant(now)) == .start(0))
            own = pid(1000 + now)
            state.restarted(0, own, at: instant(now))
        }
    }

    @Test("the jitter of a back-off makes it shorter", arguments: [0.0, 0.5, 1.0])
    func jitter(random: Double) {
        var state = state([child(.permanent, backoff(jitter: 0.2))])
        _ = state.exited(pid(0), .killed, at: instant(0), random: random)
        let due = state.nextDue?.nanoseconds ?? 0
        #expect(abs(Double(due) - 10_000_000 * (1 - 0.2 * random)) < 10)
    }

    @Test("a budget of its own: its restarts do not count, and when it is used up that child goes")
    func budget() {
        let recovery = ChildRecovery(budget: RestartLimit(2))
        var state = state(
            [child(.permanent, recovery), child()], limit: RestartLimit(0))
        for round in 0..<2 as Range<UInt64> {
            #expect(
                state.exited(pid(round * 10), .normal, at: instant(0), random: 0) == .start(0))
            state.restarted(0, pid((round + 1) * 10), at: instant(0))
        }
        #expect(state.exited(pid(20), .normal, at: instant(0), random: 0) == .giveUpChild)
        #expect(state.count == 1 && state.isRunning(1))
        #expect(state.exited(pid(1), .normal, at: instant(0), random: 0) == .giveUp)
    }

    @Test("attempts that fail use up a budget, too")
    func budgetOfFailedStarts() {
        var state = state([child(.permanent, ChildRecovery(budget: RestartLimit(1)))])
        #expect(state.exited(pid(0), .normal, at: instant(0), random: 0) == .start(0))
        state.restartFailed(0, at: instant(0), random: 0)
        #expect(state.dueAttempt(at: instant(0)) == .giveUpChild)
        #expect(state.count == 0 && state.nextDue == nil)
    }

    @Test("a child that waits counts for the limit of children, and can be forgotten")
    func waiting() {
        var state = state([child(.permanent, backoff()), child()], childLimit: 2)
        #expect(!state.hasRoom)
        #expect(state.exited(pid(0), .killed, at: instant(0), random: 0) == .wait)
        #expect(!state.hasRoom && state.all.map(\.isRunning) == [false, true])
        state.forget(0)
        #expect(state.hasRoom && state.nextDue == nil && state.number(of: pid(0)) == nil)
        #expect(state.dueAttempt(at: instant(1000)) == nil)
        state.forget(0)
        #expect(state.count == 1)
    }

    @Test("limits of zero and none")
    func childLimits() {
        #expect(!State(RestartLimit(), childLimit: 0).hasRoom)
        #expect(!State(RestartLimit(), childLimit: -1).hasRoom)
        #expect(State(RestartLimit(), childLimit: nil).hasRoom)
    }

    @Test("a process that is started as a second child is one child")
    func sameProcess() {
        var state = state([child(), child()])
        state.added(child(.temporary), nil, pid(0), at: instant(0))
        #expect(state.count == 2 && state[0] == nil && state[2]?.restart == .temporary)
        #expect(state.exited(pid(1), .normal, at: instant(0), random: 0) == .start(1))
        state.restarted(1, pid(0), at: instant(0))
        #expect(state.count == 1 && state[2] == nil && state.number(of: pid(0)) == 1)
    }
}

@Suite("Who is to be started again when")
struct RestartAgendaTests {
    private func entry(_ due: UInt64) -> RestartAgenda.Entry {
        .init(due: .init(nanoseconds: due), isCounted: due % 2 == 0)
    }

    @Test("it is what a list that is searched each time would be", arguments: 0..<20)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var agenda = RestartAgenda()
        var model: [UInt64: UInt64] = [:]
        for _ in 0..<3000 {
            let number = UInt64.random(in: 0..<40, using: &random)
            switch UInt64.random(in: 0..<5, using: &random) {
            case 0, 1:
                let due = UInt64.random(in: 0..<30, using: &random)
                agenda.insert(number, entry(due))
                model[number] = due
            case 2:
                agenda.remove(number)
                model[number] = nil
            default:
                if let next = agenda.next, Bool.random(using: &random) {
                    agenda.remove(next.number)
                    model[next.number] = nil
                }
            }
            let expected = model.min { ($0.value, $0.key) < ($1.value, $1.key) }
            #expect(agenda.next?.number == expected?.key)
            #expect(agenda.next?.entry.due.nanoseconds == expected?.value)
            #expect(agenda.next.map(\.entry.isCounted) == expected.map { $0.value % 2 == 0 })
            #expect(agenda.contains(number) == (model[number] != nil))
        }
    }
}
