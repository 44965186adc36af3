//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

/// Rules of the repository that a glance can miss.
@Suite("The repository is tidy")
struct TidyTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private struct Source {
        let path: String
        let text: String
        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    }

    private func sources(_ folder: String) throws -> [Source] {
        let base = Self.root.appendingPathComponent(folder)
        let files = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String }
        return try (files ?? []).filter { $0.hasSuffix(".swift") && !$0.contains(".build") }.map {
            let url = base.appendingPathComponent($0)
            return Source(
                path: "\(folder)/\($0)", text: try String(contentsOf: url, encoding: .utf8))
        }
    }

    private func all() throws -> [Source] {
        try sources("Sources") + sources("Examples") + sources("Tests")
    }

    @Test("every file has the header, and no line is longer than 120 columns")
    func headersAndLines() throws {
        let sources = try all()
        #expect(sources.count > 50)
        for source in sources {
            #expect(source.text.hasPrefix("//===---"), "\(source.path)")
            for (index, line) in source.lines.enumerated() where line.count > 120 {
                Issue.record("\(source.path):\(index + 1) has \(line.count) columns")
            }
        }
    }

    @Test("shipped code has no leftovers, no forced tries and no sleeps")
    func leftovers() throws {
        let banned = ["TO" + "DO", "FIX" + "ME", "try" + "!", "Task" + ".sleep", "us" + "leep("]
        for source in try sources("Sources") + sources("Examples") {
            for word in banned {
                #expect(!source.text.contains(word), "\(source.path) has \(word)")
            }
        }
        for source in try sources("Tests") {
            for word in banned.dropFirst(2) {
                #expect(!source.text.contains(word), "\(source.path) has \(word)")
            }
        }
    }

    @Test("only one folder of the library knows the operating system, none knows Foundation")
    func imports() throws {
        for source in try sources("Sources/Troupe") {
            let imports = source.lines.filter { $0.contains("import ") && !$0.contains("//") }
            for line in imports {
                let isAllowed =
                    line.hasSuffix("import Synchronization")
                    // Indented, as each is within the condition that there is such a system.
                    || source.path.hasPrefix("Sources/Troupe/Platform/") && line.hasPrefix("    ")
                #expect(isAllowed, "\(source.path): \(line)")
            }
        }
    }

    @Test("the pure machines know no lock, no clock, no task")
    func machines() throws {
        let banned = ["Mutex", "Atomic", "async ", "await ", "Task", "Platform.", "resume("]
        for name in [
            "Process/Lifecycle", "Signals/ExitSignal", "Timers/TimerWheel", "Mailbox/MessageQueue",
            "Tasks/OutcomeSlot", "Tasks/StreamWindow", "Platform/SignalListeners",
            "Registry/EntryList", "Registry/KeyEntries", "Groups/GroupState", "PubSub/EventState",
            "Application/ApplicationTable", "Application/ApplicationSpec",
        ] {
            let url = Self.root.appendingPathComponent("Sources/Troupe/\(name).swift")
            let text = try String(contentsOf: url, encoding: .utf8)
            for word in banned { #expect(!text.contains(word), "\(name) has \(word)") }
        }
    }

    @Test("the package depends on nothing and sets no unsafe flags")
    func manifest() throws {
        let url = Self.root.appendingPathComponent("Package.swift")
        let text = try String(contentsOf: url, encoding: .utf8)
        #expect(text.contains("dependencies: [],"))
        #expect(!text.contains(".package(") && !text.contains("unsafe" + "Flags"))
    }

    @Test("a file holds one idea: no more than 600 lines")
    func sizes() throws {
        for source in try all() { #expect(source.lines.count <= 600, "\(source.path)") }
    }
}
