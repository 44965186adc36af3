//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// How many entries a key of a registry may have.
public enum KeyKind: Sendable, Hashable {
    /// One: a key is the address of a process.
    case unique
    /// Any number, also of one process: a key is a topic.
    case duplicate
}

/// Processes of a node under keys of your own type, each with a value.
///
/// Use it where names are not enough: keys need not be strings, a process may hold any number of
/// them, and an entry carries a value. A program makes as many registries as it likes. With unique
/// keys a registry gives addresses, with duplicate ones it finds all who are interested in
/// something.
///
/// ```swift
/// let rooms = KeyRegistry<RoomID, Int>(on: node)
/// let room = try node.spawn(Room.self, options: .init(registration: rooms.registration(id, 0)))
/// try rooms.whereis(id, as: Room.self)?.cast(.open)
/// ```
///
/// A process registers itself, with ``ProcessContext/register(_:_:in:)``, or is registered when it
/// is spawned, with ``registration(_:_:)``. Everybody may look up. The entries of a process are gone
/// before anybody sees its end, so a look-up never finds a dead process.
///
/// A registry is no process: nothing is linked to it, and it cannot crash. It lives as long as
/// somebody refers to it, or a process is registered in it.
///
/// - Source: Elixir's `Registry`.
public final class KeyRegistry<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// The node whose processes can be registered.
    public let node: Node
    /// How many entries a key may have.
    public let keyKind: KeyKind
    /// Who is told of every entry that comes and goes.
    public let listeners: [Destination]

    let table = KeyTable<RegistrySlot<Key, Value>>()
    private let entryCount = Atomic(0)

    /// Makes an empty registry.
    ///
    /// - Parameters:
    ///   - node: whose processes can be registered.
    ///   - keyKind: how many entries a key may have.
    ///   - listeners: who gets a ``MessageKeyRegistered`` and a ``MessageKeyUnregistered`` for every
    ///     entry, those of one key in the order of the changes. These are not counted against the
    ///     bound of a mailbox. A name is looked up each time; if nobody holds it, nobody is told.
    public init(
        on node: Node, keys keyKind: KeyKind = .unique, listeners: [Destination] = []
    ) {
        self.node = node
        self.keyKind = keyKind
        self.listeners = listeners
    }

    /// One process under a key.
    public struct Entry: Sendable {
        /// Who.
        public let pid: Pid
        /// With which value.
        public let value: Value
    }

    // MARK: - Looking up

    /// Who is registered under a key, in the order of registration; empty for nobody.
    public func lookup(_ key: Key) -> [Entry] {
        table.find(key)?.current.map { Entry(pid: $0.holder.pid, value: $0.value) } ?? []
    }

    /// The process that a key addresses.
    ///
    /// - Returns: nil when nobody holds the key, and always when keys are not unique.
    public func whereis(_ key: Key) -> Pid? { holderID(of: key).map(node.pid(id:)) }

    /// The server that a key addresses, typed.
    ///
    /// - Returns: nil when nobody holds the key, or a process of another type does, and always when
    ///   keys are not unique.
    public func whereis<Server: GenServer>(
        _ key: Key, as type: Server.Type
    ) -> ServerRef<Server>? {
        holder(of: key).flatMap { $0 is DirectCell<Server> ? ServerRef($0) : nil }
    }

    /// The server that a key addresses, typed.
    ///
    /// - Returns: nil when nobody holds the key, or a process of another type does, and always when
    ///   keys are not unique.
    public func whereis<Server: AsyncGenServer>(
        _ key: Key, as type: Server.Type
    ) -> ServerRef<Server>? {
        holder(of: key).flatMap { $0 is AsyncCell<Server> ? ServerRef($0) : nil }
    }

    private func holderID(of key: Key) -> UInt64? {
        keyKind == .unique ? table.find(key)?.firstID : nil
    }

    private func holder(of key: Key) -> ProcessCell? {
        holderID(of: key).flatMap { node.table.find($0) }
    }

    /// The keys of a process, in the order of registration, each as often as it has entries.
    ///
    /// Empty for a process that is gone or of another node.
    public func keys(of pid: Pid) -> [Key] {
        guard case .process(let cell) = node.locate(pid) else { return [] }
        return slots(of: cell).map { $0.slot.key }
    }

    /// How many entries there are.
    public var count: Int { entryCount.load(ordering: .relaxed) }

    /// Everything that is registered, those of one key together and in order. O(count). What
    /// changes meanwhile is in it or not.
    public var entries: [(key: Key, pid: Pid, value: Value)] {
        table.all.flatMap { slot in
            slot.current.map { (key: slot.key, pid: $0.holder.pid, value: $0.value) }
        }
    }

    /// Calls `body` once with the entries of a key, here and now; not if there are none.
    ///
    /// - Parameters:
    ///   - key: whose entries.
    ///   - body: typically sends something to each. What it throws is passed on.
    /// - Source: `Registry.dispatch/4`, of which a registry with partitions calls its function once
    ///   for each.
    public func dispatch<Failure: Error>(
        _ key: Key, _ body: ([Entry]) throws(Failure) -> Void
    ) throws(Failure) {
        let entries = lookup(key)
        if !entries.isEmpty { try body(entries) }
    }

    // MARK: - How it is done

    /// The entries of a process in this registry, in order.
    func slots(of cell: ProcessCell) -> [(id: UInt64, slot: RegistrySlot<Key, Value>)] {
        cell.attachments.compactMap { id, object in
            guard let slot = object as? RegistrySlot<Key, Value>, slot.registry === self
            else { return nil }
            return (id: id, slot: slot)
        }
    }

    func register(
        _ key: Key, _ value: Value, for cell: ProcessCell
    ) throws(KeyRegistryError) {
        guard cell.node === node else { throw .notLocal(cell.pid) }
        while true {
            let slot = table.find(key) { RegistrySlot(key, hash: $0, in: self) }.slot
            switch slot.register(cell, value) {
            case .registered: return
            case .taken(let holder): throw .alreadyRegistered(by: holder.pid)
            case .ended: throw .processUnknown(cell.pid)
            case .retired: continue
            }
        }
    }

    func countChanged(by change: Int) {
        entryCount.add(change, ordering: .relaxed)
    }

    /// Puts a message into the mailboxes of the listeners. A lock of rank 0 may be held.
    func tell(_ arrivals: inout Arrivals, _ message: () -> any Sendable) {
        if listeners.isEmpty { return }
        let notice = Notice(message: message())
        for listener in listeners {
            guard case .success(let cell) = node.find(listener) else { continue }
            arrivals.append(cell.accept(notice), for: cell)
        }
    }
}
