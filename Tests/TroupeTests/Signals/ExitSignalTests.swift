//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("ExitSignal: what a signal does, as a table")
struct ExitSignalTests {
    /// A number for every case; a new one does not compile until it has one here.
    private func number(_ reason: ExitReason) -> Int {
        switch reason {
        case .normal: 0
        case .shutdown: 1
        case .shutdownWith: 2
        case .kill: 3
        case .killed: 4
        case .noProcess: 5
        case .noConnection: 6
        case .noProxy: 7
        case .error: 8
        case .custom: 9
        }
    }

    @Test("the examples leave out no reason")
    func examples() {
        #expect(Set(ExitReason.examples.map(number)) == Set(0..<10))
    }

    /// Every reason × kind × trapping × self × parent's server × Ergo's option.
    @Test("every combination follows the rules, stated another way", arguments: ExitReason.examples)
    func table(reason: ExitReason) {
        for kind in [ExitSignal.Kind.explicit, .link, .order] {
            for bits in 0..<16 {
                let receiver = ExitSignal.Receiver(
                    trapsExits: bits & 1 != 0, isSender: bits & 2 != 0,
                    isServerOfSender: bits & 4 != 0, stopsOnNormalLink: bits & 8 != 0)
                let outcome = ExitSignal(kind: kind, reason: reason).outcome(at: receiver)
                #expect(
                    outcome == expected(reason, kind, receiver),
                    "\(reason) \(kind) \(receiver)")
            }
        }
    }

    private func expected(
        _ reason: ExitReason, _ kind: ExitSignal.Kind, _ receiver: ExitSignal.Receiver
    ) -> ExitSignal.Outcome {
        // Orders of the node cannot be refused.
        if kind == .order { return .stop(reason) }
        // EXIT-14: a kill that is sent cannot be trapped; EXIT-15: one that comes by a link can.
        if kind == .explicit, reason == .kill { return .kill }
        // GS-42: a server that was started linked obeys its parent; EXIT-08, EXIT-10, LINK-09,
        // EXIT-12: all else is trapped.
        if receiver.trapsExits, receiver.isServerOfSender, !receiver.isSender {
            return .stop(reason)
        }
        if receiver.trapsExits { return .deliver }
        // EXIT-09, EXIT-11, LINK-08.
        if reason == .normal, kind == .link, !receiver.stopsOnNormalLink { return .ignore }
        if reason == .normal, kind == .explicit, !receiver.isSender { return .ignore }
        // EXIT-07, LINK-07.
        return .stop(reason)
    }

    @Test(
        "only normal, shutdown and shutdown with information are clean",
        arguments: ExitReason.examples)
    func clean(reason: ExitReason) {
        let isClean = ["normal", "shutdown", "shutdown(x)"].contains(reason.description)
        #expect(reason.isClean == isClean)
    }

    @Test("reasons are equal by value")
    func equality() {
        for (left, reason) in ExitReason.examples.enumerated() {
            for (right, other) in ExitReason.examples.enumerated() {
                #expect((reason == other) == (left == right))
            }
        }
        #expect(ExitReason.error(TestError(1)) != .error(TestError(2)))
        #expect(ExitReason.custom([1, 2, 3]) == .custom([1, 2, 3]))
        #expect(ExitReason(thrown: ExitReason.shutdown) == .shutdown)
        #expect(ExitReason(thrown: TestError(4)) == .error(TestError(4)))
    }

    @Test("a reason is itself, however many boxes it was thrown in")
    func boxes() async throws {
        func rethrow<Failure: Error>(_ error: Failure) throws { throw error }

        for reason in ExitReason.examples {
            let error: any Error = reason
            do {
                try rethrow(error)
            } catch { #expect(ExitReason(thrown: error) == reason) }
            do {
                try await withCheckedThrowingContinuation {
                    (continuation: CheckedContinuation<Void, any Error>) in
                    continuation.resume(throwing: error)
                }
            } catch { #expect(ExitReason(thrown: error) == reason) }
        }
    }
}
