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

    @Test("timers that several threads have armed come in the order of their deadlines")
    func orderAcrossWheels() async {
        let service = TimerService(threadCount: 4)
        defer { service.shutDown() }
        let block = TimerBlock()
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

    /// Threads that are said to be awake, and do what the test does.
    private final class Helpers: TimerHelpers {
        let wakeCount = Log<Void>()

        var areAsleep: Bool { false }

        func wakeForTimers() { wakeCount.append(()) }
    }

    /// Notes whether it fires on a thread of a scheduler.
    private final class Where: TimerTarget {
        let scheduler: Scheduler
        let log: Log<Bool>

        init(_ scheduler: Scheduler, _ log: Log<Bool>) {
            (self.scheduler, self.log) = (scheduler, log)
        }

        func timerFired() { log.append(scheduler.isCurrent) }
    }

    @Test("a thread of the scheduler that runs anyway lets timers fire")
    func firedByWorkers() async {
        let scheduler = Scheduler.threads(1)
        defer { scheduler.shutDown() }
        let log = Log<Bool>()
        let busy = Task(executorPreference: scheduler) {
            // The only thread is never asleep, and between two jobs again and again.
            while !Task.isCancelled { await Task.yield() }
        }
        // When the machine stops the thread of the scheduler for a tick, that of the timers steps in.
        for round in 1...1000 {
            _ = scheduler.timers.schedule(
                at: Platform.monotonicNanoseconds(), Where(scheduler, log))
            if await log.wait(for: round).contains(true) { break }
        }
        busy.cancel()
        await busy.value
        #expect(log.elements.contains(true))
    }

    @Test("when all threads of the scheduler are stuck, timers fire nevertheless")
    func firedWithoutWorkers() async {
        let scheduler = Scheduler.threads(2)
        defer { scheduler.shutDown() }
        let stuck = Log<Void>()
        let mayEnd = Gate()
        let log = Log<Bool>()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask(executorPreference: scheduler) {
                    stuck.append(())
                    mayEnd.waitBlocking()
                }
            }
            _ = await stuck.wait(for: 2)
            for round in 1...20 {
                _ = scheduler.timers.schedule(
                    at: Platform.monotonicNanoseconds(), Where(scheduler, log))
                #expect(await log.wait(for: round).allSatisfy { !$0 })
            }
            mayEnd.open()
        }
    }

    @Test("timers are offered until somebody takes the duty, and fire once")
    func offered() async {
        let service = TimerService()
        defer { service.shutDown() }
        let helpers = Helpers()
        service.setHelpers(helpers)
        let log = Log<UInt64>()
        for round in 1...50 {
            _ = service.schedule(at: 0, Note(UInt64(round), log))
            _ = await helpers.wakeCount.wait(for: round)
            // The service's thread may have been quicker.
            service.fireOffered()
            #expect(await log.wait(for: round) == Array(1...UInt64(round)))
        }
    }

    /// Services, as long as somebody else keeps them.
    private final class Services: Sendable {
        private struct Entry: Sendable {
            weak var service: TimerService?
        }

        private let entries = Lock([Entry]())

        var areGone: Bool { entries.withLock { $0.allSatisfy { $0.service == nil } } }

        func append(_ service: TimerService) {
            entries.withLock { $0.append(Entry(service: service)) }
        }
    }

    @Test("a service that is shut down while timers are offered ends its thread")
    func shutDownWhileOffered() async {
        let services = Services()
        let helpers = Helpers()
        for round in 1...20 {
            let service = TimerService()
            services.append(service)
            service.setHelpers(helpers)
            _ = service.schedule(at: 0, Note(0, Log()))
            _ = await helpers.wakeCount.wait(for: round)
            // The thread waits for the next tick, in case that nobody takes the duty.
            service.fireOffered()
            service.shutDown()
        }
        // The thread of a service keeps it.
        await waitWhile { !services.areGone }
    }

    @Test("the duty is granted to one taker for each offer")
    func duty() {
        let duty = TimerDuty()
        var taken = [duty.isOffered, duty.take()]
        duty.offer()
        taken += [duty.isOffered, duty.isOver, duty.take()]
        taken += [duty.isOffered, duty.isOver, duty.take()]
        duty.end()
        taken += [duty.isOffered, duty.isOver, duty.take()]
        #expect(
            taken == [
                false, false, true, false, true, false, false, false, false, true, false,
            ])
    }
}
