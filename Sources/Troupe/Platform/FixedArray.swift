//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A fixed number of values that need not be copyable, such as locks and atomics.
///
/// To look at one counts no reference, neither of it nor of the whole: what all threads use would
/// have a count that all of them write. For the same reason no two values share a line of cache.
///
/// Invariant: the `count` values at `values`, `stride` bytes apart, are initialised until the array is
/// destroyed, and only borrowed.
struct FixedArray<Value: ~Copyable>: ~Copyable {
    private let values: UnsafeMutableRawPointer
    let count: Int

    init(count: Int, _ makeValue: () -> Value) {
        self.count = count
        self.values = .allocate(
            byteCount: count * Self.stride, alignment: CacheLinePadding.lengthInBytes)
        for index in 0..<count {
            (values + index * Self.stride).bindMemory(to: Value.self, capacity: 1)
                .initialize(to: makeValue())
        }
    }

    deinit {
        for index in 0..<count { place(of: index).deinitialize(count: 1) }
        values.deallocate()
    }

    /// How many bytes each has, in whole lines.
    private static var stride: Int {
        let line = CacheLinePadding.lengthInBytes
        return (MemoryLayout<Value>.stride + line - 1) / line * line
    }

    private func place(of index: Int) -> UnsafeMutablePointer<Value> {
        (values + index * Self.stride).assumingMemoryBound(to: Value.self)
    }

    /// Runs `body` with one of the values.
    func withValue<Result: ~Copyable>(
        at index: Int, _ body: (borrowing Value) -> Result
    ) -> Result {
        precondition(index >= 0 && index < count)
        return body(place(of: index).pointee)
    }
}

// Unchecked: see the invariant.
extension FixedArray: @unchecked Sendable where Value: Sendable & ~Copyable {}

/// Empty space that keeps what stands before it in an object off the lines of cache of what comes
/// after.
struct CacheLinePadding: Sendable {
    /// Two lines of 64 bytes, as processors fetch them in pairs; one of those that have 128.
    static let lengthInBytes = 128

    private let words:
        (
            UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
            UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
        ) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}
