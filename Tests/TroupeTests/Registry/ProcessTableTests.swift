//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Process table: ids, and permits in portions")
struct ProcessTableTests {
    /// Neither tasks nor expectations can capture a table.
    private final class Holder: Sendable {
        private let table: ProcessTable

        init(limit: Int) {
            table = ProcessTable(limit: limit, threadCount: 10)
        }

        var countsNone: Bool { table.countsNone }
        func makeID() -> UInt64? { table.makeID() }
        func remove(_ id: UInt64) { table.remove(id) }
        func uncount(_ id: UInt64) -> Bool { table.uncount(id) }
    }

    @Test(
        "the limit is exact, wherever the permits are", arguments: [0, 1, 63, 64, 65, 1000, 20_000])
    func limit(limit: Int) {
        let table = Holder(limit: limit)
        var random = SeededGenerator(seed: UInt64(limit))
        var ids: [UInt64] = []
        // Each time others have the permits to spare.
        for _ in 0..<5 {
            while let id = table.makeID() { ids.append(id) }
            #expect(ids.count == limit)
            #expect(Set(ids).count == limit)
            ids.shuffle(using: &random)
            for id in ids.dropFirst(limit / 3) {
                table.remove(id)
                _ = table.uncount(id)
            }
            ids.removeSubrange((limit / 3)...)
            #expect(table.countsNone == ids.isEmpty)
        }
    }

    @Test("threads that spawn at once get as many as there may be, and no more")
    func race() async {
        for limit in [1, 100, 5000] {
            let table = Holder(limit: limit)
            let ids = await withTaskGroup(of: [UInt64].self) { group in
                for number in 0..<4 {
                    group.addTask(executorPreference: number < 2 ? nil : TestSlots.scheduler) {
                        var ids: [UInt64] = []
                        while let id = table.makeID() {
                            // Others take over what is given back.
                            if id % 7 == 3, ids.count % 2 == 0 {
                                table.remove(id)
                                _ = table.uncount(id)
                            } else {
                                ids.append(id)
                            }
                        }
                        return ids
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            // One that gives back has been counted for a moment: another may have been refused.
            #expect((limit - 4...limit).contains(ids.count))
            #expect(Set(ids).count == ids.count)
            for (index, id) in ids.enumerated() {
                #expect(!table.countsNone)
                table.remove(id)
                let mayBeLast = table.uncount(id)
                if index == ids.count - 1 { #expect(mayBeLast) }
            }
            #expect(table.countsNone)
        }
    }

    @Test("a slot that was given back already is left alone")
    func removedTwice() throws {
        let table = Holder(limit: 10_000)
        let first = try #require(table.makeID())
        table.remove(first)
        var seen: Set = [first]
        // The slot comes back with another serial, and is somebody else's then.
        for _ in 0..<5000 {
            let id = try #require(table.makeID())
            #expect(seen.insert(id).inserted)
            table.remove(first)
            _ = table.uncount(id)
            table.remove(id)
        }
    }
}
