//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The links of one process, as a pure table.
///
/// Each side of a link has an entry for the other. An entry goes when either side unlinks, and when
/// the one exit signal of the link is received: that is how an unlink cancels a signal on its way.
struct LinkTable<Peer> {
    private var peers: [Pid: Peer] = [:]

    var pids: [Pid] { Array(peers.keys) }
    var isEmpty: Bool { peers.isEmpty }

    subscript(pid: Pid) -> Peer? { peers[pid] }

    /// A link is made.
    ///
    /// - Returns: whether it is new.
    mutating func linked(_ pid: Pid, _ peer: Peer) -> Bool {
        if peers[pid] != nil { return false }
        peers[pid] = peer
        return true
    }

    /// A link is removed by one of its sides.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    mutating func unlinked(_ pid: Pid) -> Bool {
        peers.removeValue(forKey: pid) != nil
    }

    /// The exit signal of a link has arrived; it uses the link up.
    ///
    /// - Returns: whether it counts. Not when the link was removed while it was on its way.
    mutating func signalArrived(from pid: Pid) -> Bool {
        peers.removeValue(forKey: pid) != nil
    }

    /// The process has ended: everybody to tell. The table is empty then.
    mutating func ended() -> [Peer] {
        defer { peers = [:] }
        return Array(peers.values)
    }
}

extension LinkTable: Sendable where Peer: Sendable {}
