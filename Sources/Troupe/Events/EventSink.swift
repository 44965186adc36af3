//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Receives the events of a node: the place for logging and metrics.
///
/// A sink is called on the thread on which the event happens, possibly on several at once, and
/// never while Troupe holds a lock. It should return soon: the process or the node waits for it.
public protocol EventSink: Sendable {
    /// What the sink wants to be told. Asked once, when the node is made.
    var kinds: EventKind { get }

    /// Takes an event of one of these kinds.
    func receive(_ event: Event)
}

extension EventSink {
    /// Everything that tells of trouble.
    public var kinds: EventKind { .problems }
}

/// A sink that drops everything.
public struct NoEvents: EventSink {
    /// Makes the sink.
    public init() {}
    /// Nothing.
    public var kinds: EventKind { [] }
    /// Does nothing.
    public func receive(_ event: Event) {}
}

/// A sink that is a closure.
public struct EventHandler: EventSink {
    /// What the closure is told.
    public let kinds: EventKind
    private let handler: @Sendable (Event) -> Void

    /// Makes a sink that calls `handler` with every event of `kinds`.
    public init(_ kinds: EventKind = .all, _ handler: @escaping @Sendable (Event) -> Void) {
        self.kinds = kinds
        self.handler = handler
    }

    /// Calls the closure.
    public func receive(_ event: Event) { handler(event) }
}

/// The default sink: writes reports like OTP's to standard error.
///
/// Dropped messages are reported for the first one of a process and then each time their number has
/// doubled, so that an overflow does not also fill the disk.
public struct StandardErrorEvents: EventSink {
    /// Everything that tells of trouble.
    public var kinds: EventKind { .problems }

    /// Makes the sink.
    public init() {}

    /// Writes a report.
    public func receive(_ event: Event) {
        if let text = Self.text(for: event) { Platform.writeToStandardError(text) }
    }

    /// The report on an event, or nil when none is due.
    package static func text(for event: Event) -> String? {
        switch event {
        case .spawned, .exited, .applicationStarted:
            nil
        case .crashed(let report):
            crashText(report)
        case .messageDropped(let pid, let policy, let count):
            count & (count - 1) == 0
                ? "=WARNING=== \(pid): mailbox full, \(count) dropped so far (policy \(policy))\n"
                : nil
        case .leftoversDropped(let pid, let count):
            "=WARNING=== \(pid): \(count) unread messages dropped\n"
        case .unhandledMessage(let pid, let behaviour, let type):
            "=WARNING=== \(pid) \(behaviour): unhandled message of type \(type)\n"
        case .undelivered(let failure, let type):
            "=WARNING=== message of type \(type) not delivered: \(failure)\n"
        case .killedAtStop(let pid, let behaviour):
            "=WARNING=== \(pid) \(behaviour): killed, it did not end within the grace period\n"
        case .abandonedAtStop(let pid, let behaviour):
            "=ERROR=== \(pid) \(behaviour): a callback does not return; "
                + "the node stopped without it\n"
        case .supervisor(let report):
            report.occurrence.isProgress ? nil : "=SUPERVISOR REPORT=== \(report)\n"
        case .applicationExited(let exit):
            exit.wasStopped
                ? nil
                : "=REPORT=== application \(exit.application) exited: \(exit.reason) "
                    + "(\(exit.mode))\n"
        }
    }

    private static func crashText(_ report: CrashReport) -> String {
        var text = "=CRASH REPORT=== \(report.pid) \(report.behaviour) on node \(report.node)\n"
        if !report.names.isEmpty {
            text += "    registered name: \(report.names.joined(separator: ", "))\n"
        }
        text += "    reason: \(report.reason)\n"
        if let label = report.label { text += "    label: \(label)\n" }
        if let state = report.state { text += "    state: \(state)\n" }
        if let message = report.lastMessage { text += "    last message: \(message)\n" }
        if let parent = report.parent { text += "    parent: \(parent)\n" }
        if !report.links.isEmpty {
            text += "    links: \(report.links.map(\.description).joined(separator: ", "))\n"
        }
        return text
    }
}
