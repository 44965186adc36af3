//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What has come for a process besides ordinary messages, each with its place among those.
///
/// These are kept apart from the mailbox's queue because they are never counted against its bound;
/// the place keeps the order between what one sender has sent and its DOWN, EXIT or system request.
///
/// An array would be moved when it grows, with the lock of the process held: with 100,000 DOWNs that
/// would hold up everybody for milliseconds.
struct SignalQueue: ~Copyable, Sendable {
    enum Signal: Sendable {
        case down(FiredMonitor)
        /// Of a link, or sent by `exit`.
        case exit(MessageExit, isOfLink: Bool)
        case response(MessageResponse)
        case notice(Notice)
        case request(SystemRequest)
    }

    private struct Entry: Sendable {
        let position: UInt64
        let signal: Signal
    }

    /// Of entries.
    private var queue = MessageQueue()

    var isEmpty: Bool { queue.isEmpty }

    /// Appends a signal that comes after the first `position` ordinary messages.
    mutating func append(_ signal: consuming Signal, position: UInt64) {
        queue.append(Entry(position: position, signal: signal))
    }

    /// The monitor whose DOWN is what ``popFirst(popped:)`` would return; nil when that is something
    /// else, or nothing.
    func firstDown(popped: UInt64) -> UInt64? {
        guard let first = queue.first(as: Entry.self), first.pointee.position <= popped,
            case .down(let fired) = first.pointee.signal
        else { return nil }
        return fired.id
    }

    /// Removes and returns the first signal whose turn has come once `popped` ordinary messages were
    /// taken.
    mutating func popFirst(popped: UInt64) -> Signal? {
        guard let first = queue.first(as: Entry.self), first.pointee.position <= popped else {
            return nil
        }
        defer { if queue.isEmpty { queue.trim() } }
        return queue.takeFirst(as: Entry.self)?.move().signal
    }

    /// Removes and returns the first system request, wherever it stands: a suspended process looks
    /// at nothing else.
    mutating func popFirstRequest() -> SystemRequest? {
        var first: SystemRequest?
        _ = removeAll { signal in
            guard case .request(let request) = signal, first == nil || first === request else {
                return false
            }
            first = request
            return true
        }
        return first
    }

    /// Removes and returns the exits that have come over links with some processes. Not to be let go
    /// with a lock held: a reason may run the user's code when it is destroyed.
    mutating func removeLinkExits(from pids: Set<Pid>) -> [Signal] {
        removeAll { signal in
            guard case .exit(let exit, isOfLink: true) = signal else { return false }
            return pids.contains(exit.from)
        }
    }

    private mutating func removeAll(where isUnwanted: (Signal) -> Bool) -> [Signal] {
        // Looked for first: most often there is none.
        guard queue.contains(as: Entry.self, where: { isUnwanted($0.signal) }) else { return [] }
        var removed: [Signal] = []
        var old = MessageQueue()
        queue.moveAll(to: &old)
        while let entry = old.popFirst(as: Entry.self) {
            if isUnwanted(entry.signal) {
                removed.append(entry.signal)
            } else {
                queue.append(entry)
            }
        }
        old.releaseMemory()
        return removed
    }

    /// Removes everything, gives back the memory, and returns the signals in their order. To be called
    /// before a queue is let go.
    @discardableResult
    mutating func removeAll() -> [Signal] {
        var signals: [Signal] = []
        while let entry = queue.popFirst(as: Entry.self) { signals.append(entry.signal) }
        queue.releaseMemory()
        return signals
    }
}

extension SignalQueue.Signal {
    /// As what it arrives in `receive`. Not to be made with a lock held.
    ///
    /// - Parameter node: that of the process which has got it.
    consuming func message(on node: Node) -> (any Sendable)? {
        switch consume self {
        case .down(let fired): fired.message(on: node.nodeName, creation: node.creation)
        case .exit(let exit, _): exit
        case .response(let response): response
        case .notice(let notice): notice.message
        case .request: nil
        }
    }
}
