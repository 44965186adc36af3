//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

#if canImport(Glibc)
    internal import Glibc
#endif

/// Memory that a thread asks for ahead while it makes many objects that last, such as processes.
///
/// The GNU C library gives each thread a heap of its own, and lets that grow by a page at a time: a
/// system call for each dozen of processes, and a page fault besides. These cost more than all the
/// rest of a spawn. So a larger piece is asked for now and then, and given back at once: the heap has
/// grown in one step then, and does not shrink, as long as the piece is smaller than the least that
/// goes back to the system. Elsewhere there is nothing to gain.
///
/// A thread whose objects go as fast as it makes them has room already. It is asked for more and more
/// seldom: to give back a large piece makes the heap join all the small ones that are free, and the
/// next objects have to be cut out of these again.
struct HeapRoom: Sendable {
    /// A piece is asked for after so many more objects.
    private var objectsLeft = Self.objectsPerPiece
    private(set) var objectsToNext = Self.objectsPerPiece
    /// Where the last piece was.
    private var piece: Range<UInt> = 0..<0

    private static let objectsPerPiece = 256
    private static let objectsToNextMax = 4096
    /// About what so many objects take. From 128 KiB on it would not come from the heap.
    private static let bytesPerPiece = 120_000

    /// An object will be made, or was made just now. Not to be called with a lock held.
    mutating func willAllocate() {
        #if canImport(Glibc)
            objectsLeft -= 1
            if objectsLeft > 0 { return }
            grow()
            objectsLeft = objectsToNext
        #endif
    }

    /// Notes where a piece is that was asked for.
    ///
    /// - Returns: the whole pages in it. If it overlaps the last piece only those further up, as heaps
    ///   grow upwards: who makes objects as fast as others go gets the same piece again and again.
    mutating func note(_ piece: Range<UInt>, pageLength: UInt) -> Range<UInt> {
        var first = (piece.lowerBound + pageLength - 1) / pageLength * pageLength
        if piece.overlaps(self.piece) {
            first = max(first, self.piece.upperBound / pageLength * pageLength)
        }
        self.piece = piece
        let new = first..<max(first, piece.upperBound / pageLength * pageLength)
        objectsToNext =
            new.isEmpty
            ? min(objectsToNext * 2, Self.objectsToNextMax) : Self.objectsPerPiece
        return new
    }

    #if canImport(Glibc)
        /// `MADV_POPULATE_WRITE`, since Linux 5.14. Older ones refuse it, and nothing happens.
        private static let populateForWriting: CInt = 23

        @inline(never)
        private mutating func grow() {
            var room: UnsafeMutableRawPointer?
            // Not `malloc`: the compiler leaves that out when `free` follows.
            guard posix_memalign(&room, 16, Self.bytesPerPiece) == 0, let room else { return }
            defer { free(room) }
            let start = UInt(bitPattern: room)
            let new = note(
                start..<start + UInt(Self.bytesPerPiece), pageLength: UInt(getpagesize()))
            guard !new.isEmpty else { return }
            // All page faults at once.
            madvise(
                UnsafeMutableRawPointer(bitPattern: new.lowerBound), new.count,
                Self.populateForWriting)
        }
    #endif
}
