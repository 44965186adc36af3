//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Troupe

/// A process has not ended as a test expects.
public struct ExpectationError: Error, Sendable {
    /// What happened instead.
    @nonexhaustive
    public enum Cause: Sendable {
        /// It lives; what it does, unless it has ended in that moment.
        case alive(ProcessSnapshot?)
        /// It has ended with another reason.
        case otherReason(ExitReason)
        /// There was no such process in the first place.
        case noProcess
    }

    /// The process.
    public let pid: Pid
    /// How long the test has waited.
    public let waited: Duration
    /// What happened instead.
    public let cause: Cause
    /// The reason that was expected; nil for any, or for one that only the test knows.
    public let expected: ExitReason?
    let location: CallLocation
}

extension ExpectationError: CustomStringConvertible {
    /// Who it is, what was expected and what happened, and for a process that lives what it does.
    public var description: String {
        let expectation = expected.map { "end with \($0)" } ?? "end"
        switch cause {
        case .alive(let snapshot):
            let activity = snapshot.map { "; it is \($0.summary)" } ?? ""
            return "\(pid) was to \(expectation) within \(waited) at \(location)\(activity)"
        case .otherReason(let reason):
            let expectation = expected == nil ? "end with a reason that matches" : expectation
            return "\(pid) was to \(expectation) at \(location), and ended with \(reason)"
        case .noProcess:
            return "\(pid) was to \(expectation) at \(location), but there is no such process"
        }
    }
}

extension ProcessSnapshot {
    /// What the process does, for a sentence that begins with "it is".
    fileprivate var summary: String {
        var parts = ["\(names.first.map { "\"\($0)\", " } ?? "")a \(behaviour), \(activityText)"]
        if isSuspended { parts.append("suspended") }
        for wait in waitsOn {
            switch wait {
            case .reply(let callee): parts.append("waiting for a reply of \(callee)")
            case .room(let other): parts.append("waiting for room at \(other)")
            case .sleep: parts.append("sleeping")
            @unknown default: parts.append("waiting")
            }
        }
        let noun = mailboxCount == 1 ? "message" : "messages"
        parts.append("with \(mailboxCount) \(noun) in its mailbox")
        return parts.joined(separator: ", ")
    }

    private var activityText: String {
        switch activity {
        case .starting: "starting"
        case .waiting: "waiting for a message"
        case .runnable: "waiting for a thread"
        case .handling(let kind): "handling a \(kind)\(messageType.map { " (\($0))" } ?? "")"
        case .running: "running"
        case .terminating: "terminating"
        @unknown default: "\(activity)"
        }
    }
}
