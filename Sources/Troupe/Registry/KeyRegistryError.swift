//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a process could not be registered under a key. Nothing was changed.
@nonexhaustive
public enum KeyRegistryError: Error, Hashable, Sendable {
    /// The keys are unique, and this process holds the key; it may be the one that asks.
    case alreadyRegistered(by: Pid)
    /// The registry has duplicate keys, and an address needs a key with one holder.
    case keysNotUnique
    /// The process is ending, or was left behind by its node.
    case processUnknown(Pid)
    /// The registry was made on another node.
    case notLocal(Pid)
}

extension KeyRegistryError: CustomStringConvertible {
    /// What happened, to whom, and what to do about it.
    public var description: String {
        switch self {
        case .alreadyRegistered(let pid):
            "the key is held by \(pid); choose another, or wait until it is free"
        case .keysNotUnique:
            "a process can only be addressed by its key in a registry whose keys are unique"
        case .processUnknown(let pid): "\(pid) is ending"
        case .notLocal(let pid):
            "\(pid) is on another node than the registry; make one on each node"
        }
    }
}
