//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Synchronization

/// A lock that is held for some tens of nanoseconds, without what it protects: for hot objects that
/// keep that beside it. Everything else uses ``Lock``.
///
/// `Synchronization.Mutex` would be the natural choice. On Linux it hands a contended lock over
/// inside the kernel (`FUTEX_LOCK_PI`), which the thread sanitizer cannot see: every program that
/// uses Troupe would drown in false reports, and real ones would not be found. It also costs about
/// twice as much when uncontended, several times for each message.
///
/// A waiting thread spins, then yields, then naps for ever longer, 10 µs to 1 ms. That is right only
/// because of the rule that this library keeps everywhere: no user code, no allocation that is not
/// amortised, no system call and no other lock (but by rank) within.
///
/// Invariant: `word` is 1 exactly while one thread is between ``acquire()`` and ``release()``. The
/// exchange that takes the lock acquires what the store that gave it back released.
@usableFromInline
struct LockWord: ~Copyable, Sendable {
    @usableFromInline let word = Atomic<UInt32>(0)

    @inlinable
    init() {}

    @inlinable
    func acquire() {
        if word.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged { return }
        waitForLock(word)
    }

    @inlinable
    func release() {
        // Not for the processor, for which the store is enough: the compiler moves the retain of an
        // object that was read with the lock held beyond a store, even this one, but not beyond a
        // fence. There another thread may have destroyed the object.
        atomicMemoryFence(ordering: .releasing)
        word.store(0, ordering: .releasing)
    }
}

/// A value behind a ``LockWord``.
///
/// Invariant: only the thread that holds the lock touches what `value` points to.
@usableFromInline
package struct Lock<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Unchecked: see the invariant.

    @usableFromInline let word = LockWord()
    /// On the heap, as a structure cannot have a part that changes while it is borrowed.
    @usableFromInline let value: UnsafeMutablePointer<Value>

    @inlinable
    package init(_ value: consuming Value) {
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
    }

    /// A lock whose value shares no line of cache with anything else.
    init(apart value: consuming Value) {
        let line = CacheLinePadding.lengthInBytes
        let place = UnsafeMutableRawPointer.allocate(
            byteCount: max(MemoryLayout<Value>.size, line), alignment: line)
        self.value = place.bindMemory(to: Value.self, capacity: 1)
        self.value.initialize(to: value)
    }

    deinit {
        value.deinitialize(count: 1)
        value.deallocate()
    }

    /// Runs `body` with the lock held.
    @inlinable
    package func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        word.acquire()
        defer { word.release() }
        return try body(&value.pointee)
    }
}

/// The slow half of taking a lock.
@usableFromInline
func waitForLock(_ word: borrowing Atomic<UInt32>) {
    var rounds: UInt64 = 0
    while true {
        // Many looks after each nap, too: who takes the lock again and again leaves it free only for
        // moments, and one look per nap would wait for a lucky one.
        for _ in 0..<100
        where word.load(ordering: .relaxed) == 0
            && word.weakCompareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
        {
            return
        }
        rounds += 1
        if rounds <= 100 {
            Platform.yieldThread()
        } else {
            // The holder may be a thread that the system does not run while others are runnable.
            Platform.nap(nanoseconds: min(1_000_000, (rounds - 100) * 10_000))
        }
    }
}
