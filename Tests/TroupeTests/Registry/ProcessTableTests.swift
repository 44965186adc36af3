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

        init(limit: Int, threadCount: Int = 10) {
            table = ProcessTable(limit: limit, threadCount: threadCount)
        }

        var countsNone: Bool { table.countsNone }
        func makeID() -> UInt64? { table.makeID() }
        func find(_ id: UInt64) -> ProcessCell? { table.find(id) }
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

    @Test("no two threads of a scheduler spawn in the same shard", arguments: [1, 2, 3, 5, 8, 13])
    func shards(threadCount: Int) async {
        let scheduler = Scheduler.threads(threadCount)
        let table = Holder(limit: 100_000, threadCount: threadCount)
        let arrived = Log<Gate>()
        // One for each thread, as none returns before all have come.
        let shards = await withTaskGroup(of: Set<UInt64>.self) { group in
            for _ in 0..<threadCount {
                group.addTask(executorPreference: scheduler) {
                    let gate = Gate()
                    arrived.append(gate)
                    gate.waitBlocking()
                    return Set((0..<5000).compactMap { _ in table.makeID().map { $0 % 64 } })
                }
            }
            for gate in await arrived.wait(for: threadCount) { gate.open() }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(shards.allSatisfy { !$0.isEmpty })
        #expect(
            shards.reduce(0) { $0 + $1.count }
                == shards.reduce(into: Set()) { $0.formUnion($1) }.count)
        scheduler.shutDown()
    }

    @Test("nobody has an id that was made up", arguments: [1, 64])
    func madeUp(threadCount: Int) {
        let table = Holder(limit: 1000, threadCount: threadCount)
        for id in (0..<1000 as Range<UInt64>) { #expect(table.find(id) == nil) }
        for id in [UInt64.max, 1 << 32, UInt64(UInt32.max)] { #expect(table.find(id) == nil) }
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
