//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// A file that cannot be counted.
enum FileError: Error, Equatable, CustomStringConvertible {
    case missing(String)
    case directory(String)
    case unreadable(String, why: String)
    case invalidUTF8(String, offset: Int)

    var description: String {
        switch self {
        case .missing(let path): "\(path): no such file"
        case .directory(let path): "\(path): is a directory"
        case .unreadable(let path, let why): "\(path): cannot be read: \(why)"
        case .invalidUTF8(let path, let offset): "\(path): invalid UTF-8 at byte \(offset)"
        }
    }
}

/// Cuts a file into chunks of valid UTF-8 that begin and end between two words, holding little more
/// than one of them in memory.
///
/// A chunk ends after a line feed, where neither a word nor a character can go on. Where a whole
/// chunk has none, it ends at the last boundary of two characters after one that is no letter.
struct ChunkReader {
    private let path: String
    private let file: FileHandle
    private let chunkLength: Int
    /// What was read and not returned yet.
    private var rest: [UInt8] = []
    /// Where `rest` begins in the file.
    private var offset = 0
    private var isAtEnd = false

    static let defaultChunkLength = 256 * 1024

    init(path: String, chunkLength: Int = defaultChunkLength) throws(FileError) {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw .missing(path)
        }
        if isDirectory.boolValue { throw .directory(path) }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw .unreadable(path, why: "no permission, or it cannot be opened")
        }
        self.path = path
        self.file = file
        self.chunkLength = chunkLength
    }

    /// The next chunk; nil at the end of the file.
    mutating func next() throws(FileError) -> [UInt8]? {
        var wanted = chunkLength
        while true {
            try fill(upTo: wanted)
            if rest.isEmpty { return nil }
            if isAtEnd { return try take(rest.count) }
            if let end = rest.lastIndex(of: UInt8(ascii: "\n")) { return try take(end + 1) }
            if let end = try endOfLastWord() { return try take(end) }
            // One word without an end so far: it has to be held as a whole.
            wanted = rest.count * 2
        }
    }

    private mutating func fill(upTo count: Int) throws(FileError) {
        while rest.count < count, !isAtEnd {
            do {
                let data = try file.read(upToCount: count - rest.count)
                if let data, !data.isEmpty { rest.append(contentsOf: data) } else { isAtEnd = true }
            } catch {
                throw .unreadable(path, why: error.localizedDescription)
            }
        }
    }

    private mutating func take(_ count: Int) throws(FileError) -> [UInt8] {
        let bytes = Array(rest[..<count])
        if let invalid = firstInvalidUTF8(bytes[...]) {
            throw .invalidUTF8(path, offset: offset + invalid)
        }
        rest.removeFirst(count)
        offset += count
        return bytes
    }

    /// The end of the last character that is no letter and has another one behind it.
    private func endOfLastWord() throws(FileError) -> Int? {
        // A sequence may be cut in the middle by the end of the buffer.
        var complete = rest.count
        while complete > 0, rest.count - complete < 3, rest[complete - 1] & 0xC0 == 0x80 {
            complete -= 1
        }
        if complete > 0, rest[complete - 1] >= 0xC0 { complete -= 1 }
        guard let text = String(validating: rest[..<complete], as: UTF8.self) else {
            guard let invalid = firstInvalidUTF8(rest[..<complete]) else { return nil }
            throw .invalidUTF8(path, offset: offset + invalid)
        }
        var index = text.endIndex
        // The last character may go on in what has not been read.
        guard index > text.startIndex else { return nil }
        text.formIndex(before: &index)
        while index > text.startIndex {
            let before = text.index(before: index)
            if !text[before].isLetter {
                return text.utf8.distance(from: text.startIndex, to: index)
            }
            index = before
        }
        return nil
    }
}

/// The position of the first byte that does not belong to valid UTF-8.
func firstInvalidUTF8(_ bytes: ArraySlice<UInt8>) -> Int? {
    if String(validating: bytes, as: UTF8.self) != nil { return nil }
    var index = bytes.startIndex
    while index < bytes.endIndex {
        let length = max(1, UTF8.expectedLength(of: bytes[index]))
        let sequence = bytes[index..<min(index + length, bytes.endIndex)]
        if String(validating: sequence, as: UTF8.self) == nil { return index - bytes.startIndex }
        index += length
    }
    return nil
}

extension UTF8 {
    /// How many bytes a sequence has that begins with this one; 1 for one that begins none.
    fileprivate static func expectedLength(of first: UInt8) -> Int {
        switch first {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
    }
}
