//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What is known of an application; made by ``Applications/loaded()``.
public struct ApplicationSnapshot: Sendable {
    /// Its name.
    public let name: String
    /// What it does, in words.
    public let description: String
    /// Its version.
    public let version: String
    /// Whether it runs.
    public let state: ApplicationState
    /// How it was started the last time; nil when it never was.
    public let mode: ApplicationMode?
    /// The group leader of all its processes; nil when it does not run.
    public let master: Pid?
    /// The process that its start callback has returned; nil before that, and when it does not run.
    public let top: Pid?
    /// The application that includes it.
    public let includer: String?
}

/// Where an application is in its life.
@nonexhaustive
public enum ApplicationState: Sendable, Hashable {
    /// It was not started, or was stopped, or its start has failed.
    case loaded
    /// Its start callback or its start phases run.
    case starting
    /// It runs.
    case running
    /// It has been told to stop.
    case stopping
    /// It ran, and has ended by itself. It can be started again.
    case ended
}

/// The end of an application that ran; see ``Event/applicationExited(_:)``.
public struct ApplicationExit: Sendable {
    /// Its name.
    public let application: String
    /// What its end means for the node.
    public let mode: ApplicationMode
    /// With which reason its top process, or the application as a whole, has ended.
    public let reason: ExitReason
    /// Whether it was told to stop. If not, it has ended by itself.
    public let wasStopped: Bool
}
