//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Timer service: a thread and its wheels", .timeLimit(.minutes(4)))
struct TimerServiceTests {
    /// Notes when it was due.
    private final class Note: TimerTarget {
        let deadline: UInt64
        let log: Log<UInt64>

        init(_ deadline: UInt64, _ log: Log<UInt64>) {
            (self.deadline, self.log) = (deadline, log)
        }

        func timerFired() { log.append(deadline) }
    }

    /// Holds up the thread of the timers.
    private final class Block: TimerTarget {
        let hasBegun = Gate()
        let mayEnd = Gate()

        func timerFired() {
            hasBegun.open()
            mayEnd.waitBlocking()
        }
    }

    @Test("timers that several threads have armed come in the order of their deadlines")
    func orderAcrossWheels() async {
        let service = TimerService(threadCount: 4)
        defer { service.shutDown() }
        let block = Block()
        _ = service.schedule(at: 0, block)
        await block.hasBegun.wait()
        let log = Log<UInt64>()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask(executorPreference: TestSlots.scheduler) {
                    // All of them are past.
                    for index in 0..<50 {
                        let deadline = UInt64(1 + (index * 37 % 50) * 8 + number)
                        _ = service.schedule(at: deadline, Note(deadline, log))
                    }
                }
            }
        }
        #expect(service.count == 400)
        block.mayEnd.open()
        #expect(await log.wait(for: 400) == Array(1...400))
        #expect(service.count == 0)
    }

    @Test("a timer wakes the thread wherever it was armed, a cancelled one does not fire")
    func wakes() async {
        let service = TimerService(threadCount: 4)
        defer { service.shutDown() }
        let log = Log<UInt64>()
        let far = Platform.monotonicNanoseconds() + 3_600_000_000_000
        _ = service.schedule(at: far, Note(far, log))
        for round in 1...200 {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask(executorPreference: TestSlots.scheduler) {
                        let soon = Platform.monotonicNanoseconds() + UInt64(round % 3) * 100_000
                        service.cancel(service.schedule(at: far, Note(far, log)))
                        _ = service.schedule(at: soon, Note(0, log))
                    }
                }
            }
            #expect(await log.wait(for: round * 4).allSatisfy { $0 == 0 })
        }
        #expect(service.count == 1)
    }
}
