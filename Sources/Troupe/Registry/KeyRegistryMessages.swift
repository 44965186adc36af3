//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Tells a listener of a registry that a process was registered. Arrives in `handleInfo` or
/// `receive`.
///
/// - Source: `{:register, registry, key, pid, value}` of Elixir's `Registry`.
public struct MessageKeyRegistered<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// Which registry.
    public let registry: KeyRegistry<Key, Value>
    /// Under which key.
    public let key: Key
    /// Who.
    public let pid: Pid
    /// With which value.
    public let value: Value
}

/// Tells a listener of a registry that an entry is gone: given back, or its holder has ended.
/// Arrives in `handleInfo` or `receive`, once for each entry.
///
/// - Source: `{:unregister, registry, key, pid}` of Elixir's `Registry`, which sends one for all
///   entries that one call gives back.
public struct MessageKeyUnregistered<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// Which registry.
    public let registry: KeyRegistry<Key, Value>
    /// Under which key it was.
    public let key: Key
    /// Whose entry it was.
    public let pid: Pid
}
