//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// Threads that run anyway, and can let timers fire between two other things.
protocol TimerHelpers: AnyObject, Sendable {
    /// Whether all of them sleep, so that it is quicker to do without them.
    var areAsleep: Bool { get }

    /// The timers that are due are offered: one of the threads that sleep, if any does, has to wake up
    /// and look.
    func wakeForTimers()
}

/// Whose duty it is to let the timers fire that are due: that of the thread of a ``TimerService``,
/// which keeps the time, until a helper takes it over.
///
/// Invariant: from a ``take()`` that was granted to ``end()`` nobody else is granted it, and who is
/// granted it next sees what this one has done.
struct TimerDuty: ~Copyable, Sendable {
    private enum Phase: UInt8, AtomicRepresentable {
        case none, isOffered, isTaken
    }

    private let phase = Atomic(Phase.none)

    /// Offers the duty to whoever takes it first. Only for the thread that keeps the time, while
    /// ``isOver``.
    func offer() {
        phase.store(.isOffered, ordering: .releasing)
    }

    /// Whether ``take()`` is worth a try.
    var isOffered: Bool { phase.load(ordering: .relaxed) == .isOffered }

    /// Takes the duty over, if it is offered and nobody else has.
    func take() -> Bool {
        phase.compareExchange(expected: .isOffered, desired: .isTaken, ordering: .acquiring)
            .exchanged
    }

    /// Who has taken the duty has done it.
    func end() {
        phase.store(.none, ordering: .releasing)
    }

    /// Whether what was offered is done.
    var isOver: Bool { phase.load(ordering: .acquiring) == .none }
}
