//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Lifecycle: suspension, and exits in every phase")
struct SuspensionTests {
    private func suspended() -> Lifecycle {
        var lifecycle = Lifecycle()
        lifecycle.phase = .running
        lifecycle.setSuspended(true)
        lifecycle.ranDry()
        return lifecycle
    }

    @Test("messages do not wake a suspended process, and nobody can claim it")
    func messages() {
        var lifecycle = suspended()
        #expect(lifecycle.phase == .suspended)
        guard case .none = lifecycle.arrived() else {
            Issue.record("woken")
            return
        }
        #expect(lifecycle.claim() == false)
        #expect(lifecycle.phase == .suspended)
    }

    @Test("a system request wakes a suspended process, once, and it stays suspended")
    func requests() {
        var lifecycle = suspended()
        guard case .schedule = lifecycle.signalArrived() else {
            Issue.record("not woken")
            return
        }
        guard case .none = lifecycle.signalArrived() else {
            Issue.record("woken twice")
            return
        }
        lifecycle.turnCame()
        lifecycle.ranDry()
        #expect(lifecycle.phase == .suspended)
        _ = lifecycle.signalArrived()
        lifecycle.turnCame()
        lifecycle.setSuspended(false)
        lifecycle.ranDry()
        #expect(lifecycle.phase == .idle)
    }

    @Test("a watched process cannot be claimed")
    func observed() {
        var lifecycle = Lifecycle()
        lifecycle.phase = .idle
        lifecycle.isObserved = true
        #expect(lifecycle.claim() == false)
        lifecycle.isObserved = false
        #expect(lifecycle.claim() == true)
    }

    static let reasons: [ExitReason] = [
        .normal, .shutdown, .shutdown(1), .kill, .killed, .noProcess, .noConnection, .noProxy,
        .error(TestError(1)), .custom("x"),
    ]
    static let phases: [Lifecycle.Phase] = [
        .starting, .idle, .scheduled, .running, .parked, .suspended, .ended,
    ]

    /// What OTP's manual says about a signal, told apart from the implementation.
    private func expected(
        _ kind: ExitSignal.Kind, _ reason: ExitReason, traps: Bool, phase: Lifecycle.Phase
    ) -> ExitReason? {
        if phase == .ended { return nil }
        switch kind {
        case .order: return reason
        case .explicit where reason == .kill: return .killed
        case .explicit, .link: return traps || reason == .normal ? nil : reason
        }
    }

    @Test("every reason, linked or sent, trapping or not, in every phase", arguments: phases)
    func everyPhase(phase: Lifecycle.Phase) {
        for reason in Self.reasons {
            for kind in [ExitSignal.Kind.explicit, .link, .order] {
                for traps in [false, true] {
                    var lifecycle = Lifecycle()
                    lifecycle.phase = phase
                    if phase == .suspended { lifecycle.isSuspended = true }
                    let receiver = ExitSignal.Receiver(
                        trapsExits: traps, isSender: false, isServerOfSender: false,
                        stopsOnNormalLink: false)
                    let signal = ExitSignal(kind: kind, reason: reason)
                    let wake: Lifecycle.Wake? =
                        switch signal.outcome(at: receiver) {
                        case .ignore, .deliver: nil
                        case .stop(let reason): lifecycle.stopRequested(reason)
                        case .kill: lifecycle.killRequested()
                        }
                    let final = expected(kind, reason, traps: traps, phase: phase)
                    #expect(lifecycle.stopReason == final)
                    switch (phase, wake) {
                    case (.idle, .schedule?), (.suspended, .schedule?), (.parked, .resume?):
                        #expect(final != nil)
                    case (.starting, .some(.none)), (.scheduled, .some(.none)),
                        (.running, .some(.none)):
                        #expect(final != nil)
                    case (_, nil):
                        #expect(final == nil)
                    default:
                        Issue.record("\(phase) must not be woken that way")
                    }
                    guard final != nil else { continue }
                    // Told to end, it runs `terminate` unless it was killed, and then is over.
                    lifecycle.phase = phase == .starting ? .starting : .running
                    let began = lifecycle.terminationBegan(own: nil)
                    #expect(began.reason == final)
                    #expect(began.runsTerminate == !(kind == .explicit && reason == .kill))
                    #expect(lifecycle.ended(thrown: nil) == final)
                }
            }
        }
    }
}
