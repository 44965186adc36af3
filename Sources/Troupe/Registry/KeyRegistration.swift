//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A key under which a process is registered when it is spawned; see
/// ``ProcessOptions/registration``.
public struct KeyRegistration: Sendable {
    let register: @Sendable (ProcessCell) -> KeyRegistryError?
}

extension KeyRegistry {
    /// Registers a process before it runs, so that its key addresses it from the first moment, and
    /// of two that are spawned at once with one key only one runs.
    ///
    /// The spawn throws ``SpawnError/registrationFailed(_:)`` when the key is held, and then `init`
    /// is not run. It also does when keys are not unique: then register within the process.
    ///
    /// - Source: Elixir's `{:via, Registry, {registry, key, value}}` as the name of a server.
    public func registration(_ key: Key, _ value: Value) -> KeyRegistration {
        KeyRegistration { cell in
            guard self.keyKind == .unique else { return .keysNotUnique }
            do throws(KeyRegistryError) {
                try self.register(key, value, for: cell)
                return nil
            } catch { return error }
        }
    }

    /// Registers a process before it runs, in a registry without values.
    public func registration(_ key: Key) -> KeyRegistration where Value == Void {
        registration(key, ())
    }
}
