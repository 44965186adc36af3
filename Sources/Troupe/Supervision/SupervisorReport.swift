//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a supervisor reports of a child.
///
/// - Source: OTP's supervisor and progress reports.
public struct SupervisorReport: Sendable {
    /// The supervisor.
    public let supervisor: Pid
    /// The names of the supervisor.
    public let names: [String]
    /// The id of the child; nil for a child of a dynamic supervisor.
    public let child: String?
    /// The process of the child, as far as there is one.
    public let pid: Pid?
    /// What has happened.
    public let occurrence: Occurrence

    /// What a supervisor has seen.
    @nonexhaustive
    public enum Occurrence: Sendable, Equatable {
        /// The child was started.
        case started
        /// The child was started again.
        case restarted
        /// The child has ended, and not as its specification expects.
        case terminated(ExitReason)
        /// The child could not be started.
        case startFailed(ChildStartFailure)
        /// The child was told to shut down, and ended with another reason.
        case shutdownFailed(ExitReason)
        /// The child does not come back from a message. The supervisor goes on.
        case stuck(StuckChild)
        /// The child has used up its budget of restarts and stays stopped.
        case childGivenUp
        /// There were too many restarts; the supervisor ends with `.shutdown`.
        case givenUp
    }
}

/// A process that does not come back from a message, as it was seen from outside.
public struct StuckChild: Sendable, Hashable {
    /// For how long at least.
    public let duration: Duration
    /// The type of its server, or `closure`.
    public let behaviour: String
    /// Which callback it is in; nil when that is `terminate`, or not known.
    public let message: MessageKind?
    /// The type of the message; nil when it is not known.
    public let messageType: String?
}

extension StuckChild: CustomStringConvertible {
    /// What it does, and for how long.
    public var description: String {
        let message = message.map { " \($0)" } ?? ""
        let type = messageType.map { " of type \($0)" } ?? ""
        return
            "(\(behaviour)) is stuck: it has handled one message\(message)\(type) for \(duration)"
    }
}

extension SupervisorReport: CustomStringConvertible {
    /// One line.
    public var description: String {
        let child = child.map { "child \"\($0)\"" } ?? "child"
        let process = pid.map { " \($0)" } ?? ""
        let name = names.first.map { " \"\($0)\"" } ?? ""
        return "supervisor \(supervisor)\(name): \(child)\(process) \(occurrence.text)"
    }
}

extension SupervisorReport.Occurrence {
    /// Whether an operator need not care.
    var isProgress: Bool {
        switch self {
        case .started, .restarted: true
        case .terminated, .startFailed, .shutdownFailed, .stuck, .childGivenUp, .givenUp: false
        }
    }

    fileprivate var text: String {
        switch self {
        case .started: "started"
        case .restarted: "started again"
        case .terminated(let reason): "has ended: \(reason)"
        case .startFailed(let failure): "could not be started: \(failure.error)"
        case .shutdownFailed(let reason): "was told to shut down and ended with \(reason)"
        case .stuck(let child): child.description
        case .childGivenUp: "has used up its restarts and stays stopped"
        case .givenUp: "has failed too often; the supervisor gives up"
        }
    }
}
