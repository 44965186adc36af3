//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The entries under one key of a registry, as a pure state.
struct KeyEntries<Holder, Value> {
    private(set) var list = EntryList<Holder, Value>()
    /// Set with the last entry; then the key has no slot, or another one. Final.
    private(set) var isRetired = false

    enum AddAction {
        case added
        /// Keys are unique, and this is the holder.
        case taken(Holder)
        /// Look the key up again.
        case retired
    }

    /// A process registers.
    mutating func add(
        _ id: UInt64, _ holder: Holder, _ value: Value, isUnique: Bool
    ) -> AddAction {
        if isRetired { return .retired }
        if isUnique, let first = list.entries.first { return .taken(first.holder) }
        list.append(id, holder, value)
        return .added
    }

    /// Entries are taken away: given back, or their holder has ended.
    ///
    /// - Returns: those that were there, and whether the key is to leave the table now.
    mutating func remove(
        _ ids: [UInt64]
    ) -> (removed: [EntryList<Holder, Value>.Entry], retires: Bool) {
        let removed = ids.compactMap { list.remove($0) }
        guard list.isEmpty, !isRetired else { return (removed, false) }
        isRetired = true
        return (removed, true)
    }

    /// The holder replaces a value.
    ///
    /// - Returns: the value before.
    mutating func update(_ id: UInt64, _ value: Value) -> Value? {
        list.update(id, value)
    }
}

extension KeyEntries: Sendable where Holder: Sendable, Value: Sendable {}
