//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// An object that is kept, or none, and that can be used without counting a reference: for objects
/// that many threads use, where each count is a line of cache that they take from each other.
///
/// Invariant: there is one reference to the object from the beginning to the end.
struct Held<Object: AnyObject>: ~Copyable {
    private let reference: Unmanaged<Object>?

    init(_ object: consuming Object?) {
        reference = object.map { Unmanaged.passRetained($0) }
    }

    deinit { reference?.release() }

    /// Runs `body` with the object.
    ///
    /// - Returns: what that returns; nil when there is no object.
    @discardableResult
    func withObject<Result>(_ body: (Object) -> Result) -> Result? {
        guard let reference else { return nil }
        return reference._withUnsafeGuaranteedRef(body)
    }

    /// Whether this object is it; of none, whether there is none.
    func isIdentical(to object: Object?) -> Bool {
        reference?.toOpaque() == object.map { Unmanaged.passUnretained($0).toOpaque() }
    }
}

// Unchecked: see the invariant.
extension Held: @unchecked Sendable where Object: Sendable {}
