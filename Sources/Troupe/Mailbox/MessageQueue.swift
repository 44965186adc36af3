//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A first-in, first-out queue of elements of one type, in a chain of chunks of raw memory.
///
/// The queue does not know its element type; every call names it, and all calls on one queue must
/// name the same. That is what lets the untyped part of a process (locking, life cycle, signals)
/// hold the queue next to the state it belongs to, while the typed part, specialised where the
/// process is spawned, moves the elements.
///
/// Invariants:
/// - In each chunk the elements at `read ..< write` are initialised, all others are not.
/// - Only the first and the last chunk can be empty or have `read > 0` or `write < capacity`
///   respectively, except after ``prepend(_:)``, where the seam may be partly filled too.
/// - `head == nil` exactly when `tail == nil`.
/// - A queue has no destructor for its elements: the owner pops every element before it lets go,
///   then calls ``releaseMemory()``.
@usableFromInline
struct MessageQueue: ~Copyable, @unchecked Sendable {
    // Unchecked: the elements are `Sendable` by the signatures below, the memory has one owner.

    @usableFromInline
    struct Chunk {
        @usableFromInline var next: UnsafeMutablePointer<Chunk>?
        @usableFromInline var read: Int32
        @usableFromInline var write: Int32
        @usableFromInline var capacity: Int32
        @usableFromInline let byteCount: Int32

        @inlinable
        init(capacity: Int32, byteCount: Int32) {
            self.next = nil
            self.read = 0
            self.write = 0
            self.capacity = capacity
            self.byteCount = byteCount
        }
    }

    @usableFromInline var head: UnsafeMutablePointer<Chunk>?
    @usableFromInline var tail: UnsafeMutablePointer<Chunk>?

    @inlinable
    init() {
        self.head = nil
        self.tail = nil
    }

    /// The first chunk is small, because most processes have few messages waiting: it takes 120 bytes if
    /// a message or two have room in that. Up to there glibc frees memory without the lock of its heap
    /// and without a look at what lies beside it, which is rarely in the cache.
    @inlinable
    static func firstCapacity<E>(of type: E.Type) -> Int32 {
        let room = smallByteCount - offset(of: E.self)
        return Int32(max(1, min(8, room / max(1, MemoryLayout<E>.stride))))
    }
    @inlinable static var smallByteCount: Int { 120 }
    @inlinable static var largestCapacity: Int32 { 64 }
    /// A chunk that an idle process may keep.
    @inlinable static var keptCapacity: Int32 { 8 }

    @inlinable
    static func elements<E>(
        of chunk: UnsafeMutablePointer<Chunk>, as type: E.Type
    ) -> UnsafeMutablePointer<E> {
        (UnsafeMutableRawPointer(chunk) + offset(of: E.self)).assumingMemoryBound(to: E.self)
    }

    /// Where in a chunk the elements begin.
    @inlinable
    static func offset<E>(of type: E.Type) -> Int {
        let alignment = max(MemoryLayout<E>.alignment, MemoryLayout<Chunk>.alignment)
        return (MemoryLayout<Chunk>.size + alignment - 1) & ~(alignment - 1)
    }

    @inlinable
    static func makeChunk<E>(capacity: Int32, of type: E.Type) -> UnsafeMutablePointer<Chunk> {
        let alignment = max(MemoryLayout<E>.alignment, MemoryLayout<Chunk>.alignment)
        let byteCount = offset(of: E.self) + Int(capacity) * MemoryLayout<E>.stride
        let raw = UnsafeMutableRawPointer.allocate(
            byteCount: byteCount,
            // What malloc gives anyway; asking for less lets it take the fast way.
            alignment: alignment <= 16 ? 16 : alignment)
        let chunk = raw.bindMemory(to: Chunk.self, capacity: 1)
        chunk.initialize(to: Chunk(capacity: capacity, byteCount: Int32(clamping: byteCount)))
        return chunk
    }

    /// Appends `element`. Amortised constant; allocates once in up to 64 elements.
    @inlinable
    mutating func append<E: Sendable>(_ element: consuming E) {
        var last: UnsafeMutablePointer<Chunk>
        if let tail {
            last = tail
            if last.pointee.write == last.pointee.capacity {
                let chunk = Self.makeChunk(
                    capacity: min(
                        max(last.pointee.capacity * 2, Self.keptCapacity), Self.largestCapacity),
                    of: E.self)
                last.pointee.next = chunk
                self.tail = chunk
                last = chunk
            }
        } else {
            last = Self.makeChunk(capacity: Self.firstCapacity(of: E.self), of: E.self)
            self.head = last
            self.tail = last
        }
        (Self.elements(of: last, as: E.self) + Int(last.pointee.write)).initialize(to: element)
        last.pointee.write += 1
    }

    /// Removes and returns the first element.
    @inlinable
    mutating func popFirst<E: Sendable>(as type: E.Type) -> E? {
        takeFirst(as: type)?.move()
    }

    /// Removes the first element, which the caller moves out of its place before it touches the
    /// queue again. Where every nanosecond counts this replaces ``popFirst(as:)``, whose optional is
    /// copied by slow code that the compiler shares between all types.
    ///
    /// The last chunk is kept for what comes next.
    @inlinable
    mutating func takeFirst<E: Sendable>(as type: E.Type) -> UnsafeMutablePointer<E>? {
        while let first = head {
            let read = first.pointee.read
            if read < first.pointee.write {
                first.pointee.read = read + 1
                return Self.elements(of: first, as: E.self) + Int(read)
            }
            guard let next = first.pointee.next else {
                first.pointee.read = 0
                first.pointee.write = 0
                return nil
            }
            head = next
            first.deallocate()
        }
        return nil
    }

    /// The first element, which stays where it is.
    func first<E: Sendable>(as type: E.Type) -> UnsafeMutablePointer<E>? {
        var chunk = head
        while let current = chunk {
            let read = current.pointee.read
            if read < current.pointee.write {
                return Self.elements(of: current, as: E.self) + Int(read)
            }
            chunk = current.pointee.next
        }
        return nil
    }

    /// Whether there is such an element.
    func contains<E: Sendable>(as type: E.Type, where isWanted: (borrowing E) -> Bool) -> Bool {
        var chunk = head
        while let current = chunk {
            let elements = Self.elements(of: current, as: E.self)
            for index in Int(current.pointee.read)..<Int(current.pointee.write) {
                if isWanted(elements[index]) { return true }
            }
            chunk = current.pointee.next
        }
        return false
    }

    /// Whether there is no element.
    @inlinable
    var isEmpty: Bool {
        var chunk = head
        while let current = chunk {
            if current.pointee.read < current.pointee.write { return false }
            chunk = current.pointee.next
        }
        return true
    }

    /// Gives all elements to `other`, which must be empty, and takes its empty chunk in return, so
    /// that two queues that take turns allocate nothing.
    @inlinable
    mutating func moveAll(to other: inout MessageQueue) {
        swap(&self.head, &other.head)
        swap(&self.tail, &other.tail)
    }

    /// Puts the elements of `other` before those of this queue, in constant time.
    @inlinable
    mutating func prepend(_ other: inout MessageQueue) {
        guard let otherTail = other.tail else { return }
        otherTail.pointee.next = head
        if tail == nil { tail = otherTail }
        head = other.head
        other.head = nil
        other.tail = nil
    }

    /// Frees the memory of an empty queue unless it is small enough to keep.
    @inlinable
    mutating func trim() {
        if let head, head == tail, head.pointee.capacity <= Self.keptCapacity {
            head.pointee.read = 0
            head.pointee.write = 0
            return
        }
        releaseMemory()
    }

    /// Frees the memory of an empty queue but for a first chunk of the usual size.
    mutating func trimToFirstChunk() {
        assert(isEmpty)
        if let head, head == tail, Int(head.pointee.byteCount) <= Self.smallByteCount { return }
        releaseMemory()
    }

    /// Frees the memory of an empty queue.
    @inlinable
    mutating func releaseMemory() {
        var chunk = head
        while let current = chunk {
            assert(current.pointee.read == current.pointee.write, "elements would leak")
            chunk = current.pointee.next
            current.deallocate()
        }
        head = nil
        tail = nil
    }
}
