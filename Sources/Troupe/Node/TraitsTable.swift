//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// The traits that processes of a node share which differ in nothing but their type.
///
/// Every spawn looks here, so a look-up takes no lock, and each thread of the scheduler has traits of
/// its own: all their processes count references to them. What was added stays as long as the node:
/// that is as much as the program has types of servers, for each thread.
///
/// Traits whose keys hash to the same number are in a chain.
struct TraitsTable: ~Copyable, Sendable {
    struct Key: Hashable, Sendable {
        let type: ObjectIdentifier
        let obeysParent: Bool
        /// The number of the thread that spawns.
        let thread: Int
    }

    /// More threads than this share.
    private static let threadCountMax = 64
    /// For each thread.
    private static let chainCount = 16

    private let chains: FixedArray<TraitsPlace>

    init(threadCount: Int) {
        let count = min(max(threadCount, 1), Self.threadCountMax)
        self.chains = FixedArray(count: Self.chainCount * count) { TraitsPlace() }
    }

    /// The number of this thread in keys.
    var ownThread: Int {
        let count = chains.count / Self.chainCount
        if count == 1 { return 0 }
        return (WorkerLocal.current?.pointee.index ?? 0) % count
    }

    /// The traits for a key, if there are some.
    func find(_ key: Key) -> ProcessTraits? {
        chains.withValue(at: chain(of: key)) { place in
            var next = place.load()
            while let traits = next, traits.key != key { next = traits.next.load() }
            return next
        }
    }

    /// Puts traits for their key here, unless another thread has done that.
    ///
    /// - Returns: what is here now.
    func insert(_ traits: ProcessTraits) -> ProcessTraits {
        chains.withValue(at: chain(of: traits.key)) { place in
            var found = place.storeIfNil(traits)
            while found.key != traits.key { found = found.next.storeIfNil(traits) }
            return found
        }
    }

    private func chain(of key: Key) -> Int {
        // Types are far apart in memory, at addresses that differ in the lower bits least.
        let hash = UInt64(UInt(bitPattern: key.type)) &* 0x9E37_79B9_7F4A_7C15
        return key.thread * Self.chainCount + (Int(hash >> 32) & (Self.chainCount - 1))
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
        if let found = load() { return found }
        let new = Unmanaged.passRetained(traits)
        let (isStored, found) = stored.compareExchange(
            expected: nil, desired: new, ordering: .acquiringAndReleasing)
        guard !isStored, let found else { return traits }
        new.release()
        return found.takeUnretainedValue()
    }
}
