//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Watcher table: a pure table")
struct WatcherTableTests {
    @Test("lists who watches in the order of the monitors, plain or not")
    func order() {
        var table = WatcherTable<String>()
        #expect(table.isEmpty && table.peers.isEmpty)
        for id in (1...20).reversed() {
            table.insert(UInt64(id), "\(id)", isPlain: id % 3 == 0)
        }
        #expect(table.peers == (1...20).map { "\($0)" })
    }

    @Test("a monitor is removed once, whichever kind it is", arguments: [false, true])
    func removal(isPlain: Bool) {
        var table = WatcherTable<String>()
        table.insert(7, "a", isPlain: isPlain)
        table.insert(8, "b", isPlain: !isPlain)
        let removals = [9, 7, 7].map { table.remove($0) }
        #expect(removals == [false, true, false])
        #expect(table.peers == ["b"])
    }

    @Test("at the end each is told once, with its id and its kind", arguments: [1, 2, 40])
    func end(count: Int) {
        var table = WatcherTable<Int>()
        for id in 0..<count { table.insert(UInt64(id), id, isPlain: id % 2 == 0) }
        var told: [Int] = []
        table.ended { id, peer, isPlain in
            #expect(id == UInt64(peer) && isPlain == (peer % 2 == 0))
            told.append(peer)
        }
        #expect(told.sorted() == Array(0..<count))
        #expect(table.isEmpty)
    }
}
