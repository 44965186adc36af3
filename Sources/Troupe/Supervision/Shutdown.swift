//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How a process is ended by whoever is responsible for it: the supervisor of a child, or the owner
/// of a task.
///
/// `.shutdown` ends a server that traps exits, too, if it was started linked and this is its parent;
/// the body of a closure process that traps exits gets it as a message.
///
/// - Source: the `shutdown` of OTP's child specifications, and of Elixir's `Task.shutdown/2`.
public enum Shutdown: Sendable, Hashable {
    /// With `.shutdown`; what has not ended after this time is killed. Negative counts as zero.
    case timeout(Duration)
    /// With a kill, at once: `terminate` does not run.
    case brutalKill
    /// With `.shutdown`, waiting for as long as it takes. For supervisors, which have to end their
    /// own children first.
    case infinity

    /// The signal that it begins with.
    var reason: ExitReason {
        switch self {
        case .timeout, .infinity: .shutdown
        case .brutalKill: .kill
        }
    }
}

/// What came of ending a process.
public enum ShutdownOutcome: Sendable, Equatable {
    /// It has ended, with this reason; `.noProcess` when it had before.
    case ended(ExitReason)
    /// It was killed, but a callback of it does not return, and nobody can make it. It has been
    /// taken out of the tables, its names are free, and it ends when the callback returns.
    case stuck
}
