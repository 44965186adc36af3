//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How a process is spawned.
public struct ProcessOptions: Sendable {
    /// A name to register before the process runs; nil for none.
    public var name: String?
    /// A key of a registry to register before the process runs, made by
    /// ``KeyRegistry/registration(_:_:)``; nil for none.
    public var registration: KeyRegistration?
    /// The bound of its mailbox and what happens at it.
    public var mailbox: MailboxOptions
    /// What becomes of the messages that it has not read when it ends.
    public var leftovers: Leftovers
    /// Whether exits are trapped from the start; see ``ProcessContext/setTrapsExits(_:)``.
    public var trapsExits: Bool
    /// Values to put over the inherited environment.
    public var environment: Environment
    /// The group leader; nil for the parent's, or none when the node spawns the process.
    public var groupLeader: Pid?
    /// Gives the process a thread of its own, for handlers that block: for file access, or a C
    /// library. It costs a thread; calls to it are never handled on the caller's thread.
    public var ownThread: Bool
    /// How long the `init` of a server may take; nil for as long as it likes. When it takes longer
    /// the process is killed and the spawn throws ``SpawnError/startTimeout(_:)``. An `init` that
    /// neither waits in an operation of Troupe nor heeds its cancellation is left behind after a
    /// second more; one of a ``GenServer`` has to return first. OTP: the `timeout` start option.
    public var startTimeout: Duration?
    /// When the process is ended from outside; nil for never.
    public var lifetime: Lifetime?
    /// Ergo's rule for links: a linked process that ends with `normal` stops this one, too.
    public var stopsOnNormalLink: Bool

    /// Makes process options; by default those of an ordinary OTP process with a bounded mailbox.
    public init(
        name: String? = nil,
        registration: KeyRegistration? = nil,
        mailbox: MailboxOptions = MailboxOptions(),
        leftovers: Leftovers = .drop,
        trapsExits: Bool = false,
        environment: Environment = Environment(),
        groupLeader: Pid? = nil,
        ownThread: Bool = false,
        startTimeout: Duration? = nil,
        lifetime: Lifetime? = nil,
        stopsOnNormalLink: Bool = false
    ) {
        self.name = name
        self.registration = registration
        self.mailbox = mailbox
        self.leftovers = leftovers
        self.trapsExits = trapsExits
        self.environment = environment
        self.groupLeader = groupLeader
        self.ownThread = ownThread
        self.startTimeout = startTimeout
        self.lifetime = lifetime
        self.stopsOnNormalLink = stopsOnNormalLink
    }

    /// The options of a process that wants nothing special; shared, as most processes are such.
    public static let `default` = ProcessOptions()
}

/// When a process is ended from outside.
///
/// It then stops as by an exit signal that cannot be trapped: `terminate` runs, and the reason is
/// `.shutdown(LifetimeEnd)`.
///
/// - Source: Ergo's `ProcessOptions.Context`.
public enum Lifetime: Sendable {
    /// This long after the spawn. Zero and less end it at once.
    case deadline(Duration)
    /// When the token is cancelled. Several processes may share a token.
    case token(LifetimeToken)
}

/// Why the lifetime of a process has ended.
public enum LifetimeEnd: Hashable, Sendable {
    /// Its deadline has come.
    case deadline
    /// Its token was cancelled.
    case cancelled
}
