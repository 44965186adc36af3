//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why an operation on an application has failed.
@nonexhaustive
public enum ApplicationError: Error, Sendable, Equatable {
    /// An application of this name is loaded.
    case alreadyLoaded(String)
    /// No application of this name is loaded.
    case notLoaded(String)
    /// The specification is wrong; with everything that is.
    case specInvalid(String, [ApplicationSpecMistake])
    /// An application is included by two others.
    case includedTwice(String, by: String, and: String)
    /// It is a part of another application, with which it is started, stopped and unloaded.
    case included(String, in: String)
    /// It runs, or is being started.
    case alreadyStarted(String)
    /// It neither runs nor is being started.
    case notStarted(String)
    /// A dependency was not started. Nothing was started.
    case dependencyNotStarted(String, of: String)
    /// A dependency was started and has ended, or has not started completely.
    case dependencyNotRunning(String, of: String)
    /// These applications depend on each other, each on the next.
    case dependencyCycle([String])
    /// It runs, and has to be stopped first.
    case running(String)
    /// It has been told to start, and has not started in time. It goes on.
    case starting(String)
    /// It has been told to stop, and has not ended yet. It goes on.
    case stopping(String)
    /// A start callback or phase has ended with this reason, `.error(_)` for what it threw, or the
    /// top process has. The application does not run.
    case startFailed(String, ExitReason)
    /// The node is stopping or has stopped.
    case nodeStopped(node: String)
    /// The calling task was cancelled. What it has asked for goes on.
    case cancelled
    /// The controller of the node's applications was ended or is overloaded, or the application is
    /// overloaded.
    case unavailable(CallError)
}

extension ApplicationError: CustomStringConvertible {
    /// What happened, to which application, and what to do about it.
    public var description: String {
        switch self {
        case .alreadyLoaded(let name):
            "an application \"\(name)\" is loaded already; unload it first"
        case .notLoaded(let name): "no application \"\(name)\" is loaded; load it first"
        case .specInvalid(let name, let mistakes):
            "the specification of application \"\(name)\" is wrong: "
                + mistakes.map(\.description).joined(separator: "; ")
        case .includedTwice(let name, let one, let other):
            "application \"\(name)\" is included by \"\(one)\" and by \"\(other)\"; "
                + "make it a dependency of both"
        case .included(let name, let owner):
            "application \"\(name)\" is included by \"\(owner)\"; use that one"
        case .alreadyStarted(let name):
            "application \"\(name)\" is started already; ensureStarted allows that"
        case .notStarted(let name): "application \"\(name)\" is not started"
        case .dependencyNotStarted(let name, let owner):
            "application \"\(owner)\" needs \"\(name)\", which is not started; "
                + "start it first, or use ensureAllStarted"
        case .dependencyNotRunning(let name, let owner):
            "application \"\(owner)\" needs \"\(name)\", which does not run; start it again first"
        case .dependencyCycle(let names):
            "these applications depend on each other: "
                + (names + names.prefix(1)).joined(separator: " → ")
        case .running(let name): "application \"\(name)\" runs; stop it first"
        case .starting(let name):
            "application \"\(name)\" has not started in time; wait longer, or stop it"
        case .stopping(let name):
            "application \"\(name)\" is stopping; wait longer, or find out what its prepareStop, "
                + "top process or stop waits for"
        case .startFailed(let name, let reason):
            "application \"\(name)\" was not started: \(reason)"
        case .nodeStopped(let node): "node \"\(node)\" is stopping or has stopped"
        case .cancelled: "the operation was cancelled; what it has asked for goes on"
        case .unavailable(let error): "the applications cannot be reached: \(error)"
        }
    }
}
