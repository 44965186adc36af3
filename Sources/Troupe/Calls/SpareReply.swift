//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Synchronization

/// A place for the reply to the next call, left over from one that is finished: to make one for each call
/// is a tenth of what a call costs.
///
/// Any number of threads may take it or give one back. Invariant: what `slot` points to is referred to by
/// nothing else, and that reference is counted.
@usableFromInline
struct SpareReply<Reply: Sendable>: ~Copyable, @unchecked Sendable {
    // Unchecked: only because of the type of a pointer.

    @usableFromInline let slot = Atomic<UnsafeRawPointer?>(nil)

    @inlinable
    init() {}

    @inlinable
    deinit { _ = take() }

    /// Takes the place, if there is one.
    @inlinable
    func take() -> TypedReplyCell<Reply>? {
        let pointer = slot.exchange(nil, ordering: .acquiring)
        return pointer.map { Unmanaged<TypedReplyCell<Reply>>.fromOpaque($0).takeRetainedValue() }
    }

    /// Keeps the place of a call that is finished, unless somebody else may still use it, or there is one.
    @inlinable
    func keep(_ reply: inout TypedReplyCell<Reply>) {
        guard isKnownUniquelyReferenced(&reply) else { return }
        reply.reset()
        let new = Unmanaged.passRetained(reply)
        let isKept = slot.compareExchange(
            expected: nil, desired: UnsafeRawPointer(new.toOpaque()), ordering: .releasing
        ).exchanged
        if !isKept { new.release() }
    }
}
