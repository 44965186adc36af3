//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// An array that grows by pieces which stay where they are. Its indices are small, as whoever links
/// elements with each other keeps many of them.
///
/// An `Array` would be moved when it has to grow, with a lock held; and before each change of an
/// element it would ask whether it has to be copied.
///
/// Invariant: the elements of every piece in `pieces`, ``pieceLength`` each, are initialised until the
/// array is destroyed.
struct PiecewiseArray<Element>: ~Copyable {
    private var pieces: [UnsafeMutablePointer<Element>] = []

    private static var pieceBits: Int32 { 8 }
    static var pieceLength: Int32 { 1 << pieceBits }

    var count: Int32 { Int32(pieces.count << Self.pieceBits) }

    deinit {
        for piece in pieces {
            piece.deinitialize(count: Int(Self.pieceLength))
            piece.deallocate()
        }
    }

    subscript(index: Int32) -> Element {
        // To get or set one field through `get` and `set` would be to copy the element.
        _read { yield place(of: index).pointee }
        _modify { yield &place(of: index).pointee }
    }

    private func place(of index: Int32) -> UnsafeMutablePointer<Element> {
        pieces[Int(index >> Self.pieceBits)] + Int(index & (Self.pieceLength - 1))
    }

    /// Appends a piece.
    ///
    /// - Parameter makeElement: is given the index of each element.
    mutating func addPiece(_ makeElement: (Int32) -> Element) {
        let piece = UnsafeMutablePointer<Element>.allocate(capacity: Int(Self.pieceLength))
        let first = count
        for place in 0..<Self.pieceLength {
            (piece + Int(place)).initialize(to: makeElement(first + place))
        }
        pieces.append(piece)
    }
}

// Unchecked: see the invariant. The pieces belong to nobody else.
extension PiecewiseArray: @unchecked Sendable where Element: Sendable {}
