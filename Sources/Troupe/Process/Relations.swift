//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What connects a process with others. Only touched with the lock of the process held.
///
/// Many processes have none of these things, so they are made when the first is needed. Memory that
/// was never used before is what that costs most, so there is little here: what few processes have
/// is in ``RareRelations``.
final class Relations: @unchecked Sendable {
    // Unchecked: reachable only through the process's core, or, when that has ended, by one thread.
    // Nor is exclusivity checked for what is touched often: no access to a field runs code that
    // would come back to it.

    @exclusivity(unchecked) var links = LinkTable<ProcessCell>()
    /// Monitors that this process holds.
    @exclusivity(unchecked) var monitors = MonitorTable<ProcessCell>()
    /// Monitors that watch this process, by reference.
    @exclusivity(unchecked) var monitoredBy = IDTable<ProcessCell>()
    /// Timers to cancel when this process ends.
    @exclusivity(unchecked) var timers = TimerList()
    /// Signals that have become messages, in order.
    @exclusivity(unchecked) var signals = SignalQueue()
    /// What this process waits for.
    @exclusivity(unchecked) var waits: [Wait] = []
    /// The rest, made with the first thing of it.
    @exclusivity(unchecked) private(set) var rare: RareRelations?

    /// The rare relations, made if there are none yet.
    func makeRare() -> RareRelations {
        if let rare { return rare }
        let made = RareRelations()
        rare = made
        return made
    }

    // MARK: - What to do

    /// Something that a process waits for, other than a message.
    enum Wait: Sendable {
        case call(ReplyCell)
        case room(Pid)
        case sleep
    }

    /// The call that this process waits for, if that is the only one: a process that waits for
    /// several at once may need only one of them.
    var onlyCall: ReplyCell? {
        var found: ReplyCell?
        for case .call(let call) in waits {
            if found != nil { return nil }
            found = call
        }
        return found
    }

    /// Whether something besides messages needs a look before the next message is handled.
    var needsAttention: Bool {
        !signals.isEmpty || rare?.needsAttention ?? false
    }

    /// Whether there is something for the process to do besides messages.
    var hasWork: Bool {
        !signals.isEmpty || rare?.hasWork ?? false
    }
}
