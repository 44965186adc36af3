//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// Where other threads put objects that this thread has made and that nobody needs any more, so that it
/// destroys them itself.
///
/// An allocator with a heap for each thread, as that of the GNU C library, takes memory back into the
/// heap that it came from. When one thread makes processes and another ends them, the two fight for
/// the lock of one heap, twice for each process, and the one finds free memory only where the other has
/// just written. A thread that destroys one old object for each that it makes gets its memory again at
/// once, without a lock.
///
/// The box is open from when its owner has made something until it sleeps, so nothing stays in it while
/// the owner does nothing. While the owner is busy with one thing it fills up to ``countMax``. What another
/// thread has collected for it stays there as long as that is busy with one thing.
///
/// Invariant: the box has one reference to each object in it; a closed box is empty.
struct ReturnBox<Object: AnyObject & Sendable>: ~Copyable, Sendable {
    static var countMax: Int { 256 }

    /// A leaf lock.
    private let objects = Lock(apart: [Unmanaged<Object>]())
    /// Written with the lock held, and read without.
    private let status = Atomic(ReturnBoxStatus.closed)

    /// Whether it takes anything. That may change at any time.
    var isOpen: Bool { status.load(ordering: .relaxed) != .closed }

    /// From now on it takes objects. To be called by the owner.
    func open() {
        if isOpen { return }
        objects.withLock { _ in status.store(.empty, ordering: .relaxed) }
    }

    /// Exchanges what is in it for an empty array. To be called by the owner.
    ///
    /// - Parameters:
    ///   - place: the empty array; it gets the objects, with the reference to each.
    ///   - closing: whether it takes no more from now on.
    func takeAll(_ place: inout [Unmanaged<Object>], closing: Bool = false) {
        assert(place.isEmpty)
        if !closing, status.load(ordering: .relaxed) != .filled { return }
        objects.withLock { objects in
            swap(&objects, &place)
            status.store(closing ? .closed : .empty, ordering: .relaxed)
        }
    }

    /// Takes objects over, with the reference to each. If it is closed or full, they are destroyed here.
    func put(_ returned: inout [Unmanaged<Object>]) {
        let isTaken = objects.withLock { objects in
            guard isOpen, objects.count + returned.count <= Self.countMax else { return false }
            if objects.isEmpty {
                swap(&objects, &returned)
            } else {
                objects.append(contentsOf: returned)
                returned.removeAll(keepingCapacity: true)
            }
            status.store(.filled, ordering: .relaxed)
            return true
        }
        if isTaken { return }
        for object in returned { object.release() }
        returned.removeAll(keepingCapacity: true)
    }
}

private enum ReturnBoxStatus: UInt8, AtomicRepresentable {
    case closed, empty, filled
}

/// What a thread has to put into the box of another, until it is worth the lock.
///
/// Invariant: it has one reference to each object in it.
struct Returns<Object: AnyObject & Sendable> {
    /// The number of the thread whose box it is.
    private(set) var owner = 0
    private var objects: [Unmanaged<Object>] = []

    static var countMax: Int { 64 }

    var isEmpty: Bool { objects.isEmpty }
    var isFull: Bool { objects.count >= Self.countMax }

    /// Adds an object. All in it have the same owner.
    mutating func add(_ object: consuming Object, of owner: Int) {
        assert(isEmpty || owner == self.owner)
        self.owner = owner
        objects.append(.passRetained(object))
    }

    /// Takes all of it out. To be given back with ``reuse(_:)`` when it is empty, for its memory.
    mutating func takeAll() -> [Unmanaged<Object>] {
        var all: [Unmanaged<Object>] = []
        swap(&all, &objects)
        return all
    }

    mutating func reuse(_ empty: consuming [Unmanaged<Object>]) {
        if objects.isEmpty { objects = empty }
    }
}
