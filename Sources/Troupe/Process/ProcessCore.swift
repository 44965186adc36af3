//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Everything of a process that its lock protects.
@usableFromInline
struct ProcessCore: ~Copyable, @unchecked Sendable {
    // Unchecked: it only exists inside the `Lock` of its process.

    @usableFromInline var lifecycle = Lifecycle()

    // MARK: Mailbox

    /// Messages that no step has taken yet.
    @usableFromInline var queue = MessageQueue()
    /// How many messages were ever put into the mailbox.
    @usableFromInline var accepted: UInt64 = 0
    /// The last known value of the cell's `popped`; behind it, never ahead.
    @usableFromInline var poppedSeen: UInt64 = 0
    @usableFromInline var dropped: UInt64 = 0
    @usableFromInline let capacity: Int32
    @usableFromInline let overflow: OverflowKind

    // MARK: Running

    /// A closure process that waits in `receive`.
    var parked: UnsafeContinuation<Void, Never>?
    /// The task that runs the process right now, for processes that await.
    var runner: Runner?

    // MARK: Signals

    var trapsExits: Bool
    /// Set when the process begins to give back what it holds; nothing new can be attached.
    var isClosing = false
    var environment: Environment
    /// Made with the first link, monitor, name, alias or timer.
    var relations: Relations?

    @usableFromInline
    enum OverflowKind: UInt8, Sendable {
        case reject, dropNewest, dropOldest, fallback, stop
    }

    init(mailbox: MailboxOptions, trapsExits: Bool, environment: Environment) {
        self.capacity = Int32(mailbox.capacity)
        self.overflow =
            switch mailbox.overflow {
            case .reject: .reject
            case .dropNewest: .dropNewest
            case .dropOldest: .dropOldest
            case .fallback: .fallback
            case .stop: .stop
            }
        self.trapsExits = trapsExits
        self.environment = environment
    }

    /// How many messages wait, those included that a step has taken but not begun.
    var queueLength: Int { Int(accepted - poppedSeen) }

    /// The relations, made if there are none yet.
    mutating func makeRelations() -> Relations {
        if let relations { return relations }
        let made = Relations()
        relations = made
        return made
    }
}

/// What connects a process with others. Only touched with the lock of the process held.
final class Relations: @unchecked Sendable {
    // Unchecked: reachable only through the process's core, or, when that has ended, by one thread.

    /// Both sides have an entry, made and removed with both locks held.
    var links: [Pid: ProcessCell] = [:]
    /// Monitors that this process holds, by reference.
    var monitors: [UInt64: HeldMonitor] = [:]
    /// Monitors that watch this process, by reference.
    var monitoredBy: [UInt64: WatchingMonitor] = [:]
    var names: [String] = []
    var aliases: Set<UInt64> = []
    /// Timers to cancel when this process ends, by reference.
    var timers: [UInt64: OwnedTimer] = [:]
    /// Calls that a handler has taken without replying yet.
    var deferredCalls: [ObjectIdentifier: ReplyCell] = [:]
    /// Signals that have become messages, in order.
    var systemMessages = SystemMessageQueue()
    /// Senders that wait for room, in order. While there is one, the mailbox is full.
    var sendWaiters = SendWaiterQueue()
    /// Calls in which this process waits for others.
    var outstandingCalls: [ReplyCell] = []
    /// What the body has returned, for monitors.
    var result: (any Sendable)?

    /// A monitor as its holder sees it.
    struct HeldMonitor: Sendable {
        /// Nil when the target was already gone.
        var target: ProcessCell?
        var object: MonitoredObject
        /// The DOWN is in the mailbox; it is only seen if the entry still exists then.
        var hasFired = false
    }

    /// A monitor as its target sees it.
    struct WatchingMonitor: Sendable {
        var watcher: ProcessCell
        var object: MonitoredObject
    }
}

/// Signals turned into messages, each with its place among the ordinary messages.
///
/// They are kept apart from the mailbox's queue because they are never counted against its bound;
/// the place keeps the order between what one sender has sent and its DOWN or EXIT.
struct SystemMessageQueue: Sendable {
    enum Message: Sendable {
        case down(MessageDown)
        case exit(MessageExit)
    }

    private var entries: [(position: UInt64, message: Message)] = []
    private var first = 0

    var isEmpty: Bool { first == entries.count }
    var count: Int { entries.count - first }

    /// Appends a message that comes after the first `position` ordinary ones.
    mutating func append(_ message: Message, position: UInt64) {
        entries.append((position, message))
    }

    /// Removes and returns the first message whose turn has come once `popped` ordinary messages
    /// were taken.
    mutating func popFirst(popped: UInt64) -> Message? {
        guard first < entries.count, entries[first].position <= popped else { return nil }
        let message = entries[first].message
        first += 1
        if first == entries.count {
            entries.removeAll(keepingCapacity: first < 64)
            first = 0
        } else if first >= 1024, first * 2 > entries.count {
            entries.removeFirst(first)
            first = 0
        }
        return message
    }
}
