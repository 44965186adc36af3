//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Idle timeout: a pure state machine")
struct IdleTimeoutTests {
    @Test("a pause is reported once, after its whole length")
    func pause() {
        var timeout = IdleTimeout(.after(100))
        #expect(timeout.ranDry(now: 1000) == 1100)
        #expect(timeout.take() == false)
        // A timer that was set for an earlier pause comes too early for this one.
        #expect(timeout.timerFired(now: 1050) == .wait(until: 1100))
        #expect(timeout.timerFired(now: 1100) == .schedule)
        #expect(timeout.timerFired(now: 1100) == .none)
        #expect(timeout.take() == true)
        #expect(timeout.take() == false)
        #expect(timeout.ranDry(now: 1200) == nil)
        #expect(timeout.timerFired(now: 9999) == .none)
    }

    @Test("a message begins the pause anew")
    func message() {
        var timeout = IdleTimeout(.after(100))
        #expect(timeout.ranDry(now: 0) == 100)
        timeout.callbackBegan()
        // It fires while a callback runs.
        #expect(timeout.timerFired(now: 100) == .none)
        #expect(timeout.take() == false)
        #expect(timeout.ranDry(now: 130) == 230)
        #expect(timeout.timerFired(now: 230) == .schedule)
        // A message that comes now waits for its turn behind the timeout.
        #expect(timeout.take() == true)
        timeout.callbackBegan()
        #expect(timeout.ranDry(now: 300) == 400)
    }

    @Test("zero comes before the messages that wait, once after each callback")
    func zero() {
        var timeout = IdleTimeout(.after(0))
        #expect(timeout.isImmediate)
        #expect(timeout.take() == true)
        #expect(!timeout.isImmediate)
        #expect(timeout.take() == false)
        timeout.callbackBegan()
        #expect(timeout.isImmediate)
        #expect(timeout.take() == true)
    }

    @Test("an instant counts once, and not when a message comes before it")
    func instant() {
        var met = IdleTimeout(.at(500))
        #expect(met.ranDry(now: 0) == 500)
        #expect(met.timerFired(now: 500) == .schedule)
        #expect(met.take() == true)
        met.callbackBegan()
        #expect(met.ranDry(now: 600) == nil)

        var missed = IdleTimeout(.at(500))
        #expect(missed.ranDry(now: 0) == 500)
        missed.callbackBegan()
        #expect(missed.timerFired(now: 500) == .none)
        #expect(missed.ranDry(now: 600) == nil)

        var past = IdleTimeout(.at(0))
        #expect(past.isImmediate)
        #expect(past.take() == true)
        #expect(past.take() == false)
    }

    @Test(
        "a call that its caller's thread has handled counts, unless it has set the timeout itself")
    func claimedCall() {
        var counted = IdleTimeout(.after(100))
        #expect(counted.ranDry(now: 0) == 100)
        counted.claimedCallRan()
        #expect(counted.ranDry(now: 50) == 150)

        var due = IdleTimeout(.after(100))
        #expect(due.ranDry(now: 0) == 100)
        #expect(due.timerFired(now: 100) == .schedule)
        due.claimedCallRan()
        #expect(due.take() == false)

        var cancelled = IdleTimeout(.at(500))
        #expect(cancelled.ranDry(now: 0) == 500)
        cancelled.claimedCallRan()
        #expect(cancelled.ranDry(now: 50) == nil)

        var new = IdleTimeout(.at(500))
        new.claimedCallRan()
        #expect(new.ranDry(now: 50) == 500)
    }

    @Test("system requests do not begin the pause anew")
    func systemRequests() {
        var timeout = IdleTimeout(.after(100))
        #expect(timeout.ranDry(now: 0) == 100)
        // The server has run, but no callback of it.
        #expect(timeout.ranDry(now: 50) == 100)
        #expect(timeout.timerFired(now: 100) == .schedule)
        // Nor does the server forget, when it is suspended meanwhile.
        #expect(timeout.ranDry(now: 150) == nil)
        #expect(timeout.take() == true)
    }
}
