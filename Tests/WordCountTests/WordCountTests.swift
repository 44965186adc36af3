//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

@testable import WordCount

@Suite("WordCount", .timeLimit(.minutes(1)))
struct WordCountTests {
    /// The definition, stated without chunks, bytes or processes.
    private func reference(_ text: String) -> [String: Int] {
        var counts: [String: Int] = [:]
        for word in text.split(whereSeparator: { !$0.isLetter }) {
            counts[word.lowercased(), default: 0] += 1
        }
        return counts
    }

    private func withFile<Result>(
        _ bytes: [UInt8], _ body: (String) async throws -> Result
    ) async throws -> Result {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("wordcount-\(UUID().uuidString).txt").path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    /// Words, marks, emoji, digits and line ends that make chunks and characters hard to cut.
    private func text(seed: UInt64, newlines: Bool) -> String {
        let pieces = [
            "word", "Word", "don't", "naïve", "e\u{301}t\u{E9}", "\u{301}", "日本語", "ß", "İ", " ",
            "  ", ".", "42", "🇩🇪🇫🇷", "👩‍👩‍👧", "\u{200D}", "ൎ", "क्षि", "x", "\t", "\r",
        ]
        var random = SeededGenerator(seed: seed)
        return (0..<400).map { _ in
            let index = Int(random.next() % UInt64(pieces.count + (newlines ? 2 : 0)))
            return index < pieces.count ? pieces[index] : "\n"
        }.joined()
    }

    @Test("a chunk is counted as the definition says", arguments: 1...100)
    func counter(seed: UInt64) {
        let text = text(seed: seed, newlines: true)
        var counter = WordCounter(Array(text.utf8))
        while !counter.isDone { counter.countSlice(length: 64) }
        #expect(counter.counts == reference(text))
    }

    @Test("a file is counted as the definition says, wherever it is cut", arguments: 1...30)
    func chunks(seed: UInt64) async throws {
        let text = text(seed: seed, newlines: seed % 2 == 0)
        try await withFile(Array(text.utf8)) { path in
            var options = Options()
            options.files = [path]
            options.top = .max
            for length in [7, 64, 1000] {
                let result = try await WordCount.count(options, chunkLength: length)
                let counts = Dictionary(
                    uniqueKeysWithValues: result.lines.map { ($0.word, $0.count) })
                #expect(counts == reference(text))
                #expect(result.lines == result.lines.sorted())
            }
        }
    }

    @Test("chaos changes nothing, and somebody dies", arguments: [1, 2, 3])
    func chaos(seed: UInt64) async throws {
        let text = (0..<20_000).map { "word\($0 % 977) Zeile\n" }.joined()
        try await withFile(Array(text.utf8)) { path in
            var options = Options()
            options.files = [path, path]
            options.workers = 3
            let calm = try await WordCount.count(options, chunkLength: 8192)
            options.chaosSeed = seed
            let chaos = try await WordCount.count(options, chunkLength: 8192)
            #expect(calm.lines == chaos.lines)
            #expect(calm.summary.died == 0)
            #expect(chaos.summary.died > 0)
        }
    }

    @Test("invalid UTF-8 is named with its offset, in whatever chunk it is")
    func invalid() async throws {
        for (bytes, offset) in [
            ([0xFF], 0), ([0x61, 0xC3], 1), ([0x61, 0x0A, 0x62, 0xE2, 0x82, 0x20], 3),
            (Array(repeating: 0x61, count: 5000) + [0xC0, 0xAF], 5000),
            (Array("é\n".utf8) + [0xED, 0xA0, 0x80], 3),
        ] as [([UInt8], Int)] {
            try await withFile(bytes) { path in
                var options = Options()
                options.files = [path]
                await #expect(throws: FileError.invalidUTF8(path, offset: offset)) {
                    _ = try await WordCount.count(options, chunkLength: 100)
                }
            }
        }
    }

    @Test("files that are missing or directories are named")
    func badFiles() async throws {
        var options = Options()
        options.files = ["/nonexistent/file"]
        await #expect(throws: FileError.missing("/nonexistent/file")) {
            _ = try await WordCount.count(options)
        }
        options.files = ["/"]
        await #expect(throws: FileError.directory("/")) { _ = try await WordCount.count(options) }
    }

    @Test("the command line is read, and what is wrong with it is said")
    func options() throws {
        let options = try Options.parse(
            ["--top", "3", "a", "--workers", "7", "--chaos", "99", "--", "--b"])
        #expect(options.top == 3 && options.workers == 7 && options.chaosSeed == 99)
        #expect(options.files == ["a", "--b"])
        for bad in [
            [], ["--top"], ["--top", "0", "f"], ["--top", "x", "f"], ["--workers", "0", "f"],
            ["--chaos", "-1", "f"], ["--frob", "f"], ["-t", "f"],
        ] {
            #expect(throws: Options.UsageError.self) { _ = try Options.parse(bad) }
        }
    }
}
