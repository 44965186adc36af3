//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The unread messages of a process that has ended, for the next one of its kind.
///
/// Give the same kept mailbox to each instance, one after the other:
///
/// ```swift
/// let kept = KeptMailbox()
/// let options = ProcessOptions(name: "orders", leftovers: .keep(in: kept))
/// let first = try node.spawn(Orders.self, options: options)
/// // … it crashes …
/// let second = try node.spawn(Orders.self, options: options)  // goes on with what is unread
/// ```
///
/// Which messages are kept is said at ``Leftovers``. A new process has them in its mailbox, in their
/// order, before anybody can find it by its pid or name, so they come before everything that is sent
/// to it. They count against the bound of its mailbox. What exceeds that is dropped, counted and
/// reported as an overflow is: the oldest when its policy is ``OverflowPolicy/dropOldest``, else the
/// newest. When the start fails, or its `init` does, they go back.
///
/// The next process has to have the same server type; any two closure processes fit. When it has
/// not, the content is dropped and reported as ``Event/leftoversDropped(_:count:)``.
///
/// Several processes may share one. It holds the messages in the order in which their processes
/// ended, and who is spawned next takes them all. It takes messages only up to the mailbox's bound of
/// the process that ends; the others are dropped, the newest first, and reported. Letting go of it
/// drops what it holds, in silence.
public final class KeptMailbox: Sendable {
    private struct State: Sendable {
        var batches: [any KeptMessages] = []
        var count = 0
    }

    /// A leaf lock.
    private let state = Lock(State())

    /// Makes an empty one.
    public init() {}

    /// How many messages it holds.
    public var count: Int { state.withLock { $0.count } }

    /// Appends messages.
    ///
    /// - Parameter limit: how many it may hold then.
    /// - Returns: how many of the messages had no room.
    func keep(_ messages: any KeptMessages, limit: Int) -> Int {
        var (messages, droppedCount) = (messages, 0)
        while messages.count > 0 {
            let room = state.withLock { state -> Int? in
                let room = max(0, limit - state.count)
                guard messages.count <= room else { return room }
                state.batches.append(messages)
                state.count += messages.count
                return nil
            }
            guard let room else { break }
            droppedCount += messages.count - room
            // Not within the lock: the user's code may run when messages are destroyed.
            messages = messages.first(room)
        }
        return droppedCount
    }

    /// Removes and returns everything.
    func takeAll() -> [any KeptMessages] {
        var taken = State()
        state.withLock { swap(&$0, &taken) }
        return taken.batches
    }
}

/// Messages of one process, as its mailbox holds them.
protocol KeptMessages: Sendable {
    var count: Int { get }
    func first(_ count: Int) -> any KeptMessages
}

/// Messages for processes whose mailboxes have elements of this type.
struct TypedKeptMessages<Element: Sendable>: KeptMessages {
    var elements: ArraySlice<Element>

    init(_ elements: some Sequence<Element>) {
        self.elements = ArraySlice(elements)
    }

    var count: Int { elements.count }

    func first(_ count: Int) -> any KeptMessages {
        // A copy, so that the rest is let go.
        Self(Array(elements.prefix(count)))
    }
}

/// What a new process takes from a kept mailbox.
@usableFromInline
final class Refill {
    fileprivate var batches: [any KeptMessages]
    /// How many had no room.
    fileprivate var excessCount = 0
    /// How many were left by processes of another type.
    fileprivate var misfitCount = 0

    fileprivate init(_ batches: [any KeptMessages]) {
        self.batches = batches
    }

    /// Says what was lost; to be called when the process is known.
    func report(for cell: ProcessCell) {
        if excessCount > 0 { cell.reportOverflow() }
        cell.reportLeftovers(misfitCount)
    }
}

extension ProcessCell {
    /// Puts what was kept into the mailbox of this new process, which nobody else knows yet.
    ///
    /// - Returns: what to report, if anything.
    final func refill() -> Refill? {
        guard case .keep(let kept) = traits.leftovers else { return nil }
        let batches = kept.takeAll()
        if batches.isEmpty { return nil }
        let refill = Refill(batches)
        _ = behaviour(self, .refill(refill))
        // Those without room are destroyed here, with no lock held.
        refill.batches = []
        return refill
    }

    /// Carries out ``BehaviourCommand/refill(_:)``.
    final func refill<Element: Sendable>(_ refill: Refill, with type: Element.Type) {
        var elements: [Element] = []
        for batch in refill.batches {
            if let fitting = batch as? TypedKeptMessages<Element> {
                elements += fitting.elements
            } else {
                refill.misfitCount += batch.count
            }
        }
        let capacity = traits.mailbox.capacity
        let taken =
            traits.mailbox.overflow == .dropOldest
            ? elements.suffix(capacity) : elements.prefix(capacity)
        refill.excessCount = elements.count - taken.count
        var queue = MessageQueue()
        for element in taken { queue.append(element) }
        withCore { core in
            core.queue.prepend(&queue)
            core.accepted &+= UInt64(taken.count)
            core.dropped &+= UInt64(refill.excessCount)
        }
    }

    /// As ``refill(_:with:)``, for a server.
    @usableFromInline
    final func refill<Server: ServerProtocol>(_ refill: Refill, of server: Server.Type) {
        self.refill(refill, with: Envelope<Server>.self)
    }

    /// Does with the unread messages of a server that has ended what its options say; its callers
    /// fail.
    @usableFromInline
    final func rescue<Server: ServerProtocol>(
        _ queue: UnsafeMutablePointer<MessageQueue>, _ reason: ExitReason, of server: Server.Type
    ) {
        var unread: [Envelope<Server>] = []
        while let envelope = queue.pointee.popFirst(as: Envelope<Server>.self) {
            switch envelope {
            case .cast, .info: unread.append(envelope)
            case .call, .ask, .direct, .continuation, .timeout: envelope.fail(.exited(reason))
            }
        }
        leave(unread) { envelope in
            switch envelope {
            case .cast(let message): message
            case .info(let message): message
            case .call, .ask, .direct, .continuation, .timeout: nil
            }
        }
    }

    /// Does with the unread messages of this process, which has ended, what its options say.
    final func leave<Element: Sendable>(
        _ unread: [Element], _ message: (Element) -> (any Sendable)?
    ) {
        if unread.isEmpty { return }
        switch traits.leftovers {
        case .drop:
            break
        case .handOver(let target, let tag):
            guard case .success(let cell) = node.find(target) else {
                return reportLeftovers(unread.count)
            }
            var droppedCount = 0
            for element in unread {
                guard let message = message(element) else { continue }
                let wrapped = MessageFallback(process: pid, tag: tag, message: message)
                // Not its own policy, as with a fallback.
                if cell.behaviour(cell, .put(wrapped)) != .accepted { droppedCount += 1 }
            }
            reportLeftovers(droppedCount)
        case .keep(let kept):
            reportLeftovers(
                kept.keep(TypedKeptMessages(unread), limit: traits.mailbox.capacity))
        }
    }

    fileprivate final func reportLeftovers(_ count: Int) {
        guard count > 0 else { return }
        node.emit(.messageDropped) { .leftoversDropped(pid, count: count) }
    }
}
