//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// Timers that send a message.
    static let timers: [Figure] = [lateness, cancelling]

    /// Sets 100,000 timers of 0 to 1,000 ms for one process, which notes how late each is.
    private static let lateness = Figure("timers") { process in
        let count = 100_000
        // With room for all: when the machine stands still for 100 ms, that is to be seen as lateness.
        let receiver = try process.spawn(
            TimerReceiver.self, TimerReceiver.Argument(count: count, driver: process.pid),
            options: ProcessOptions(mailbox: MailboxOptions(capacity: count)))
        let delays = (0..<count).map { _ in Duration.milliseconds(Int.random(in: 0...1000)) }
        try await process.settle()
        let setting = try await timed {
            for (index, delay) in delays.enumerated() {
                // Nothing interrupts a closure; on one thread the receiver would never run.
                if index % 1000 == 0 { await Task.yield() }
                let due = Due(instant: now() + delay)
                try process.send(due, to: .pid(receiver.pid), after: delay)
            }
        }
        let sorted = try await process.receive([Duration].self).sorted()
        return [
            .nanoseconds("timer_set_100k", setting, each: count),
            .milliseconds("timers_lateness_median", sorted[count / 2 - 1]),
            .milliseconds("timers_lateness_p99", sorted[count * 99 / 100 - 1]),
            .milliseconds("timers_lateness_max", sorted[count - 1]),
            .milliseconds("timers_lateness_min", sorted[0]),
        ]
    }

    /// Cancels 100,000 timers that have long to run.
    private static let cancelling = Figure("timer_cancel") { process in
        let count = 100_000
        try await process.settle()
        var timers: [TimerRef] = []
        for index in 1...count {
            timers.append(
                try process.send(Signal.go, after: .milliseconds(60_000 + index % 1000)))
        }
        var cancelled = 0
        let time = await timed {
            for timer in timers where timer.cancel() != nil { cancelled += 1 }
        }
        try check(cancelled == count, "cancelled \(cancelled) timers")
        return [.nanoseconds("timer_cancel_100k", time, each: count)]
    }
}

/// A timer's message: when it is due.
private struct Due: Sendable {
    let instant: SuspendingClock.Instant
}

/// Tells the driver how late all the timers' messages were.
private struct TimerReceiver: GenServer {
    struct Argument: Sendable {
        let count: Int
        let driver: Pid
    }

    private let argument: Argument
    private var lateness: [Duration] = []

    init(_ argument: Argument, process: ServerProcess) {
        self.argument = argument
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        guard let due = message as? Due else {
            throw FigureError.unexpectedMessage("\(message)")
        }
        lateness.append(now() - due.instant)
        if lateness.count == argument.count { try process.send(lateness, to: argument.driver) }
    }
}
