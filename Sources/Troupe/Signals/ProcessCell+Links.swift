//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What ``ProcessContext/link(to:)`` has done.
public enum LinkResult: Sendable {
    /// The two processes are linked now.
    case linked
    /// They were linked before; one `unlink` removes the link. Also the answer for oneself.
    case alreadyLinked
}

extension ProcessCell {
    enum LinkOutcome: Sendable {
        case linked, alreadyLinked, targetEnded, selfEnded
    }

    /// Links this process, which is running, with another of its node.
    final func link(to target: ProcessCell) -> LinkOutcome {
        if target === self { return .alreadyLinked }
        return Self.withBothLocked(self, target) { own, other in
            if own.lifecycle.phase == .ended { return .selfEnded }
            if other.lifecycle.phase == .ended { return .targetEnded }
            guard own.makeRelations().links.linked(target) else {
                return .alreadyLinked
            }
            _ = other.makeRelations().links.linked(self)
            return .linked
        }
    }

    /// Removes the link with another process; afterwards no exit signal of it is received.
    final func unlink(from target: Pid) {
        let partner = withCore { $0.relations?.links[target] }
        guard let partner else { return }
        Self.withBothLocked(self, partner) { own, other in
            own.relations?.links.unlinked(target)
            other.relations?.links.unlinked(pid)
        }
    }
}
