//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A message of the library about something that a process has attached to itself or watches.
///
/// As all signals it is neither counted against the bound of the mailbox nor lost.
struct Notice: Sendable {
    let message: any Sendable
    /// What the notice belongs to: once that is detached, the notice is not seen any more. 0 for
    /// nothing.
    var attachment: UInt64 = 0
    /// Whether it is the last of its attachment, which goes when the notice is taken.
    var isLast = false
}

/// Processes to wake once no lock is held.
struct Arrivals: ~Copyable {
    private var entries: [(cell: ProcessCell, arrival: Arrival)] = []

    mutating func append(_ arrival: Arrival, for cell: ProcessCell) {
        if case .none = arrival { return }
        entries.append((cell, arrival))
    }

    func perform() {
        for (cell, arrival) in entries { arrival.perform(for: cell) }
    }
}

extension ProcessCell {
    /// Takes a notice. May be called with a lock of rank 0 held.
    ///
    /// - Returns: what to perform once no lock is held.
    final func accept(_ notice: Notice) -> Arrival {
        withCore { core in
            guard core.lifecycle.phase != .ended,
                notice.attachment == 0
                    || core.relations?.rare?.attachments[notice.attachment] != nil
            else { return .none }
            return append(.notice(notice), to: &core)
        }
    }

    /// Takes a notice.
    final func receive(_ notice: Notice) {
        accept(notice).perform(for: self)
    }
}
