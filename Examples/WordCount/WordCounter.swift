//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Counts the words of a chunk, a slice at a time.
///
/// A word is a maximal run of letters (`Character.isLetter`), lower-cased. Lines of ASCII, which are
/// most of most texts, are counted byte by byte; a line with anything else character by character.
struct WordCounter {
    private(set) var counts: [String: Int] = [:]
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Whether everything has been counted.
    var isDone: Bool { position == bytes.count }

    /// Counts some lines, at least `length` bytes of them unless the chunk ends before.
    mutating func countSlice(length: Int) {
        let end = bytes.index(position, offsetBy: length, limitedBy: bytes.count) ?? bytes.count
        while position < end { countLine() }
    }

    private mutating func countLine() {
        var wordStart = position
        var index = position
        while index < bytes.count {
            let byte = bytes[index]
            if byte >= 0x80 { break }
            if !isLetter(byte) {
                if wordStart < index { countWord(wordStart..<index) }
                wordStart = index + 1
                if byte == UInt8(ascii: "\n") {
                    position = index + 1
                    return
                }
            }
            index += 1
        }
        if index == bytes.count {
            if wordStart < index { countWord(wordStart..<index) }
            position = index
            return
        }
        // The words that end before the last ASCII byte are counted; that byte may be the first part
        // of a character, so what follows them is looked at as characters, from where the last
        // word or the last other byte begins.
        let start = wordStart < index ? wordStart : max(position, index - 1)
        let lineEnd =
            bytes[index...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
        countCharacters(start..<lineEnd)
        position = lineEnd
    }

    private func isLetter(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26
    }

    private mutating func countWord(_ range: Range<Int>) {
        let word = String(unsafeUninitializedCapacity: range.count) { buffer in
            for (offset, index) in range.enumerated() { buffer[offset] = bytes[index] | 0x20 }
            return range.count
        }
        counts[word, default: 0] += 1
    }

    private mutating func countCharacters(_ range: Range<Int>) {
        var word = ""
        for character in String(decoding: bytes[range], as: UTF8.self) {
            if character.isLetter {
                word += character.lowercased()
            } else if !word.isEmpty {
                counts[word, default: 0] += 1
                word = ""
            }
        }
        if !word.isEmpty { counts[word, default: 0] += 1 }
    }
}
