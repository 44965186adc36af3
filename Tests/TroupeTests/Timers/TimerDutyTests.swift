//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Synchronization
import Testing

@testable import Troupe

@Suite("Timer duty: each offer is taken once", .timeLimit(.minutes(4)))
struct TimerDutyTests {
    /// What is to be done once for each offer. Neither tasks nor expectations can capture a duty.
    private final class Chore: @unchecked Sendable {
        // Unchecked: the variables belong to whoever has the duty, and while it is over to the one
        // who offers it.
        private let duty = TimerDuty()
        private let hasEnded = Atomic(false)
        private var isBusy = false
        private(set) var doneCount = 0
        private(set) var mistakeCount = 0

        /// Whether no more offers come.
        var isEnded: Bool { hasEnded.load(ordering: .acquiring) }

        func end() { hasEnded.store(true, ordering: .releasing) }

        /// Does what is to be done, if it is offered.
        ///
        /// - Returns: whether this thread has done it.
        func take() -> Bool {
            guard duty.take() else { return false }
            // Until the end it is not over, not offered, and nobody else's.
            if isBusy || duty.isOver || duty.isOffered || duty.take() { mistakeCount += 1 }
            isBusy = true
            doneCount += 1
            if doneCount % 16 == 0 { Platform.yieldThread() }
            isBusy = false
            duty.end()
            return true
        }

        /// Offers it, and returns when it is over.
        ///
        /// - Parameter helping: whether this thread takes it itself, if nobody else has.
        /// - Returns: whether this thread has done it.
        func offer(helping: Bool) -> Bool {
            let before = doneCount
            var isDoneHere = false
            duty.offer()
            while !duty.isOver {
                if helping, take() { isDoneHere = true }
                Platform.yieldThread()
            }
            // Done once, to the end, and not to be taken any more.
            if isBusy || doneCount != before + 1 || duty.take() { mistakeCount += 1 }
            return isDoneHere
        }
    }

    @Test("one of several threads takes each offer, and it is over when that one has ended")
    func race() async {
        let (chore, taken, rounds) = (Chore(), Count(), 600)
        await onThreads(3, tasks: 1) { number in
            var own = 0
            if number == 0 {
                for round in 0..<rounds {
                    let isDoneHere = chore.offer(helping: round % 3 == 0)
                    if isDoneHere { own += 1 }
                }
                chore.end()
            } else {
                while !chore.isEnded {
                    let isDoneHere = chore.take()
                    if isDoneHere { own += 1 } else { Platform.yieldThread() }
                }
            }
            taken.add(own)
        }
        #expect(chore.mistakeCount == 0)
        #expect(chore.doneCount == rounds && taken.value == rounds)
        let isLeft = chore.take()
        #expect(!isLeft)
    }
}
