//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a supervisor knows of one child.
///
/// - Source: OTP's `supervisor:which_children/1`.
public struct ChildInfo: Sendable, Hashable {
    /// What the supervisor knows it by; nil for a child of a dynamic supervisor.
    public let id: String?
    /// Whether it runs.
    public let status: ChildStatus
    /// Whether it is a supervisor.
    public let type: ChildType
    /// The type of its server, `closure`, or `function`.
    public let behaviour: String

    /// The process, if it runs.
    public var pid: Pid? {
        if case .running(let pid) = status { pid } else { nil }
    }
}

/// Whether a child runs.
@nonexhaustive
public enum ChildStatus: Sendable, Hashable {
    /// As this process.
    case running(Pid)
    /// There is no process. OTP: `undefined`.
    case stopped
    /// It has failed and is about to be started again.
    case restarting
}

/// How many children a supervisor has.
///
/// - Source: OTP's `supervisor:count_children/1`.
public struct ChildCount: Sendable, Hashable {
    /// How many specifications.
    public var specs = 0
    /// How many run.
    public var active = 0
    /// How many are supervisors, whether they run or not.
    public var supervisors = 0
    /// How many are workers, whether they run or not.
    public var workers = 0
}
