//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a monitor watches, and how it was named when the monitor was made.
public enum MonitoredObject: Hashable, Sendable {
    /// A process named by its pid.
    case pid(Pid)
    /// A process named by a registered name, on the node of this name.
    case name(String, node: String)
}

/// Tells a monitoring process that what it watched has ended. Arrives in `handleInfo` or `receive`.
///
/// There is exactly one for each monitor, unless the monitor is removed first.
///
/// - Source: OTP's `{'DOWN', Ref, process, Object, Reason}`.
public struct MessageDown: Sendable {
    /// The monitor that fired.
    public let ref: MonitorRef
    /// What was watched. A monitor made by name carries the name, not the pid.
    public let object: MonitoredObject
    /// Why the process ended; `.noProcess` when there was none.
    public let reason: ExitReason
    /// The value that the body of a closure process returned. Nil for other ends.
    ///
    /// - Source: the `result` of Wippy's EXIT event; OTP has none.
    public let result: (any Sendable)?
    /// What ``ProcessContext/monitor(_:tag:)`` was given, to tell DOWNs apart by; nil for none.
    ///
    /// - Source: the `tag` option of OTP's `monitor/3`.
    public let tag: (any Sendable)?
}

/// An exit signal that reached a process which traps exits. Arrives in `handleInfo` or `receive`.
///
/// - Source: OTP's `{'EXIT', Pid, Reason}`.
public struct MessageExit: Sendable, Equatable {
    /// Who sent it: the linked process that ended, or the caller of `exit`.
    public let from: Pid
    /// The reason, as it was sent.
    public let reason: ExitReason
}

/// A message that did not fit into the mailbox of another process, or that one has not read before
/// it ended. Arrives in `handleInfo` or `receive` of the process that the other one names in
/// ``OverflowPolicy/fallback(_:tag:)`` or ``Leftovers/handOver(to:tag:)``.
///
/// - Source: Ergo's `gen.MessageFallback`.
public struct MessageFallback: Sendable {
    /// The process for which it was meant.
    public let process: Pid
    /// The tag that the process chose, so that one fallback can serve several.
    public let tag: String
    /// What was sent: the message as it was given to `send` or `cast`.
    public let message: any Sendable
}
