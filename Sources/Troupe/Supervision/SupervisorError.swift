//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a supervisor did not do what it was asked for. Unless a case says otherwise nothing has
/// changed.
@nonexhaustive
public enum SupervisorError: Error, Sendable, Equatable {
    /// There is no child with this id.
    case notFound(String)
    /// No process with this pid is a child.
    case processNotFound(Pid)
    /// The child runs.
    case running(String, Pid)
    /// The child has failed and is about to be started again.
    case restarting(String)
    /// A child with this id is known, and runs.
    case alreadyStarted(String, Pid)
    /// A child with this id is known, and is stopped; see ``ServerRef/restartChild(_:timeout:)``.
    case alreadyPresent(String)
    /// The child could not be started. The specification is forgotten if it was new.
    case startFailed(ChildStartFailure)
    /// The specification is wrong.
    case specInvalid(SpecInvalid)
    /// The process is none of Troupe's supervisors.
    case notSupervisor(Pid)
    /// The supervisor has as many children as it may.
    case tooManyChildren(limit: Int)
    /// The supervisor did not answer; it may have done what it was asked for.
    case call(CallError)
}

/// A child that could not be started, and why.
///
/// - Source: OTP's `failed_to_start_child`.
public struct ChildStartFailure: Error, Sendable, Hashable {
    /// The child; the empty string for one without an id.
    public let id: String
    /// What its start function threw: a ``SpawnError`` unless it is a function of your own.
    public let error: any Error

    /// Whether it is the same child and the same error.
    public static func == (left: ChildStartFailure, right: ChildStartFailure) -> Bool {
        left.id == right.id && ExitReason.error(left.error) == ExitReason.error(right.error)
    }

    /// Hashes the child.
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

extension ChildStartFailure: CustomStringConvertible {
    /// Which child, and why.
    public var description: String { "child \"\(id)\" could not be started: \(error)" }
}

extension SupervisorError: CustomStringConvertible {
    /// What happened and what to do about it.
    public var description: String {
        switch self {
        case .notFound(let id): "there is no child \"\(id)\""
        case .processNotFound(let pid): "\(pid) is no child of this supervisor"
        case .running(let id, let pid):
            "child \"\(id)\" runs as \(pid); terminate it first"
        case .restarting(let id):
            "child \"\(id)\" is about to be started again; terminate it first"
        case .alreadyStarted(let id, let pid): "child \"\(id)\" runs already, as \(pid)"
        case .alreadyPresent(let id):
            "child \"\(id)\" is known and stopped; restart or delete it"
        case .startFailed(let failure): failure.description
        case .specInvalid(let error): error.description
        case .notSupervisor(let pid): "\(pid) is no supervisor"
        case .tooManyChildren(let limit): "the supervisor has \(limit) children, its limit"
        case .call(let error): error.description
        }
    }
}
