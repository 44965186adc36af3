//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a closure process has looked at in its mailbox and not taken yet, as a pure value: messages
/// that a selective receive has passed over, and those that wait for a listener.
///
/// Everything is in exactly one lane: that of the listener that claims it, or the rest. Within a
/// lane, and across lanes by `order`, things keep the order in which they came.
struct ReceiveQueue {
    struct Entry: Sendable {
        enum Content: Sendable {
            case message(any Sendable)
            case signal(ReceivedSignal)
        }

        /// A signal, with the message that it is for the process. An object, as a closure that waits
        /// in `receive` has room in its task for some contents.
        final class ReceivedSignal: Sendable {
            let signal: SignalQueue.Signal
            let message: (any Sendable)?

            init(_ signal: SignalQueue.Signal, on node: Node) {
                self.signal = signal
                self.message = signal.message(on: node)
            }
        }

        /// Grows with every entry.
        let order: UInt64
        /// How many ordinary messages had come before it.
        let position: UInt64
        let content: Content
    }

    /// Entries in the order in which they came.
    struct Lane: Sendable {
        private var entries: [Entry?] = []
        private var head = 0

        var isEmpty: Bool { head == entries.count }
        var first: Entry? { isEmpty ? nil : entries[head] }

        mutating func append(_ entry: Entry) { entries.append(entry) }

        mutating func popFirst() -> Entry? {
            guard !isEmpty else { return nil }
            let entry = entries[head]
            entries[head] = nil
            head += 1
            dropHead()
            return entry
        }

        /// Removes and returns the first entry that `isWanted`, of those from `position` on.
        mutating func remove(
            from position: UInt64, where isWanted: (Entry) throws -> Bool
        ) rethrows -> Entry? {
            for index in firstIndex(from: position)..<entries.count {
                guard let entry = entries[index], try isWanted(entry) else { continue }
                remove(at: index)
                return entry
            }
            return nil
        }

        /// Closes the gap from the side where less has to be moved.
        private mutating func remove(at index: Int) {
            if index - head < entries.count - index {
                var index = index
                while index > head {
                    entries[index] = entries[index - 1]
                    index -= 1
                }
                entries[head] = nil
                head += 1
                dropHead()
            } else {
                entries.remove(at: index)
                if isEmpty { (entries, head) = ([], 0) }
            }
        }

        /// Positions never fall along a lane, so the place can be found by halving.
        private func firstIndex(from position: UInt64) -> Int {
            if position == 0 { return head }
            var (low, high) = (head, entries.count)
            while low < high {
                let middle = (low + high) / 2
                if (entries[middle]?.position ?? 0) < position {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            return low
        }

        private mutating func dropHead() {
            if isEmpty {
                entries.removeAll(keepingCapacity: head < 64)
                head = 0
            } else if head >= 1024, head * 2 > entries.count {
                entries.removeFirst(head)
                head = 0
            }
        }

        /// Puts entries of another lane in, in their order.
        mutating func merge(_ other: Lane) {
            let (mine, theirs) = (entries[head...].compactMap { $0 }, other.all)
            entries = []
            head = 0
            entries.reserveCapacity(mine.count + theirs.count)
            var (i, j) = (0, 0)
            while i < mine.count || j < theirs.count {
                if j == theirs.count || i < mine.count && mine[i].order < theirs[j].order {
                    entries.append(mine[i])
                    i += 1
                } else {
                    entries.append(theirs[j])
                    j += 1
                }
            }
        }

        /// Removes and returns what `isWanted`, in its order.
        mutating func extract(where isWanted: (Entry) -> Bool) -> Lane {
            var taken = Lane()
            let all = all
            (entries, head) = ([], 0)
            for entry in all {
                if isWanted(entry) { taken.append(entry) } else { entries.append(entry) }
            }
            return taken
        }

        var all: [Entry] { entries[head...].compactMap { $0 } }
    }

    private struct Listener {
        let id: Int
        let claims: @Sendable (Entry.Content) -> Bool
        var lane = Lane()
    }

    /// What no listener claims.
    private(set) var rest = Lane()
    private var listeners: [Listener] = []
    private var nextListener = 0
    private var nextOrder: UInt64 = 0
    /// How many ordinary messages are in the lanes.
    private(set) var messageCount = 0

    /// Whether a plain receive need not look here.
    var isUnused: Bool { rest.isEmpty && listeners.isEmpty }
    var hasListeners: Bool { !listeners.isEmpty }

    /// Something has come.
    ///
    /// - Parameter position: how many ordinary messages had come before.
    mutating func append(_ content: Entry.Content, position: UInt64) {
        let entry = Entry(order: nextOrder, position: position, content: content)
        nextOrder += 1
        if case .message = content { messageCount += 1 }
        if let index = listeners.firstIndex(where: { $0.claims(content) }) {
            listeners[index].lane.append(entry)
        } else {
            rest.append(entry)
        }
    }

    private mutating func taken(_ entry: Entry?) -> Entry? {
        if case .message? = entry?.content { messageCount -= 1 }
        return entry
    }

    /// Takes the first thing that no listener claims.
    mutating func popFirst() -> Entry? { taken(rest.popFirst()) }

    /// Takes the first thing that no listener claims and that `isWanted`.
    mutating func popFirst(
        from position: UInt64, where isWanted: (Entry) throws -> Bool
    ) rethrows -> Entry? {
        taken(try rest.remove(from: position, where: isWanted))
    }

    /// Takes the first thing of a listener.
    mutating func popFirst(of listener: Int) -> Entry? {
        guard let index = listeners.firstIndex(where: { $0.id == listener }) else { return nil }
        return taken(listeners[index].lane.popFirst())
    }

    /// The order of the first thing of a listener, or of the rest; nil when there is none.
    func firstOrder(of listener: Int?) -> UInt64? {
        guard let listener else { return rest.first?.order }
        return listeners.first { $0.id == listener }?.lane.first?.order
    }

    /// Somebody listens from now on. What waits in the rest and is claimed goes over.
    ///
    /// Of two listeners that claim the same, the one that was opened first gets it.
    mutating func open(_ claims: @escaping @Sendable (Entry.Content) -> Bool) -> Int {
        var listener = Listener(id: nextListener, claims: claims)
        nextListener += 1
        listener.lane = rest.extract { claims($0.content) }
        listeners.append(listener)
        return listener.id
    }

    /// Somebody listens no longer. What has waited goes back to the rest, or to another listener
    /// that claims it, to its place.
    mutating func close(_ listener: Int) {
        guard let index = listeners.firstIndex(where: { $0.id == listener }) else { return }
        var lane = listeners.remove(at: index).lane
        for other in listeners.indices {
            let claimed = lane.extract { listeners[other].claims($0.content) }
            listeners[other].lane.merge(claimed)
        }
        rest.merge(lane)
    }

    /// Drops signals that are not wanted any more; messages are not looked at.
    mutating func removeAll(where isUnwanted: (Entry.Content) -> Bool) {
        func isUnwantedSignal(_ entry: Entry) -> Bool {
            guard case .signal = entry.content else { return false }
            return isUnwanted(entry.content)
        }
        _ = rest.extract(where: isUnwantedSignal)
        for index in listeners.indices {
            _ = listeners[index].lane.extract(where: isUnwantedSignal)
        }
    }

    /// Removes everything, and returns the messages in the order in which they came.
    mutating func removeAllMessages() -> [any Sendable] {
        var all = rest
        for listener in listeners { all.merge(listener.lane) }
        self = ReceiveQueue()
        return all.all.compactMap { entry in
            if case .message(let message) = entry.content { message } else { nil }
        }
    }

    func isOpen(_ listener: Int) -> Bool { listeners.contains { $0.id == listener } }
}
