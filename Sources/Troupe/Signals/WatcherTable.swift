//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The monitors that watch one process, as a pure table: by whom, and whether each of them is plain; see
/// ``MonitorTable``.
struct WatcherTable<Peer> {
    /// By the id of the monitor; that of one that is not plain has the highest bit set, which takes no
    /// room and which no reference will ever need.
    private var watchers = IDTable<Peer>()

    private static var special: UInt64 { 1 << 63 }

    var count: Int { watchers.count }
    var isEmpty: Bool { watchers.isEmpty }
    /// Those who watch, in the order in which the monitors were made.
    var peers: [Peer] {
        watchers.sorted { $0.key & ~Self.special < $1.key & ~Self.special }.map { $0.value }
    }

    mutating func insert(_ id: UInt64, _ peer: Peer, isPlain: Bool) {
        watchers[isPlain ? id : id | Self.special] = peer
    }

    /// A monitor is removed.
    ///
    /// - Returns: whether there was one.
    mutating func remove(_ id: UInt64) -> Bool {
        watchers.removeValue(forKey: id) != nil
            || watchers.removeValue(forKey: id | Self.special) != nil
    }

    /// The process has ended. The table is empty then.
    ///
    /// - Parameter tell: is given everybody to tell.
    mutating func ended(_ tell: (_ id: UInt64, Peer, _ isPlain: Bool) -> Void) {
        watchers.removeAll { id, peer in
            tell(id & ~Self.special, peer, id & Self.special == 0)
        }
    }
}

extension WatcherTable: Sendable where Peer: Sendable {}
