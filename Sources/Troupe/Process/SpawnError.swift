//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a process was not started. Nothing of it remains: its name is free, its pid finds nothing.
@nonexhaustive
public enum SpawnError: Error, Sendable, Equatable {
    /// `init` has ended with this reason: `.error(_)` with what it threw, or what ended it.
    case initFailed(ExitReason)
    /// `init` threw ``IgnoreStart``.
    case ignored
    /// `init` took longer than ``ProcessOptions/startTimeout``; the process was killed.
    case startTimeout(Duration)
    /// A living process holds the name. `init` was not run.
    case nameTaken(String, by: Pid)
    /// A name has 1 to 255 Unicode scalars.
    case nameInvalid(String)
    /// The process could not get its key; see ``ProcessOptions/registration``. `init` was not run.
    case registrationFailed(KeyRegistryError)
    /// A mailbox holds 1 to 2³¹ − 1 messages.
    case mailboxCapacityInvalid(Int)
    /// The node runs as many processes as ``NodeOptions/processCountMax`` allows.
    case tooManyProcesses(limit: Int)
    /// The node is stopping or has stopped.
    case nodeStopped(node: String)
}

extension SpawnError: CustomStringConvertible {
    /// What happened and what to do about it.
    public var description: String {
        switch self {
        case .initFailed(let reason): "init failed: \(reason)"
        case .startTimeout(let timeout): "init took longer than \(timeout)"
        case .ignored: "init asked to be ignored"
        case .nameTaken(let name, let pid): RegistryError.nameTaken(name, by: pid).description
        case .nameInvalid(let name): RegistryError.nameInvalid(name).description
        case .registrationFailed(let error): "not registered: \(error)"
        case .mailboxCapacityInvalid(let capacity):
            "a mailbox cannot hold \(capacity) messages; choose 1 to \(Int32.max)"
        case .tooManyProcesses(let limit):
            "the node runs \(limit) processes, as many as NodeOptions.processCountMax allows"
        case .nodeStopped(let node): "node \"\(node)\" is stopping or has stopped"
        }
    }
}
