//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Hashes names, which is done once for all the tables that a name is looked up in.
///
/// Equal names have equal hashes. As names may come from outside, the hash depends on numbers that were
/// drawn at random. The standard library's would do, but takes a third of the time that it takes to
/// register a name: this one mixes by multiplying, eight bytes at a time, as the hash tables of Go and
/// Rust do.
struct NameHasher: Sendable {
    // Not static, which would be asked at each use whether they have been drawn yet.
    private let keys = (UInt64.random(in: 0 ... .max), UInt64.random(in: 0 ... .max) | 1)

    /// - Returns: never 0.
    func hash(_ name: String) -> UInt32 {
        let hash = name.utf8.withContiguousStorageIfAvailable { self.hash(ascii: $0) } ?? nil
        return max(1, UInt32(truncatingIfNeeded: hash ?? slowHash(name)))
    }

    /// - Returns: nil when there are other characters than those of ASCII: then equal names may have
    ///   unlike bytes.
    private func hash(ascii bytes: UnsafeBufferPointer<UInt8>) -> UInt64? {
        let (count, raw) = (bytes.count, UnsafeRawBufferPointer(bytes))
        // Not as it is: that could cancel out a byte that differs.
        var state = keys.0 &+ keys.1 &* UInt64(truncatingIfNeeded: count)
        var seen: UInt64 = 0
        func mix(_ word: UInt64) {
            seen |= word
            let product = (state ^ word).multipliedFullWidth(by: keys.1)
            state = product.high ^ product.low
        }
        if count >= 8 {
            var offset = 0
            while offset < count - 8 {
                mix(raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                offset += 8
            }
            // The last eight, some of them for the second time.
            mix(raw.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self))
        } else if count >= 4 {
            let first = UInt64(raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
            let last = UInt64(raw.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
            mix(first << 32 | last)
        } else {
            mix(raw.reduce(0) { $0 << 8 | UInt64($1) })
        }
        if seen & 0x8080_8080_8080_8080 != 0 { return nil }
        let product = (state ^ keys.0).multipliedFullWidth(by: keys.1)
        return product.high ^ product.low
    }

    /// The hash of a name that is not in one piece, or not all ASCII.
    private func slowHash(_ name: String) -> UInt64 {
        var bytes: [UInt8] = []
        for scalar in name.unicodeScalars {
            // What is no ASCII can be equal to what is, but only by these.
            let scalar: Unicode.Scalar =
                switch scalar {
                case "\u{37E}": ";"
                case "\u{1FEF}": "`"
                case "\u{212A}": "K"
                default: scalar
                }
            guard scalar.isASCII else {
                var hasher = Hasher()
                hasher.combine(name)
                return UInt64(truncatingIfNeeded: hasher.finalize())
            }
            bytes.append(UInt8(scalar.value))
        }
        return bytes.withUnsafeBufferPointer { hash(ascii: $0) } ?? 0
    }
}
