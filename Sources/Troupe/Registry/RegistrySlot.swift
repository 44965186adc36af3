//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// One key of a ``KeyRegistry`` with its entries.
final class RegistrySlot<Key: Hashable & Sendable, Value: Sendable>: AnyKeySlot, KeySlot,
    Attachment, @unchecked Sendable
{
    // Unchecked: constants, a lock and an atomic.

    let key: Key
    let registry: KeyRegistry<Key, Value>

    /// Rank 0: the lock of a process may be taken within it, never the other way round. Held while
    /// listeners are told, so that they learn of the changes of a key in the order in which these
    /// happen.
    private let entries = Lock(KeyEntries<ProcessCell, Value>())

    /// The id of the process that has registered first, 0 for none; written with the lock held.
    private let first = Atomic<UInt64>(0)

    typealias Entry = EntryList<ProcessCell, Value>.Entry

    init(_ key: Key, hash: Int, in registry: KeyRegistry<Key, Value>) {
        self.key = key
        self.registry = registry
        super.init(hash: hash)
    }

    /// The id of the process that has registered first.
    var firstID: UInt64? {
        let id = first.load(ordering: .acquiring)
        return id == 0 ? nil : id
    }

    private func noteFirst(_ entries: KeyEntries<ProcessCell, Value>) {
        first.store(entries.list.entries.first?.holder.id ?? 0, ordering: .releasing)
    }

    /// What is registered now, in order.
    var current: [Entry] { entries.withLock { $0.list.entries } }

    enum Registration: Sendable {
        case registered, retired, ended
        case taken(ProcessCell)
    }

    func register(_ cell: ProcessCell, _ value: Value) -> Registration {
        var arrivals = Arrivals()
        var retires = false
        let result = entries.withLock { entries -> Registration in
            let id = registry.node.makeReference().id
            switch entries.add(id, cell, value, isUnique: registry.keyKind == .unique) {
            case .retired: return .retired
            case .taken(let holder): return .taken(holder)
            case .added: break
            }
            guard cell.attach(self, id: id) else {
                retires = entries.remove([id]).retires
                return .ended
            }
            noteFirst(entries)
            registry.tell(&arrivals) {
                MessageKeyRegistered(
                    registry: registry, key: key, pid: cell.pid, value: value)
            }
            return .registered
        }
        if retires { registry.table.remove(self) }
        if case .registered = result { registry.countChanged(by: 1) }
        arrivals.perform()
        return result
    }

    /// Takes entries away.
    ///
    /// - Returns: those that were there.
    @discardableResult
    func remove(_ ids: [UInt64]) -> [Entry] {
        var arrivals = Arrivals()
        let (removed, retires) = entries.withLock { entries in
            let (removed, retires) = entries.remove(ids)
            noteFirst(entries)
            for entry in removed {
                entry.holder.detach(entry.id)
                registry.tell(&arrivals) {
                    MessageKeyUnregistered(registry: registry, key: key, pid: entry.holder.pid)
                }
            }
            return (removed, retires)
        }
        if retires { registry.table.remove(self) }
        registry.countChanged(by: -removed.count)
        arrivals.perform()
        return removed
    }

    /// Replaces the value of an entry.
    ///
    /// - Returns: the value before; nil when the entry is gone.
    func update(_ id: UInt64, _ value: Value) -> Value? {
        entries.withLock { $0.update(id, value) }
    }

    func holderEnds(_ id: UInt64, _ holder: ProcessCell) -> (@Sendable (ExitReason) -> Void)? {
        remove([id])
        return nil
    }
}
