//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Testing

@Suite("Conformance: every case has its place")
struct CaseTableTests {
    private static let tables = [
        CaseTables.impossible, CaseTables.needsAnotherNode, CaseTables.later, CaseTables.leftOut,
    ]

    private static var allCases: [String] {
        CaseTables.all.flatMap { area, ranges in
            ranges.joined().map { "\(area)-\($0 < 10 ? "0" : "")\($0)" }
        }
    }

    /// The names of all tests of this target.
    private static func testNames() throws -> [String] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        let files = try #require(
            FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        return try files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
            .flatMap { file in
                try String(contentsOf: file, encoding: .utf8)
                    .matches(of: /@Test\(\s*"([^"]*)"/).map { String($0.1) }
            }
    }

    @Test("every case is tested, or listed with the reason why not, and never both")
    func complete() throws {
        let tested = Set(
            try Self.testNames().compactMap { name in
                name.prefixMatch(of: /[A-Z]+-[0-9]{2}\b/).map { String($0.0) }
            })
        #expect(tested.count > 200)
        for id in Self.allCases {
            let listed = Self.tables.count { $0[id] != nil }
            #expect(listed + (tested.contains(id) ? 1 : 0) == 1, "\(id)")
        }
        let known = Set(Self.allCases)
        #expect(tested.subtracting(known) == [])
        #expect(Self.tables.flatMap(\.keys).filter { !known.contains($0) } == [])
    }

    @Test("a test names one case only, at the beginning")
    func oneCase() throws {
        for name in try Self.testNames() {
            let ids = name.matches(of: /\b[A-Z]+-[0-9]{2}\b/)
            #expect(ids.count <= 1 && (ids.isEmpty || ids[0].startIndex == name.startIndex))
        }
    }
}
