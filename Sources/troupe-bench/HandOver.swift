//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Synchronization

/// How long a line of cache takes from one processor to another and back.
///
/// In a virtual machine this changes with where its processors happen to be: by a factor of five, within
/// seconds, when they may have a cache in common or not. Whatever two threads share becomes slower
/// by that, for all sides alike, so it is noted between which times it was.
final class HandOver: Sendable {
    private let turn = Atomic(0)
    private let ended = DispatchSemaphore(value: 0)

    private static let roundTripCount = 2_000

    /// The time of a round trip, in nanoseconds: the least of some tries, as in others the two threads
    /// may have to share a processor for a while. Nil when there is only one.
    static func measure() -> Double? {
        guard ProcessInfo.processInfo.activeProcessorCount > 1 else { return nil }
        return (0..<8).map { _ in HandOver().nanoseconds() }.min()
    }

    private func nanoseconds() -> Double {
        Thread.detachNewThread {
            self.answer()
            self.ended.signal()
        }
        // The first round trip is the start of the thread.
        exchange(0)
        let start = now()
        for number in 1..<Self.roundTripCount { exchange(number) }
        let time = now() - start
        ended.wait()
        return time / .nanoseconds(Self.roundTripCount - 1)
    }

    private func exchange(_ number: Int) {
        turn.store(2 * number + 1, ordering: .sequentiallyConsistent)
        while turn.load(ordering: .acquiring) != 2 * number + 2 {}
    }

    private func answer() {
        for number in 0..<Self.roundTripCount {
            while turn.load(ordering: .acquiring) != 2 * number + 1 {}
            turn.store(2 * number + 2, ordering: .sequentiallyConsistent)
        }
    }
}
