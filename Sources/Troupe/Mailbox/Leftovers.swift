//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What becomes of the messages that a process has not read when it ends.
///
/// It holds for casts and for messages that arrive in `handleInfo` or `receive`, whatever the reason
/// of the end. It does not hold for
///
/// - calls, asks and directs: their callers get ``CallError/exited(_:)`` at once, as always;
/// - the message that was being handled: it may be what the process crashed on;
/// - EXITs, DOWNs, responses, events and system requests: they meant this process.
///
/// It is done when the names of the process are free, and before its EXITs and DOWNs leave. So a
/// supervisor that sees an EXIT can start the next instance with what was kept, and a process that is
/// handed the messages gets them before the DOWN.
///
/// - Source: none in OTP, where the mailbox dies with its process.
public indirect enum Leftovers: Sendable {
    /// They are dropped in silence, as in OTP. The default.
    case drop
    /// They go, each wrapped in a ``MessageFallback`` and in their order, to another process of the
    /// same node. Those that it does not take, or all when there is no such process, are dropped and
    /// reported as ``Event/leftoversDropped(_:count:)``.
    case handOver(to: Destination, tag: String)
    /// They wait for the next process that is spawned with the same ``KeptMailbox`` in its options.
    case keep(in: KeptMailbox)

    var areDropped: Bool {
        if case .drop = self { true } else { false }
    }
}
