//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

@testable import Hello

@Suite("README", .timeLimit(.minutes(1)))
struct ReadmeTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
    }

    /// The contents of the fenced blocks of a language.
    private func blocks(_ language: String, in text: String) -> [String] {
        text.components(separatedBy: "\n```").enumerated().compactMap { index, part in
            guard index % 2 == 1, part.hasPrefix("\(language)\n") else { return nil }
            return String(part.dropFirst(language.count + 1))
        }
    }

    @Test("every Swift block is a program of ours, or what CI builds and runs")
    func swiftBlocks() throws {
        let blocks = blocks("swift", in: try text("README.md"))
        #expect(blocks.count == 3)
        let program = try text("Examples/Hello/Hello.swift")
            .components(separatedBy: "===//\n\n").dropFirst().joined()
        // `.ci/run` writes these into a fresh package, with the program beside them.
        let forCI = ["import PackageDescription", "@Test"]
        for block in blocks where !forCI.contains(where: { block.contains($0) }) {
            #expect(program == block + "\n")
        }
        for part in forCI { #expect(blocks.contains { $0.contains(part) }) }
    }

    @Test("the program runs to its end")
    func program() async throws {
        try await Hello.main()
    }

    @Test("the commands that README names are run by CI")
    func commands() throws {
        let script = try text(".ci/run")
        for block in blocks("sh", in: try text("README.md")) {
            for line in block.split(separator: "\n") where !line.hasPrefix("#") {
                #expect(script.contains(line), "\(line)")
            }
        }
    }
}
