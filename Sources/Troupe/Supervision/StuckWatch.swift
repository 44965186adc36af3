//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Finds processes that do not come back from a message, from what can be seen of them outside.
///
/// How long a process has been busy tells of all the messages that it has taken without a pause, so
/// what counts is for how long it has not taken another.
struct StuckWatch: Sendable {
    /// Asks the supervisor to look at its children.
    struct Look: Sendable {}

    /// A process that is busy, as it was first seen since it took its last message.
    private struct Busy: Sendable {
        let messagesHandled: UInt64
        /// The process's uptime then.
        let since: Duration
        var isReported = false
    }

    private let limit: Duration
    /// What asks for each look.
    private let timer: TimerRef?
    private var busy: [Pid: Busy] = [:]

    init(limit: Duration, timer: TimerRef? = nil) {
        self.limit = limit
        self.timer = timer
    }

    /// A year; timers cannot wait for ever.
    private static var longestInterval: Duration { .seconds(365 * 86_400) }

    /// Begins to look at children regularly.
    ///
    /// - Parameter limit: how long a message may take; nil for as long as it likes.
    static func start(
        _ limit: Duration?, _ process: some ProcessContext
    ) throws(TimerError) -> StuckWatch? {
        guard let limit else { return nil }
        let interval = min(max(limit / 2, .milliseconds(1)), longestInterval)
        let timer = try process.send(Look(), every: interval)
        return StuckWatch(limit: limit, timer: timer)
    }

    /// From now on there is another limit, or none. With the same one nothing changes.
    static func change(
        _ watch: inout StuckWatch?, to limit: Duration?, _ process: some ProcessContext
    ) throws(TimerError) {
        if watch?.limit == limit { return }
        let next = try start(limit, process)
        watch?.timer?.cancel()
        watch = next
    }

    /// Looks at the children that run, and reports those that are stuck.
    mutating func report(
        _ children: some Sequence<(id: String?, pid: Pid)>, _ process: some ProcessContext
    ) {
        let infos = children.compactMap { child in
            process.node.info(child.pid).map { (id: child.id, info: $0) }
        }
        let stuck = look(at: infos.map(\.info))
        for (id, info) in infos {
            guard let duration = stuck[info.pid] else { continue }
            process.report(info.stuck(for: duration), child: id, info.pid)
        }
    }

    /// How many processes it remembers.
    var count: Int { busy.count }

    /// Looks at the processes that there are; all others are forgotten.
    ///
    /// - Returns: those that are stuck, if that is news, and for how long at least.
    mutating func look(at processes: [ProcessSnapshot]) -> [Pid: Duration] {
        var (seen, stuck): ([Pid: Busy], [Pid: Duration]) = ([:], [:])
        for process in processes where process.activity.isStuckIfLong {
            var now = Busy(
                messagesHandled: process.messagesHandled,
                since: process.uptime - min(process.activityAge, process.uptime))
            if let before = busy[process.pid] {
                // It has taken another message since the last look, or not.
                now =
                    before.messagesHandled == now.messagesHandled
                    ? before : Busy(messagesHandled: now.messagesHandled, since: process.uptime)
                let duration = min(process.uptime - now.since, process.activityAge)
                if !now.isReported, duration >= limit {
                    now.isReported = true
                    stuck[process.pid] = duration
                }
            }
            seen[process.pid] = now
        }
        busy = seen
        return stuck
    }
}

extension ProcessActivity {
    /// Whether it should not last. The body of a closure process may run for as long as it likes.
    fileprivate var isStuckIfLong: Bool {
        switch self {
        case .handling, .terminating: true
        case .starting, .waiting, .runnable, .running: false
        }
    }
}
