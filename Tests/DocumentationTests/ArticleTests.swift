//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

@Suite("Articles")
struct ArticleTests {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let articles = tests.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources/Troupe/Troupe.docc")

    /// The articles whose code stands in a file of `Snippets` too, and so is compiled.
    static let compiled = [
        "GenServers", "LinksAndMonitors", "LookingInside", "ProcessesAndMailboxes",
        "RegistriesAndGroups", "Supervision", "TasksAndAgents", "TopicsAndChannels",
        "WritingApplications",
    ]

    private func withoutWhitespace(_ text: Substring) -> String {
        String(text.filter { !$0.isWhitespace })
    }

    @Test("every Swift block of the article is compiled", arguments: compiled)
    func blocks(article: String) throws {
        let text = try String(
            contentsOf: Self.articles.appending(path: "\(article).md"), encoding: .utf8)
        let source = try String(
            contentsOf: Self.tests.appending(path: "Snippets/\(article)Snippets.swift"),
            encoding: .utf8)
        let compiled = withoutWhitespace(source[...])
        let blocks = text.matches(of: /(?s)```swift\n(.*?)```/).map(\.1)
        #expect(!blocks.isEmpty)
        for block in blocks {
            #expect(compiled.contains(withoutWhitespace(block)), "\(block)")
        }
    }
}
