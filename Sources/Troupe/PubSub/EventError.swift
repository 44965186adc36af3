//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why an event was not registered, published or subscribed to. Nothing was changed.
@nonexhaustive
public enum EventError: Error, Hashable, Sendable {
    /// The node has an event of this name.
    case eventTaken(String)
    /// There is no such event (any more).
    case eventUnknown(String)
    /// A name has 1 to 255 Unicode scalars.
    case nameInvalid(String)
    /// A buffer holds 0 to 1,000,000 messages.
    case bufferCapacityInvalid(Int)
    /// The messages of the event are of this type.
    case typeMismatch(String, published: String)
    /// The process has subscribed to the event before.
    case alreadySubscribed(String)
    /// The node has stopped.
    case nodeStopped(node: String)
    /// The process is ending, or was left behind by its node.
    case processUnknown(Pid)
}

extension EventError: CustomStringConvertible {
    /// What happened, to whom, and what to do about it.
    public var description: String {
        switch self {
        case .eventTaken(let name): "there is an event \"\(name)\"; choose another name"
        case .eventUnknown(let name):
            "there is no event \"\(name)\"; it was unregistered, or its producer has ended"
        case .nameInvalid(let name): RegistryError.nameInvalid(name).description
        case .bufferCapacityInvalid(let capacity):
            "a buffer cannot hold \(capacity) messages; choose 0 to 1,000,000"
        case .typeMismatch(let name, let published):
            "the event \"\(name)\" publishes messages of type \(published)"
        case .alreadySubscribed(let name):
            "the process subscribes to the event \"\(name)\" already"
        case .nodeStopped(let node): "node \"\(node)\" has stopped"
        case .processUnknown(let pid): "\(pid) is ending"
        }
    }
}
