//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why an operation on a task has failed.
@nonexhaustive
public enum TaskError: Error, Sendable, Equatable {
    /// The task has not ended in time. It goes on, and can be waited for again.
    case timeout(Pid)
    /// The task ended with this reason before its body returned. `.noProcess` when its outcome has
    /// been taken before.
    case exited(ExitReason)
    /// Only the process that has started a task may wait for it or shut it down; this is the one.
    case notOwner(Pid)
    /// The task waits, directly or through others, for its owner. The pids are the owner, the task,
    /// and so on, up to the one that waits for the owner.
    case cycle([Pid])
    /// The waiting process has been told to end.
    case cancelled
    /// The process of the task could not be started.
    case notStarted(SpawnError)
    /// The supervisor runs as many tasks as it may.
    case tooManyTasks(limit: Int)
    /// The supervisor could not be asked for a task.
    case supervisorFailed(CallError)
}

extension TaskError: CustomStringConvertible {
    /// What happened, to whom, and what to do about it.
    public var description: String {
        switch self {
        case .timeout(let pid):
            "the task \(pid) has not ended in time; wait again, or shut it down"
        case .exited(let reason): "the task ended without a value: \(reason)"
        case .notOwner(let pid):
            "only \(pid), which has started the task, may wait for it or shut it down"
        case .cycle(let pids): CallError.cycle(pids).description
        case .cancelled: "the process that waits for the task has been told to end"
        case .notStarted(let error): "the task was not started: \(error)"
        case .tooManyTasks(let limit):
            "the supervisor runs \(limit) tasks, as many as its options allow"
        case .supervisorFailed(let error): "the supervisor did not start the task: \(error)"
        }
    }
}
