//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Something that a process is linked with or watches, seen from a pure table.
protocol Addressed {
    /// Constant.
    var pid: Pid { get }
}

extension ProcessCell: Addressed {}

/// The links of one process, as a pure table.
///
/// Each side of a link has an entry for the other. An entry goes when either side unlinks, and when
/// the one exit signal of the link is received: that is how an unlink cancels a signal on its way.
/// All partners are processes of one node.
struct LinkTable<Peer: Addressed> {
    /// By the number of the partner.
    private var links = IDTable<Peer>()

    var pids: [Pid] { links.map { $0.value.pid } }
    var isEmpty: Bool { links.isEmpty }

    subscript(pid: Pid) -> Peer? {
        // One of another node or life may have the number of a partner.
        links[pid.id].flatMap { $0.pid == pid ? $0 : nil }
    }

    /// A link is made.
    ///
    /// - Returns: whether it is new.
    mutating func linked(_ peer: Peer) -> Bool {
        let id = peer.pid.id
        if links[id] != nil { return false }
        links[id] = peer
        return true
    }

    /// A link is removed by one of its sides.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    mutating func unlinked(_ pid: Pid) -> Bool {
        self[pid] != nil && links.removeValue(forKey: pid.id) != nil
    }

    /// The exit signal of a link has arrived; it uses the link up.
    ///
    /// - Returns: whether it counts. Not when the link was removed while it was on its way.
    mutating func signalArrived(from pid: Pid) -> Bool {
        self[pid] != nil && links.removeValue(forKey: pid.id) != nil
    }

    /// The process has ended. The table is empty then.
    ///
    /// - Parameter tell: is given everybody to tell.
    mutating func ended(_ tell: (Peer) -> Void) {
        links.removeAll { _, peer in tell(peer) }
    }
}

extension LinkTable: Sendable where Peer: Sendable {}
