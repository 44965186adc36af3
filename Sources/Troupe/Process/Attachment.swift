//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a process has outside of itself and loses when it ends: an entry in a registry, a place in
/// a group, a subscription.
///
/// One object may be attached to a process several times, and to several processes; each time under
/// another id, a reference of the node.
protocol Attachment: AnyObject, Sendable {
    /// The process has begun to give back what it holds, and is still alive for others.
    ///
    /// Called once for each id, in the order in which these were made, without a lock.
    ///
    /// - Returns: what to do when the others are told of the end; nil for nothing.
    func holderEnds(_ id: UInt64, _ holder: ProcessCell) -> (@Sendable (ExitReason) -> Void)?
}

extension ProcessCell {
    /// Attaches something to this process.
    ///
    /// - Returns: false when the process has begun to give back what it holds; then nothing is
    ///   attached.
    final func attach(_ attachment: any Attachment, id: UInt64) -> Bool {
        withCore { core in
            guard core.lifecycle.phase != .ended, !core.isClosing else { return false }
            core.makeRelations().makeRare().attachments[id] = attachment
            return true
        }
    }

    /// Takes an attachment away. Notices that belong to it are never seen after that.
    ///
    /// - Returns: what it was; nil when there is none with this id.
    @discardableResult
    final func detach(_ id: UInt64) -> (any Attachment)? {
        withCore { $0.relations?.rare?.attachments.removeValue(forKey: id) }
    }

    /// What is attached to this process, in the order in which it was.
    final var attachments: [(id: UInt64, object: any Attachment)] {
        withCore { $0.relations?.rare?.attachments ?? [:] }
            .map { (id: $0.key, object: $0.value) }
            .sorted { $0.id < $1.id }
    }

    /// The ids under which something is attached to this process, in order.
    final func ids(of attachment: any Attachment) -> [UInt64] {
        attachments.filter { $0.object === attachment }.map(\.id)
    }
}
