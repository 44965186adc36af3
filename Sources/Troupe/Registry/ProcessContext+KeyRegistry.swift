//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ProcessContext {
    /// Registers this process under a key, with a value. Elixir: `Registry.register/3`.
    ///
    /// - Parameters:
    ///   - key: the key. With duplicate keys every call makes another entry.
    ///   - value: what a look-up finds beside the pid.
    ///   - registry: one of this node.
    /// - Throws: ``KeyRegistryError`` — `.alreadyRegistered` when keys are unique and somebody holds
    ///   the key, also this process itself. Nothing is changed then.
    public func register<Key: Hashable & Sendable, Value: Sendable>(
        _ key: Key, _ value: Value, in registry: KeyRegistry<Key, Value>
    ) throws(KeyRegistryError) {
        try registry.register(key, value, for: cell)
    }

    /// Registers this process under a key of a registry without values.
    ///
    /// - Throws: ``KeyRegistryError``, as `register(_:_:in:)`.
    public func register<Key: Hashable & Sendable>(
        _ key: Key, in registry: KeyRegistry<Key, Void>
    ) throws(KeyRegistryError) {
        try registry.register(key, (), for: cell)
    }

    /// Gives back all entries that this process has under a key. Elixir: `Registry.unregister/2`.
    ///
    /// Entries of others stay.
    ///
    /// - Returns: how many there were; 0 does no harm.
    @discardableResult
    public func unregister<Key: Hashable & Sendable, Value: Sendable>(
        _ key: Key, from registry: KeyRegistry<Key, Value>
    ) -> Int {
        guard let slot = registry.table.find(key) else { return 0 }
        return slot.remove(cell.ids(of: slot)).count
    }

    /// Gives back those entries of this process that match. Elixir: `Registry.unregister_match/4`.
    ///
    /// - Parameters:
    ///   - registry: where.
    ///   - matches: is asked for every entry of this process, in order. If it throws, nothing is
    ///     given back.
    /// - Returns: how many were given back.
    @discardableResult
    public func unregister<Key: Hashable & Sendable, Value: Sendable, Failure: Error>(
        from registry: KeyRegistry<Key, Value>,
        where matches: (_ key: Key, _ value: Value) throws(Failure) -> Bool
    ) throws(Failure) -> Int {
        var matching: [(id: UInt64, slot: RegistrySlot<Key, Value>)] = []
        for (id, slot) in registry.slots(of: cell) {
            guard let entry = slot.current.first(where: { $0.id == id }) else { continue }
            if try matches(slot.key, entry.value) { matching.append((id, slot)) }
        }
        return matching.reduce(0) { $0 + $1.slot.remove([$1.id]).count }
    }

    /// Replaces the value that this process has under a key. Elixir: `Registry.update_value/3`.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - registry: one with unique keys.
    ///   - update: makes the new value from the old one. If it throws, the old one stays.
    /// - Returns: both values. Nil when this process does not hold the key, or keys are not unique;
    ///   then `update` is not called.
    @discardableResult
    public func updateValue<Key: Hashable & Sendable, Value: Sendable, Failure: Error>(
        of key: Key, in registry: KeyRegistry<Key, Value>,
        _ update: (Value) throws(Failure) -> Value
    ) throws(Failure) -> (new: Value, old: Value)? {
        guard registry.keyKind == .unique, let slot = registry.table.find(key),
            let entry = slot.current.first, entry.holder === cell
        else { return nil }
        // Only its holder changes a value, so it is still the same.
        let new = try update(entry.value)
        return slot.update(entry.id, new).map { (new: new, old: $0) }
    }
}
