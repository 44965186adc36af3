//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Synchronization

/// A value behind a lock that is held for some tens of nanoseconds.
///
/// `Synchronization.Mutex` would be the natural choice. On Linux it hands a contended lock over
/// inside the kernel (`FUTEX_LOCK_PI`), which the thread sanitizer cannot see: every program that
/// uses Troupe would drown in false reports, and real ones would not be found. It also costs about
/// twice as much when uncontended, several times for each message.
///
/// A waiting thread spins, then yields, then naps for ever longer, up to 1 ms. That is right only
/// because of the rule that this library keeps everywhere: no user code, no allocation that is not
/// amortised, no system call and no other lock (but by rank) within.
///
/// Invariant: `word` is 1 exactly while one thread is between `acquire` and `release`; only that
/// thread touches what `value` points to. The exchange that takes the lock acquires what the store
/// that gave it back released.
@usableFromInline
struct Lock<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Unchecked: see the invariant.

    @usableFromInline let word = Atomic<UInt32>(0)
    /// On the heap, as a structure cannot have a part that changes while it is borrowed.
    @usableFromInline let value: UnsafeMutablePointer<Value>

    @inlinable
    init(_ value: consuming Value) {
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
    }

    deinit {
        value.deinitialize(count: 1)
        value.deallocate()
    }

    /// Runs `body` with the lock held.
    @inlinable
    func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        acquire()
        defer { unlock() }
        return try body(&value.pointee)
    }

    /// Takes the lock, and the value until ``unlock()``. For where a closure would cost copies of
    /// what it captures; everywhere else ``withLock(_:)`` is what cannot be done wrong.
    @inlinable
    func lock() -> UnsafeMutablePointer<Value> {
        acquire()
        return value
    }

    /// Gives the lock back.
    @inlinable
    func unlock() {
        word.store(0, ordering: .releasing)
    }

    @inlinable
    func acquire() {
        if word.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged { return }
        waitForLock(word)
    }
}

/// The slow half of taking a lock.
@usableFromInline
func waitForLock(_ word: borrowing Atomic<UInt32>) {
    var attempts: UInt64 = 0
    while true {
        if word.load(ordering: .relaxed) == 0,
            word.weakCompareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
        {
            return
        }
        attempts += 1
        if attempts < 60 { continue }
        if attempts < 160 {
            Platform.yieldThread()
        } else {
            // The holder may be a thread that the system does not run while others are runnable.
            Platform.nap(nanoseconds: min(1_000_000, attempts * 1000))
        }
    }
}
