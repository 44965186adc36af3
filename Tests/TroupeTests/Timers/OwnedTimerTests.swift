//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Synchronization
import Testing

@testable import Troupe

/// Notes the numbers that it is sent.
private struct Collector: GenServer {
    private let log: Log<Int>

    init(_ log: Log<Int>, process: ServerProcess) { self.log = log }

    mutating func handleCall(
        _ request: Void, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> { .reply(log.elements.count) }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
        if let number = message as? Int { log.append(number) }
    }
}

@Suite("Owned timers: cancelled, or fired, or over with their owner", .timeLimit(.minutes(4)))
struct OwnedTimerTests {
    /// A timer that counts what becomes of it.
    private final class Counted: OwnedTimer, @unchecked Sendable {
        // Unchecked: as the superclass; what is added is constant or atomic.

        let deadline: UInt64
        private let isOften: Bool
        /// Whether a process that it dies with is killed.
        private let mayEnd: Bool
        private let fires = Atomic(0)
        private let cancels = Atomic(0)

        init(
            at deadline: UInt64, isOften: Bool, mayEnd: Bool, owner: ProcessCell,
            second: ProcessCell?, service: TimerService
        ) {
            self.deadline = deadline
            self.isOften = isOften
            self.mayEnd = mayEnd
            super.init(owner: owner, second: second, service: service)
        }

        override var repeats: Bool { isOften }

        override func fire() -> UInt64? {
            fires.add(1, ordering: .relaxed)
            // Again at once.
            return isOften ? 0 : nil
        }

        func tryToCancel() {
            if cancel() != nil { cancels.add(1, ordering: .relaxed) }
        }

        var fireCount: Int { fires.load(ordering: .relaxed) }

        /// Whether it has come to one end.
        var isRight: Bool {
            let cancelCount = cancels.load(ordering: .relaxed)
            let endCount = isOften ? cancelCount : cancelCount + fireCount
            return endCount == 1 || (mayEnd && endCount == 0)
        }
    }

    private final class Mark: TimerTarget {
        let hasFired = Gate()

        func timerFired() { hasFired.open() }
    }

    /// Waits until all timers have fired that are due by then: they do so in order, on one thread
    /// at a time.
    private static func settle(_ node: Node, until deadline: UInt64 = 0) async {
        let mark = Mark()
        let last = max(deadline, Platform.monotonicNanoseconds())
        _ = node.timers.schedule(at: last + 1, mark)
        await mark.hasFired.wait()
    }

    /// Runs `body` with a node whose timers nobody else uses, and checks that none is left.
    private func withOwnTimers(_ body: (Node) async throws -> Void) async throws {
        let scheduler = Scheduler.threads(2)
        defer { scheduler.shutDown() }
        try await withNode(NodeOptions(events: NoEvents(), scheduler: scheduler), body)
        #expect(scheduler.timers.count == 0)
    }

    private static let timerCount = 200
    private static let ownerCount = 8
    /// The first owners are killed.
    private static let victimCount = 4

    /// Timers of each kind, with one owner or two. The first fires before all others; nobody
    /// cancels it, and its owners live.
    private static func makeTimers(_ node: Node, _ owners: [ProcessCell]) -> [Counted] {
        let soon = Platform.monotonicNanoseconds() + 500_000
        return (0..<timerCount).map { (index: Int) -> Counted in
            let owner = (index + victimCount) % ownerCount
            let second: Int? = index % 3 == 0 ? (owner + 3) % ownerCount : nil
            let deadline: UInt64
            if index == 0 {
                deadline = 0
            } else if index % 2 == 0 {
                // Taken out together with the first, to fire one after the other.
                deadline = 1
            } else {
                deadline = soon + UInt64(index) * 1000
            }
            return Counted(
                at: deadline, isOften: index % 8 == 3,
                mayEnd: owner < victimCount || (second ?? ownerCount) < victimCount,
                owner: owners[owner], second: second.map { owners[$0] }, service: node.timers)
        }
    }

    /// Whether nobody cancels it.
    private static func mayFire(_ index: Int) -> Bool { index % 4 == 0 }

    /// Cancels timers from two threads and kills some of their owners while they fire.
    private static func disturb(
        _ timers: [Counted], _ victims: [Pid], on node: Node, afterOpening gate: Gate
    ) async {
        await onThreads(4) { number in
            if number == 0 { return gate.open() }
            while timers[0].fireCount == 0 { Platform.yieldThread() }
            let middle = timers.count / 2
            switch number {
            case 1:
                for index in timers.indices.reversed() where !mayFire(index) {
                    timers[index].tryToCancel()
                }
            case 2:
                for index in Array(middle..<timers.count) + Array(0..<middle) {
                    if !mayFire(index) { timers[index].tryToCancel() }
                }
            default:
                for victim in victims { node.kill(victim) }
            }
        }
    }

    @Test("a timer fires, or is cancelled once, or dies with an owner; it leaves nothing behind")
    func race() async throws {
        try await withOwnTimers { node in
            for _ in 0..<20 {
                let owners = try (0..<Self.ownerCount).map { _ in try node.spawn(Counter.self, 0) }
                let victims = owners.prefix(Self.victimCount)
                let block = TimerBlock()
                _ = node.timers.schedule(at: 0, block)
                await block.hasBegun.wait()
                let timers = Self.makeTimers(node, owners.map(\.cell))
                await onThreads(2) { number in
                    for index in stride(from: number, to: timers.count, by: 2) {
                        timers[index].start(at: timers[index].deadline)
                    }
                }
                await Self.disturb(timers, victims.map(\.pid), on: node, afterOpening: block.mayEnd)
                for victim in victims { #expect(try await victim.exitReason == .killed) }
                await Self.settle(node, until: timers.map(\.deadline).max() ?? 0)
                let wrong = timers.indices.filter { !timers[$0].isRight }
                #expect(wrong == [])
                #expect(owners.map(\.cell.timerCount) == Array(repeating: 0, count: owners.count))
                #expect(node.timers.count == 0)
                // Those that repeat have fired for the last time.
                let fireCounts = timers.map(\.fireCount)
                await Self.settle(node)
                #expect(timers.map(\.fireCount) == fireCounts)
            }
        }
    }

    @Test("a message whose timer was cancelled never comes, any other one comes once")
    func messages() async throws {
        try await withOwnTimers { node in
            let (log, cancelled, failures) = (Log<Int>(), Log<Int>(), Count())
            let receiver = try node.spawn(Collector.self, log)
            let (threadCount, count) = (3, 500)
            await onThreads(threadCount) { thread in
                var armed: [(number: Int, timer: TimerRef)] = []
                for index in 0..<count {
                    let number = index * threadCount + thread
                    let delay = Duration.microseconds(index % 5 * 150)
                    let timer = try? node.send(number, to: .pid(receiver.pid), after: delay)
                    guard let timer else {
                        failures.add()
                        continue
                    }
                    armed.append((number, timer))
                    // The one of some moments ago, at about the time when it fires.
                    if armed.count == 6 {
                        let last = armed.removeFirst()
                        if last.timer.cancel() != nil { cancelled.append(last.number) }
                        if last.timer.cancel() != nil { failures.add() }
                    }
                }
            }
            await Self.settle(node, until: Platform.monotonicNanoseconds() + 1_000_000)
            let expected = Set(0..<threadCount * count).subtracting(cancelled.elements)
            // Handled after all that has come.
            #expect(try await receiver.call(()) == expected.count)
            #expect(log.elements.sorted() == expected.sorted())
            #expect(failures.value == 0)
            #expect(receiver.cell.timerCount == 0 && node.timers.count == 0)
        }
    }
}
