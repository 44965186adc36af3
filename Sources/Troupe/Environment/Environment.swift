//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A key of the environment that processes inherit, with the type of its value.
///
/// ```swift
/// enum DatabaseURL: EnvironmentKey { typealias Value = String }
///
/// let url = process.environment[DatabaseURL.self]
/// ```
///
/// - Source: Ergo's process environment, typed.
public protocol EnvironmentKey {
    /// What is stored under the key.
    associatedtype Value: Sendable
}

/// Values by typed key.
///
/// A process looks a key up in its own environment, which began as a copy of its parent's at the
/// time of the spawn with the spawn option's values put over it; then in that of its group leader,
/// as it is now; then in that of its node.
public struct Environment: Sendable {
    private var values: [ObjectIdentifier: any Sendable]

    /// Makes an empty environment.
    public init() {
        // A literal would be a call, for each process.
        values = Dictionary()
    }

    /// The value under `key`, or nil if there is none. Setting nil removes it.
    public subscript<Key: EnvironmentKey>(key: Key.Type) -> Key.Value? {
        get { values[ObjectIdentifier(key)] as? Key.Value }
        set { values[ObjectIdentifier(key)] = newValue }
    }

    /// A copy in which `key` has the given value; made for building an environment in one
    /// expression.
    public func setting<Key: EnvironmentKey>(
        _ key: Key.Type, to value: Key.Value
    ) -> Environment {
        var copy = self
        copy[key] = value
        return copy
    }

    /// Whether there is no value.
    public var isEmpty: Bool { values.isEmpty }

    /// How many keys have a value.
    public var count: Int { values.count }

    /// A copy with the values of `other` put over its own.
    public func merging(_ other: Environment) -> Environment {
        if other.isEmpty { return self }
        if isEmpty { return other }
        var copy = self
        copy.values.merge(other.values) { _, new in new }
        return copy
    }

    /// What differs in `other`.
    func changes(to other: Environment) -> ApplicationConfigurationChange {
        var (changed, new, removed) = (Environment(), Environment(), Environment())
        for (key, value) in other.values {
            switch values[key] {
            case nil: new.values[key] = value
            case let old? where !areEqual(old, value): changed.values[key] = value
            case _?: break
            }
        }
        removed.values = values.filter { other.values[$0.key] == nil }
        return ApplicationConfigurationChange(changed: changed, new: new, removed: removed)
    }
}

/// Whether both are equal; false for what cannot be compared.
private func areEqual(_ left: any Sendable, _ right: any Sendable) -> Bool {
    func compare<T: Equatable>(_ left: T) -> Bool { (right as? T) == left }
    return (left as? any Equatable).map { compare($0) } ?? false
}
