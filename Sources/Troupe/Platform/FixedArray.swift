//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A fixed number of values that need not be copyable, such as locks and atomics.
///
/// To look at one counts no reference, neither of it nor of the whole: what all threads use would
/// have a count that all of them write.
///
/// Invariant: the `count` values at `values` are initialised until the array is destroyed, and only
/// borrowed.
struct FixedArray<Value: ~Copyable>: ~Copyable {
    private let values: UnsafeMutablePointer<Value>
    let count: Int

    init(count: Int, _ makeValue: () -> Value) {
        self.count = count
        self.values = .allocate(capacity: count)
        for index in 0..<count { (values + index).initialize(to: makeValue()) }
    }

    deinit {
        values.deinitialize(count: count)
        values.deallocate()
    }

    /// Runs `body` with one of the values.
    func withValue<Result: ~Copyable>(
        at index: Int, _ body: (borrowing Value) -> Result
    ) -> Result {
        precondition(index >= 0 && index < count)
        return body(values[index])
    }
}

// Unchecked: see the invariant.
extension FixedArray: @unchecked Sendable where Value: Sendable & ~Copyable {}
