//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// The traits that processes of a node share which differ in nothing but their type.
///
/// Every spawn looks here, so a look-up takes no lock. What was added stays as long as the node: that
/// is as much as the program has types of servers.
///
/// Traits whose keys hash to the same number are in a chain.
final class TraitsTable: Sendable {
    struct Key: Hashable, Sendable {
        let type: ObjectIdentifier
        let obeysParent: Bool
    }

    private static let chainCount = 32

    private let chains = FixedArray(count: TraitsTable.chainCount) { TraitsPlace() }

    /// The traits for a key.
    ///
    /// - Parameter makeTraits: makes them if there are none; perhaps in vain, when another thread
    ///   does the same.
    func traits(for key: Key, _ makeTraits: () -> ProcessTraits) -> ProcessTraits {
        // Types are far apart in memory, at addresses that differ in the lower bits least.
        let hash = UInt64(UInt(bitPattern: key.type)) &* 0x9E37_79B9_7F4A_7C15
        return chains.withValue(at: Int(hash >> 32) & (Self.chainCount - 1)) { first in
            Self.find(key, from: first, makeTraits)
        }
    }

    private static func find(
        _ key: Key, from place: borrowing TraitsPlace,
        _ makeTraits: () -> ProcessTraits
    ) -> ProcessTraits {
        let traits = place.load() ?? place.storeIfNil(makeTraits())
        return traits.key == key ? traits : find(key, from: traits.next, makeTraits)
    }
}

/// Holds traits, once they are put there, until it is destroyed.
///
/// The same as `AtomicLazyReference` of Swift, whose methods are not specialised: that costs more
/// than the lock which it saves.
///
/// Invariant: once `stored` is not nil it does not change, and holds one reference.
struct TraitsPlace: ~Copyable, Sendable {
    private let stored = Atomic<Unmanaged<ProcessTraits>?>(nil)

    deinit {
        stored.load(ordering: .acquiring)?.release()
    }

    func load() -> ProcessTraits? {
        stored.load(ordering: .acquiring)?.takeUnretainedValue()
    }

    /// Puts traits here unless there are some.
    ///
    /// - Returns: what is here now.
    func storeIfNil(_ traits: ProcessTraits) -> ProcessTraits {
        let new = Unmanaged.passRetained(traits)
        let (isStored, found) = stored.compareExchange(
            expected: nil, desired: new, ordering: .acquiringAndReleasing)
        guard !isStored, let found else { return traits }
        new.release()
        return found.takeUnretainedValue()
    }
}
