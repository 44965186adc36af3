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
        for _ in 1...5 {
            interval.adapt(allAreQuick: true)
            lengths.append(interval.length)
        }
        #expect(lengths == [50_000, 100_000, 200_000, 400_000, 400_000, 400_000])
    }

    @Test("one worker with a long turn makes them short again")
    func shrinks() {
        var interval = WatchInterval()
        for _ in 1...3 { interval.adapt(allAreQuick: true) }
        interval.adapt(allAreQuick: false)
        #expect(interval == WatchInterval())
    }

    @Test(
        "turns are short that take 64 µs on average",
        arguments: [
            (50_000, 1), (64_000, 1), (128_000, 2), (400_000, 6), (8_000_000, 125),
        ])
    func short(time: UInt64, least: UInt64) {
        let found = (0...200).first { WatchInterval.areShort(turns: $0, in: time) }
        #expect(found == least)
    }
}
