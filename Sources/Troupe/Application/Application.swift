//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A part of a program that is started and stopped as a unit: a tree of processes with a name, a
/// configuration, and other applications that it needs.
///
/// It is a value, not a process: give it to ``Applications``, which runs its callbacks in a process
/// of the application, one at a time. A value that changes keeps what it has learned until the
/// application has stopped; the next start begins with the value that was loaded.
///
/// ```swift
/// struct Shop: Application {
///     var spec: ApplicationSpec { .init(name: "shop", dependencies: ["database"]) }
///
///     func start(process: ApplicationContext) async throws -> Pid {
///         try process.spawnLinked(Counter.self, 0).pid
///     }
/// }
///
/// try await node.applications.load(Shop())
/// try await node.applications.ensureAllStarted("shop")
/// ```
///
/// The callbacks are `nonisolated(nonsending)`. An async function of yours to which they give their
/// `process` has to run where its caller does, too; see SE-0461.
///
/// - Source: OTP's `application` behaviour.
public protocol Application: Sendable {
    /// What the application is called and what it needs. Read once, when it is loaded.
    var spec: ApplicationSpec { get }

    /// Starts the top process, nearly always a supervisor, linked, and returns its pid.
    ///
    /// The application runs as long as this process does. Whatever it and its descendants spawn
    /// belongs to the application: the master is their group leader, and so its environment is seen
    /// by all of them.
    ///
    /// - Throws: anything; then the application is not started.
    /// - Source: OTP's `Module:start/2`.
    mutating func start(process: ApplicationContext) async throws -> Pid

    /// Carries out one of the start phases, after the top process has started; see
    /// ``ApplicationSpec/startPhases``. The default does nothing.
    ///
    /// - Throws: anything; then the application is stopped, and its start has failed.
    /// - Source: OTP's `Module:start_phase/3`.
    mutating func startPhase(_ phase: String, process: ApplicationContext) async throws

    /// Prepares the end: called before the processes are ended, or when the top process has ended by
    /// itself. The default does nothing.
    ///
    /// - Source: OTP's `Module:prep_stop/1`.
    mutating func prepareStop(process: ApplicationContext) async

    /// Cleans up, when all processes of the application have ended. The default does nothing.
    ///
    /// - Source: OTP's `Module:stop/1`.
    mutating func stop(process: ApplicationContext) async

    /// The environment has been changed by ``Applications/changeConfiguration(of:to:timeout:)``. The
    /// default does nothing.
    ///
    /// - Source: OTP's `Module:config_change/3`.
    mutating func configurationChanged(
        _ change: ApplicationConfigurationChange, process: ApplicationContext
    ) async
}

extension Application {
    /// Does nothing.
    public mutating func startPhase(
        _ phase: String, process: ApplicationContext
    ) async throws {}

    /// Does nothing.
    public mutating func prepareStop(process: ApplicationContext) async {}

    /// Does nothing.
    public mutating func stop(process: ApplicationContext) async {}

    /// Does nothing.
    public mutating func configurationChanged(
        _ change: ApplicationConfigurationChange, process: ApplicationContext
    ) async {}
}

/// The process in which the callbacks of an ``Application`` run, seen from inside.
public struct ApplicationContext: ProcessContext {
    /// The process object; not for use outside Troupe.
    public let _handle: ProcessHandle
    /// The name of the application.
    public let application: String
    /// How it was started.
    public let mode: ApplicationMode

    init(_ cell: ProcessCell, application: String, mode: ApplicationMode) {
        self._handle = ProcessHandle(cell)
        self.application = application
        self.mode = mode
    }

    /// Waits for a while.
    ///
    /// - Throws: ``ExitReason`` when the application has been told to end.
    public func sleep(for duration: Duration) async throws(ExitReason) {
        try await cell.sleep(for: duration)
    }
}

@available(*, unavailable, message: "only the process itself may use it")
extension ApplicationContext: Sendable {}

/// What the end of an application means for its node. OTP: the restart type of
/// `application:start/2`.
public enum ApplicationMode: Sendable, Hashable, CaseIterable {
    /// The end is reported.
    case temporary
    /// An end with any reason but `.normal` stops the node, after the other applications. A
    /// supervisor that gives up ends with `.shutdown`, so this stops the node, too.
    case transient
    /// Any end stops the node, after the other applications.
    case permanent

    /// Whether an end, or a failed start, with this reason stops the node.
    func stopsNode(after reason: ExitReason) -> Bool {
        switch self {
        case .temporary: false
        case .transient: reason != .normal
        case .permanent: true
        }
    }
}

/// What has become of the environment of an application.
///
/// - Source: the arguments of OTP's `Module:config_change/3`.
public struct ApplicationConfigurationChange: Sendable {
    /// The values that differ from those before. A value whose type is not `Equatable` counts as
    /// different.
    public let changed: Environment
    /// The values of keys that had none.
    public let new: Environment
    /// The keys that have no value any more, with what they had.
    public let removed: Environment

    /// Whether nothing has changed.
    public var isEmpty: Bool { changed.isEmpty && new.isEmpty && removed.isEmpty }
}
