//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Everything of a process that its lock protects.
@usableFromInline
struct ProcessCore: ~Copyable, @unchecked Sendable {
    // Unchecked: it only exists in a process, protected by its lock.

    @usableFromInline var lifecycle = Lifecycle()

    // MARK: Signals, names and relations
    // Beside the phase and the lock: who gives a process a name touches nothing else of it.

    var trapsExits = false
    var stopsOnNormalLink = false
    /// Set when the process begins to give back what it holds; nothing new can be attached.
    var isClosing = false
    /// Set when the process has ended and everybody has been told.
    var isOver = false
    /// The first hash of the ``NameTrail``.
    var firstName: UInt32 = 0
    /// Made with the first link, monitor, alias or timer.
    var relations: Relations?

    // MARK: Mailbox

    /// Messages that no step has taken yet.
    @usableFromInline var queue = MessageQueue()
    /// How many messages were ever put into the mailbox.
    @usableFromInline var accepted: UInt64 = 0
    /// The last known value of the cell's `popped`, less as many as senders waited for room then;
    /// behind it, never ahead.
    @usableFromInline var poppedSeen: UInt64 = 0
    @usableFromInline var dropped: UInt64 = 0
    @usableFromInline private(set) var capacity: Int32 = 0
    /// The capacity for those who ask nobody: 0 in a simulation, which is told of every message.
    @usableFromInline private(set) var freeCapacity: Int32 = 0
    @usableFromInline private(set) var overflow = OverflowKind.reject

    // MARK: Running

    /// A closure process that waits in `receive`.
    var parked: UnsafeContinuation<Void, Never>?
    /// The task that runs the process right now, for processes that await.
    var runner: Runner?
    var environment = Environment()

    // MARK: The end

    /// Who waits for the process to be over.
    var exitWaiters: [TypedReplyCell<ExitReason>] = []

    @usableFromInline
    enum OverflowKind: UInt8, Sendable {
        case reject, dropNewest, dropOldest, fallback, stop
    }

    /// To be completed with ``adopt(_:)``.
    init() {}

    /// Sets what the traits of the process say.
    mutating func adopt(_ traits: ProcessTraits) {
        let mailbox = traits.mailbox
        self.capacity = Int32(mailbox.capacity)
        self.freeCapacity = traits.isSimulated ? 0 : Int32(mailbox.capacity)
        self.overflow =
            switch mailbox.overflow {
            case .reject: .reject
            case .dropNewest: .dropNewest
            case .dropOldest: .dropOldest
            case .fallback: .fallback
            case .stop: .stop
            }
        self.stopsOnNormalLink = traits.stopsOnNormalLink
    }

    /// The relations, made if there are none yet.
    mutating func makeRelations() -> Relations {
        if let relations { return relations }
        let made = Relations()
        relations = made
        return made
    }
}
