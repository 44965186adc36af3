//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Lifecycle: a pure state machine")
struct LifecycleTests {
    private func lifecycle(_ phase: Lifecycle.Phase) -> Lifecycle {
        var lifecycle = Lifecycle()
        lifecycle.phase = phase
        return lifecycle
    }

    static let phases: [Lifecycle.Phase] = [
        .starting, .idle, .scheduled, .running, .parked, .ended,
    ]

    @Test("an arrival wakes an idle and a parked process, once", arguments: phases)
    func arrived(phase: Lifecycle.Phase) {
        var lifecycle = lifecycle(phase)
        switch (phase, lifecycle.arrived()) {
        case (.idle, .schedule): #expect(lifecycle.phase == .scheduled)
        case (.parked, .resume): #expect(lifecycle.phase == .running)
        case (.starting, .none), (.scheduled, .none), (.running, .none), (.ended, .none):
            #expect(lifecycle.phase == phase)
        default: Issue.record("wrong wake in \(phase)")
        }
        // What follows wakes nobody again.
        guard case .none = lifecycle.arrived() else { return throw0() }
    }

    private func throw0() { Issue.record("woken twice") }

    @Test("only an idle process can be claimed", arguments: phases)
    func claim(phase: Lifecycle.Phase) {
        var lifecycle = lifecycle(phase)
        #expect(lifecycle.claim() == (phase == .idle))
        var told = self.lifecycle(.idle)
        _ = told.stopRequested(.shutdown)
        #expect(told.claim() == false)
    }

    @Test("the first order to end counts, except that a kill overrides it", arguments: phases)
    func orders(phase: Lifecycle.Phase) {
        var lifecycle = lifecycle(phase)
        let isAlive = phase != .ended
        #expect((lifecycle.stopRequested(.custom("first")) != nil) == isAlive)
        #expect(lifecycle.stopRequested(.custom("second")) == nil)
        #expect(lifecycle.stopReason == (isAlive ? .custom("first") : nil))
        #expect((lifecycle.killRequested() != nil) == isAlive)
        #expect(lifecycle.killRequested() == nil)
        #expect(lifecycle.stopReason == (isAlive ? .killed : nil))
    }

    @Test("there is one final reason, whatever came together")
    func finalReason() {
        for order in [nil, ExitReason.custom("order")] {
            for own in [nil, ExitReason.error(TestError(1))] {
                for thrown in [nil, ExitReason.error(TestError(2))] {
                    for killBefore in [false, true] {
                        for killAfter in [false, true] {
                            var lifecycle = lifecycle(.running)
                            if let order { _ = lifecycle.stopRequested(order) }
                            if killBefore { _ = lifecycle.killRequested() }
                            let began = lifecycle.terminationBegan(own: own)
                            #expect(began.runsTerminate == !killBefore)
                            #expect(
                                began.reason
                                    == (killBefore ? .killed : order ?? own ?? .normal))
                            // Once it ends, an exit changes nothing any more; a kill does.
                            #expect(lifecycle.stopRequested(.custom("late")) == nil)
                            if killAfter { _ = lifecycle.killRequested() }
                            let reason = lifecycle.ended(thrown: thrown)
                            let isKilled = killBefore || killAfter
                            #expect(
                                reason == (isKilled ? .killed : thrown ?? order ?? own ?? .normal))
                            #expect(lifecycle.phase == .ended)
                        }
                    }
                }
            }
        }
    }

    @Test("what arrived while init ran schedules the process when it is over")
    func started() {
        var quiet = lifecycle(.starting)
        guard case .none = quiet.started(hasWork: false) else { return throw0() }
        #expect(quiet.phase == .idle)
        var busy = lifecycle(.starting)
        guard case .schedule = busy.started(hasWork: true) else { return throw0() }
        #expect(busy.phase == .scheduled)
        var told = lifecycle(.starting)
        _ = told.stopRequested(.shutdown)
        guard case .schedule = told.started(hasWork: false) else { return throw0() }
        #expect(told.phase == .scheduled)
    }
}
