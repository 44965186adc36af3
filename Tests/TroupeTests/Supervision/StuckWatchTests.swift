//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Watch for children that are stuck")
struct StuckWatchTests {
    /// What is seen of a process at some time, in seconds.
    private static func seen(
        _ activity: ProcessActivity, since: Int, handled: UInt64, at now: Int,
        id: UInt64 = 1
    ) -> ProcessSnapshot {
        ProcessSnapshot(
            pid: Pid(node: "test", id: id, creation: 1), names: [], label: nil, behaviour: "Test",
            activity: activity, messageType: nil, activityAge: .seconds(now - since),
            isSuspended: false, waitsOn: [],
            mailboxCount: 0, mailboxCapacity: 1, messagesIn: 0, messagesHandled: handled,
            messagesDropped: 0, links: [], monitors: [], monitoredBy: [], aliases: [],
            trapsExits: false, parent: nil, groupLeader: nil, uptime: .seconds(now))
    }

    @Test("a process that does not come back from a message is found, once")
    func once() {
        var watch = StuckWatch(limit: .seconds(10))
        var found: [Int] = []
        for now in stride(from: 5, through: 60, by: 5) {
            let snapshot = Self.seen(.handling(.cast), since: 2, handled: 3, at: now)
            if let duration = watch.look(at: [snapshot])[snapshot.pid] {
                found.append(now)
                #expect(duration >= .seconds(10) && duration <= .seconds(now - 2))
            }
        }
        #expect(found.count == 1 && (15...20).contains(found[0]))
    }

    @Test("one that has come back and is stuck in another message is found again")
    func again() {
        var watch = StuckWatch(limit: .seconds(10))
        var found: [Int] = []
        for now in stride(from: 5, through: 100, by: 5) {
            // The second message begins at 50.
            let snapshot =
                now < 50
                ? Self.seen(.handling(.cast), since: 0, handled: 1, at: now)
                : Self.seen(.handling(.call), since: 50, handled: 2, at: now)
            if !watch.look(at: [snapshot]).isEmpty { found.append(now) }
        }
        #expect(found.count == 2)
    }

    @Test("one that is busy with many messages, none of them for long, is not stuck")
    func busy() {
        var watch = StuckWatch(limit: .seconds(10))
        for now in stride(from: 5, through: 100, by: 5) {
            // Busy without a pause since the beginning, with a message each second.
            let snapshot = Self.seen(
                .handling(.cast), since: 0, handled: UInt64(now), at: now)
            #expect(watch.look(at: [snapshot]).isEmpty)
        }
    }

    @Test("what waits, waits for a thread, or runs a body may do so for as long as it likes")
    func others() {
        for activity in [ProcessActivity.starting, .waiting, .runnable, .running] {
            var watch = StuckWatch(limit: .seconds(10))
            for now in stride(from: 5, through: 100, by: 5) {
                let snapshot = Self.seen(activity, since: 0, handled: 1, at: now)
                #expect(watch.look(at: [snapshot]).isEmpty)
            }
        }
        var watch = StuckWatch(limit: .seconds(10))
        var count = 0
        for now in stride(from: 5, through: 100, by: 5) {
            let snapshot = Self.seen(.terminating, since: 0, handled: 1, at: now)
            count += watch.look(at: [snapshot]).count
        }
        #expect(count == 1)
    }

    @Test("those that are gone are forgotten")
    func forgotten() {
        var watch = StuckWatch(limit: .seconds(10))
        for id in 0..<1000 as Range<UInt64> {
            for now in stride(from: 5, through: 20, by: 5) {
                _ = watch.look(
                    at: [Self.seen(.handling(.cast), since: 0, handled: 1, at: now, id: id)])
            }
        }
        #expect(watch.count == 1)
        _ = watch.look(at: [])
        #expect(watch.count == 0)
    }
}
