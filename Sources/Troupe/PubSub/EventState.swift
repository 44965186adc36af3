//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The subscribers and the buffer of one event, as a pure state.
struct EventState<Peer, Message> {
    private(set) var subscribers = EntryList<Peer, SubscriptionForm>()
    private var pids: Set<Pid> = []
    private let bufferCapacity: Int
    /// The last messages; where a ring begins once it is full is `first`.
    private var buffer: [Message] = []
    private var first = 0
    /// The number that the next message gets.
    private(set) var nextNumber: UInt64 = 1
    /// Set when the event is unregistered or its producer ends. Final.
    private(set) var isOver = false

    init(bufferCapacity: Int) {
        self.bufferCapacity = bufferCapacity
    }

    /// The last messages, the oldest first.
    var buffered: [Message] { Array(buffer[first...] + buffer[..<first]) }

    enum SubscribeAction {
        /// The producer is to be told of the first subscriber.
        case subscribed(buffered: [Message], isFirst: Bool)
        case alreadySubscribed
        case over
    }

    /// A process subscribes. What is published from now on is for it, the buffer is what was before.
    mutating func subscribed(
        _ id: UInt64, _ peer: Peer, _ pid: Pid, _ form: SubscriptionForm
    ) -> SubscribeAction {
        if isOver { return .over }
        guard pids.insert(pid).inserted else { return .alreadySubscribed }
        subscribers.append(id, peer, form)
        return .subscribed(buffered: buffered, isFirst: subscribers.count == 1)
    }

    /// A subscription is over: given back, or its holder has ended.
    ///
    /// - Returns: whether there was one, and whether it was the last.
    mutating func unsubscribed(_ id: UInt64, _ pid: Pid) -> (wasSubscribed: Bool, isLast: Bool) {
        guard subscribers.remove(id) != nil else { return (false, false) }
        pids.remove(pid)
        return (true, subscribers.isEmpty)
    }

    /// A message is published.
    ///
    /// - Returns: the message that the buffer gives up for it, to be destroyed by the caller.
    mutating func published(_ message: Message) -> Message? {
        assert(!isOver)
        nextNumber += 1
        guard bufferCapacity > 0 else { return nil }
        if buffer.count < bufferCapacity {
            buffer.append(message)
            return nil
        }
        defer {
            buffer[first] = message
            first = (first + 1) % bufferCapacity
        }
        return buffer[first]
    }

    /// The event is over.
    ///
    /// - Returns: who is to be told, and the buffer, to be destroyed by the caller; nil when it was
    ///   over before.
    mutating func ended() -> (
        subscribers: [EntryList<Peer, SubscriptionForm>.Entry], buffered: [Message]
    )? {
        if isOver { return nil }
        isOver = true
        defer {
            subscribers = EntryList()
            pids = []
            buffer = []
            first = 0
        }
        return (subscribers.entries, buffer)
    }
}

/// What a subscriber gets when the event is over.
enum SubscriptionForm: Sendable {
    /// A ``MessageEventDown``.
    case monitor
    /// An exit signal, or a ``MessageEventExit`` if it traps.
    case link
}

extension EventState: Sendable where Peer: Sendable, Message: Sendable {}
