//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// A signal of the operating system that asks a program to end; see ``Node/run(stoppingOn:grace:)``.
@nonexhaustive
public enum StopSignal: Hashable, Sendable, CaseIterable {
    /// SIGTERM: what `kill`, service managers and container runtimes send.
    case terminate
    /// SIGINT: what Ctrl-C sends.
    case interrupt
}

extension Node {
    /// As ``run()``, and stops the node when the operating system asks the program to end.
    ///
    /// ```swift
    /// try await node.run(stoppingOn: [.terminate, .interrupt], grace: .seconds(5))
    /// ```
    ///
    /// The first signal, whichever of `signals` it is, stops the node in order, as ``stop(grace:)``
    /// does. A second one cuts that short: what has not ended is killed, and what does not end within
    /// half a second after that is left behind; both are reported as events, and this returns.
    /// It does so for a stop that somebody else has begun, too. Further signals do nothing; SIGKILL
    /// ends the program as ever.
    ///
    /// Several nodes may run like this at once; each is told of every signal.
    ///
    /// While this runs, Troupe's handlers take the place of those that the program had for these
    /// signals. They are not called. When the last run for a signal returns, the earlier handler is
    /// put back, unless somebody has set another one meanwhile; so from then on, usually, the next
    /// signal ends the program. Signals that come while one of the same kind is not taken care of yet
    /// count as one; that is the system's rule.
    ///
    /// Children that the program starts with `exec` have the default behaviour. A terminal sends
    /// SIGINT to them as well as to the program. A child that was made by `fork` and runs no other
    /// program ends by the signal; the node in its parent is not concerned.
    ///
    /// - Parameters:
    ///   - signals: which ones. With none this is ``run()``.
    ///   - grace: see ``stop(grace:)``.
    /// - Throws: ``NodeError/signalsUnavailable(code:)``, at once, when the program may not open any
    ///   more files; then the node goes on.
    /// - Concurrency: one thread waits for signals while somebody runs like this.
    /// - Source: OTP's `erl_signal_server`, which stops the system on SIGTERM.
    public func run(
        stoppingOn signals: Set<StopSignal>, grace: Duration = .seconds(5)
    ) async throws {
        let came = ReplyCell(callee: pid(id: 0))
        let count = SignalCount()
        let listener = try SignalListener.shared.listen(to: signals) {
            switch count.signalCame() {
            case 1: came.succeed()
            case 2: self.hurryStop()
            default: break
            }
        }
        defer { SignalListener.shared.stopListening(listener) }
        let hasStopped = state.withLock { state in
            if state.phase == .stopped { return true }
            state.waiters.append(came)
            return false
        }
        if hasStopped { return }
        await came.wait(deadline: .max, on: scheduler)
        await stop(grace: grace)
    }

    /// Lets a stop, whether it has begun or will, wait hardly any longer.
    private func hurryStop() {
        let (applications, isEmpty) = state.withLock { state in
            state.isHurried = true
            return (state.applicationsHaveStopped, state.isEmpty)
        }
        // For whoever waits for them now it is as if the grace period were over.
        applications?.fail(.cancelled)
        isEmpty?.succeed()
    }
}

/// How many signals have come for one run.
private final class SignalCount: Sendable {
    private let count = Atomic(0)

    func signalCame() -> Int { count.add(1, ordering: .relaxed).newValue }
}
