//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The members and monitors of one group, as a pure state.
struct GroupState<Peer> {
    struct Watcher {
        let peer: Peer
        /// Whether it watches all groups of the scope.
        let isOfScope: Bool
    }

    private(set) var members = EntryList<Peer, Void>()
    private(set) var watchers: [UInt64: Watcher] = [:]
    /// Whether the monitors of the scope are among the watchers.
    private(set) var isSetUp = false
    /// Set when neither members nor monitors of the group are left; then the group has no slot, or
    /// another one. Final.
    private(set) var isRetired = false

    /// The monitors of the scope are copied into a group when it is first used.
    mutating func setUp(_ scopeWatchers: [UInt64: Peer]) {
        assert(!isSetUp && watchers.isEmpty)
        isSetUp = true
        watchers = scopeWatchers.mapValues { Watcher(peer: $0, isOfScope: true) }
    }

    /// A process joins; it may be a member already.
    mutating func joined(_ id: UInt64, _ peer: Peer) {
        assert(!isRetired)
        members.append(id, peer, ())
    }

    /// One membership is over.
    ///
    /// - Returns: whose it was; nil when there was none.
    mutating func left(_ id: UInt64) -> Peer? {
        members.remove(id)?.holder
    }

    /// A process begins to watch.
    ///
    /// - Returns: the members that no message will tell it about; nil when it watches already.
    mutating func watched(_ id: UInt64, _ peer: Peer, isOfScope: Bool) -> [Peer]? {
        assert(!isRetired)
        guard watchers[id] == nil else { return nil }
        watchers[id] = Watcher(peer: peer, isOfScope: isOfScope)
        return members.entries.map { $0.holder }
    }

    /// A process watches no more.
    mutating func unwatched(_ id: UInt64) {
        watchers[id] = nil
    }

    /// To be asked after each change.
    ///
    /// - Returns: whether the group is to leave the table now.
    mutating func retires() -> Bool {
        guard !isRetired, members.isEmpty, watchers.values.allSatisfy(\.isOfScope) else {
            return false
        }
        isRetired = true
        return true
    }
}

extension GroupState: Sendable where Peer: Sendable {}
extension GroupState.Watcher: Sendable where Peer: Sendable {}
