//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How a task is told to end by its owner or its supervisor.
///
/// - Source: the `shutdown` of Elixir's `Task.shutdown/2` and of OTP's child specifications.
public enum TaskShutdown: Sendable, Hashable {
    /// With `.shutdown`, which a body that traps exits gets as a message; after this time with a
    /// kill. Negative counts as zero.
    case timeout(Duration)
    /// With a kill, at once.
    case brutalKill

    /// The signal that it begins with.
    var reason: ExitReason {
        switch self {
        case .timeout: .shutdown
        case .brutalKill: .kill
        }
    }

    /// What the owner is told of the outcome of a task that it has shut down.
    ///
    /// - Returns: nil when the task ended because of the shutdown.
    func answer<Value>(_ outcome: Result<Value, ExitReason>) -> Result<Value, ExitReason>? {
        switch (self, outcome) {
        case (.timeout, .failure(.shutdown)), (.brutalKill, .failure(.killed)): nil
        case (_, .success), (_, .failure): outcome
        }
    }
}
