//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why processes could not join or monitor a group. Nothing was changed.
@nonexhaustive
public enum GroupError: Error, Hashable, Sendable {
    /// There is no such process (any more).
    case processUnknown(Pid)
    /// The pid belongs to an earlier life of this node.
    case incarnation(Pid)
    /// The process is on another node than the scope.
    case notLocal(Pid)
}

extension GroupError: CustomStringConvertible {
    /// What happened, to whom, and what to do about it.
    public var description: String {
        switch self {
        case .processUnknown(let pid): "there is no process \(pid)"
        case .incarnation(let pid): "\(pid) belongs to an earlier start of node \"\(pid.node)\""
        case .notLocal(let pid):
            "\(pid) is on node \"\(pid.node)\"; a process joins groups on its own node"
        }
    }
}
