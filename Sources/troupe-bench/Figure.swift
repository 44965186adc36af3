//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Something that is measured: a program of processes that gives one row or several.
struct Figure: Sendable {
    /// What a figure runs in: the driver, an ordinary closure process.
    typealias Body = @Sendable (Process) async throws -> [Row]

    let name: String
    /// Whether the Erlang twin has a figure of this name. The variants `_async` and `_closure`,
    /// which use another kind of process than the figure without suffix, have none.
    let hasPeer: Bool
    /// The figure, and its row, that does the same in Troupe, for one that measures something else.
    let counterpart: String?
    /// Where the events of the figure's node go.
    let events: any EventSink
    let body: Body
    /// Whether it takes long, so that it is measured only when it is named.
    private(set) var isLong = false

    init(
        _ name: String, hasPeer: Bool = true, counterpart: String? = nil,
        events: any EventSink = FailureEvents(),
        _ body: @escaping Body
    ) {
        self.name = name
        self.hasPeer = hasPeer
        self.counterpart = counterpart
        self.events = events
        self.body = body
    }

    /// The same figure, left out unless it is named.
    func onlyWhenNamed() -> Figure {
        var figure = self
        figure.isLong = true
        return figure
    }

    /// All figures, in the order in which they are measured.
    static let all: [Figure] =
        spawning + memory + calls + messages + tokens + faults + kills + restarts
        + timers + registry + skynet + alternatives + [crowded, idleCPU, latency]
}

/// One result of one sample.
struct Row: Sendable {
    let name: String
    let value: Double
    let unit: String

    init(_ name: String, _ value: Double, _ unit: String) {
        self.name = name
        self.value = value
        self.unit = unit
    }

    /// The time that each of `count` operations took.
    static func nanoseconds(_ name: String, _ time: Duration, each count: Int) -> Row {
        Row(name, time / .nanoseconds(1) / Double(count), "ns")
    }

    /// The time that each of `count` operations took.
    static func microseconds(_ name: String, _ time: Duration, each count: Int) -> Row {
        Row(name, time / .microseconds(1) / Double(count), "us")
    }

    /// A time.
    static func milliseconds(_ name: String, _ time: Duration) -> Row {
        Row(name, time / .milliseconds(1), "ms")
    }
}

/// The kinds of process that do the same work in the variants of a figure.
enum ProcessKind: String, CaseIterable, Sendable {
    /// A `GenServer`: what a process is that only reacts. The figure without suffix.
    case direct = ""
    /// An `AsyncGenServer`.
    case async = "_async"
    /// A closure that waits in `receive`.
    case closure = "_closure"

    /// What the names of the variant's figure and rows end with.
    var suffix: String { rawValue }
}
