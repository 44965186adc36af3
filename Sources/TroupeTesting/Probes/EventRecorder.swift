//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Troupe

/// A sink that keeps the events of a node, and lets a test wait for one.
///
/// ```swift
/// let events = EventRecorder()
/// let node = try Node(name: "test", options: NodeOptions(events: events))
/// …
/// let crash = try await events.next(.crashed)
/// ```
///
/// It may serve several nodes. Waits go by real time; in the body of a simulation by its clock.
///
/// - Source: Akka's `EventFilter`; in OTP a handler of `logger` that sends to the test.
public final class EventRecorder: EventSink {
    /// What is recorded.
    public let kinds: EventKind
    private let arrivals = Arrivals<Event>(describedBy: eventName)

    /// Makes a recorder.
    ///
    /// - Parameter kinds: what it shall record; others cost nothing.
    public init(_ kinds: EventKind = .all) { self.kinds = kinds }

    /// Records an event.
    public func receive(_ event: Event) { arrivals.append(event) }

    /// All events so far, in order, whether they were taken or not.
    public var events: [Event] { arrivals.all }

    /// The reports of all crashes so far, in order.
    public var crashes: [CrashReport] {
        events.compactMap { event in
            if case .crashed(let report) = event { report } else { nil }
        }
    }

    /// Takes the next event of some kinds, and leaves the others for later, in their order.
    ///
    /// - Parameters:
    ///   - kinds: which; they have to be among those that are recorded.
    ///   - limit: how long to wait at most. With zero it looks at what has happened already.
    ///   - isWanted: whether to take this one; nil for any.
    ///   - fileID: for the error.
    ///   - line: for the error.
    /// - Returns: the event.
    /// - Throws: ``ProbeError/timeout(_:)``, which says what happened instead; `CancellationError`
    ///   when the task is cancelled.
    @discardableResult
    public func next(
        _ kinds: EventKind = .all, within limit: Duration = .seconds(5),
        where isWanted: ((Event) -> Bool)? = nil, fileID: String = #fileID, line: Int = #line
    ) async throws -> Event {
        let search = Arrivals<Event>.Search<Event>(
            awaited: "an event\(isWanted == nil && kinds == .all ? "" : " that matches")",
            limit: limit, location: CallLocation(fileID: fileID, line: line)
        ) { event in
            kinds.contains(event.kind) && isWanted?(event) ?? true ? event : nil
        }
        return try await arrivals.take(
            search, for: "the event recorder", on: SimulatedBody.scheduler ?? .default)
    }
}

/// What has happened, and to whom; for crashes with the reason.
private func eventName(_ event: Event) -> String {
    let name = caseName(of: event, type: Event.self).dropFirst("Event.".count)
    return switch event {
    case .spawned(let pid, let behaviour), .killedAtStop(let pid, let behaviour),
        .abandonedAtStop(let pid, let behaviour):
        "\(name) \(behaviour)\(pid)"
    case .exited(let pid, let reason): "\(name) \(pid): \(reason)"
    case .crashed(let report): "\(name) \(report.behaviour)\(report.pid): \(report.reason)"
    case .supervisor(let report): "\(name): \(report)"
    case .messageDropped(let pid, _, _), .leftoversDropped(let pid, _): "\(name) \(pid)"
    case .unhandledMessage(let pid, let behaviour, let type):
        "\(name) \(behaviour)\(pid): \(type)"
    case .undelivered(let failure, let type): "\(name) \(type): \(failure)"
    case .applicationStarted(let application, _): "\(name) \(application)"
    case .applicationExited(let exit): "\(name) \(exit.application): \(exit.reason)"
    @unknown default: String(name)
    }
}
