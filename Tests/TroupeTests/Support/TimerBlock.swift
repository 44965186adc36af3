//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

@testable import Troupe

/// Holds up whoever lets timers fire.
final class TimerBlock: TimerTarget {
    let hasBegun = Gate()
    let mayEnd = Gate()

    func timerFired() {
        hasBegun.open()
        mayEnd.waitBlocking()
    }
}
