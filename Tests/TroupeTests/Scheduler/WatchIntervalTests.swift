//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("How often the watcher of a pool looks")
struct WatchIntervalTests {
    @Test("naps grow while all turns are short, up to a limit")
    func grows() {
        var interval = WatchInterval()
        var lengths = [interval.length]
        for _ in 1...6 {
            interval.adapt(quickCount: 3, awakeCount: 3)
            lengths.append(interval.length)
        }
        #expect(lengths == [50_000, 100_000, 200_000, 400_000, 800_000, 800_000, 800_000])
    }

    @Test("one worker with a long turn makes them short again")
    func shrinks() {
        var interval = WatchInterval()
        for _ in 1...3 { interval.adapt(quickCount: 1, awakeCount: 1) }
        interval.adapt(quickCount: 2, awakeCount: 3)
        #expect(interval == WatchInterval())
    }

    @Test("turns are short that take 64 µs on average, however long the nap was")
    func short() {
        var interval = WatchInterval()
        var least: [UInt64] = []
        for _ in 1...5 {
            least.append((0...100).first { interval.isShort(turns: $0) } ?? 0)
            interval.adapt(quickCount: 1, awakeCount: 1)
        }
        // 50, 100, 200, 400 and 800 µs.
        #expect(least == [1, 2, 4, 7, 13])
    }
}
