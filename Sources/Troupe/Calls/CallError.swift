//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a call did not return a reply.
///
/// Except after `.timeout`, `.cancelled` and `.exited(_)`, the request has not been handled and will
/// not be. After those three it may have been, or may still be; a late reply is dropped. Of a request
/// that was sent beforehand, with ``ServerRef/sendRequest(_:)``, `.callingSelf` and `.cycle(_)` say
/// only that waiting for it would last for ever: it is handled all the same.
@nonexhaustive
public enum CallError: Error, Sendable, Equatable {
    /// No reply came before the deadline.
    case timeout(Pid)
    /// The process had ended before the call, or there never was one.
    case noProcess(Pid)
    /// Nobody holds this name, or no server of the expected type; see ``NamedServer``.
    case nameUnknown(String)
    /// The process ended before it replied.
    case exited(ExitReason)
    /// A process called itself; it would have waited for itself until the deadline.
    case callingSelf(Pid)
    /// The called process waits, directly or through others, for the caller. The pids are the
    /// caller, the called process, and so on, up to the one that waits for the caller.
    case cycle([Pid])
    /// The mailbox of the process holds as many messages as it may.
    case mailboxFull(Pid, capacity: Int)
    /// The calling task was cancelled, or the calling process has been told to end.
    case cancelled
    /// The pid belongs to an earlier life of its node.
    case incarnation(Pid)
    /// A blocking call was made on a thread that has to run processes; it could block for ever.
    case wouldBlockScheduler(Pid)
}

extension CallError: CustomStringConvertible {
    /// What happened, to whom, and what to do about it.
    public var description: String {
        switch self {
        case .timeout(let pid):
            "\(pid) did not reply in time; raise the timeout, or find out what keeps it busy"
        case .noProcess(let pid): "there is no process \(pid)"
        case .nameUnknown(let name):
            "no server of this type holds the name \"\(name)\"; it has ended, or was not started"
        case .exited(let reason): "the process ended before it replied: \(reason)"
        case .callingSelf(let pid): "\(pid) called itself; call your own method instead"
        case .cycle(let pids):
            "these processes would wait for each other: "
                + (pids + pids.prefix(1)).map(\.description).joined(separator: " → ")
        case .mailboxFull(let pid, let capacity):
            "the mailbox of \(pid) is full (\(capacity) messages)"
        case .cancelled: "the call was cancelled"
        case .incarnation(let pid):
            "\(pid) belongs to an earlier start of node \"\(pid.node)\"; look the process up again"
        case .wouldBlockScheduler(let pid):
            "a blocking call to \(pid) from a thread that runs processes could wait for ever; "
                + "use the async form, or give the process a thread of its own"
        }
    }
}
