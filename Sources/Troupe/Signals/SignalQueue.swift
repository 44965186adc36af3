//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What has come for a process besides ordinary messages, each with its place among those.
///
/// These are kept apart from the mailbox's queue because they are never counted against its bound;
/// the place keeps the order between what one sender has sent and its DOWN, EXIT or system request.
struct SignalQueue: Sendable {
    enum Signal: Sendable {
        case down(FiredMonitor)
        /// Of a link, or sent by `exit`.
        case exit(MessageExit, isOfLink: Bool)
        case response(MessageResponse)
        case notice(Notice)
        case request(SystemRequest)
    }

    /// Not a tuple: of that the compiler copies the whole to look at one part.
    private struct Entry: Sendable {
        let position: UInt64
        var signal: Signal?
    }

    /// Those before `first` have been taken and are nil.
    private var entries: [Entry] = []
    private var first = 0

    var isEmpty: Bool { first == entries.count }
    var count: Int { entries.count - first }

    /// Appends a signal that comes after the first `position` ordinary messages.
    mutating func append(_ signal: consuming Signal, position: UInt64) {
        entries.append(Entry(position: position, signal: signal))
    }

    /// The monitor whose DOWN is what ``popFirst(popped:)`` would return; nil when that is something
    /// else, or nothing.
    func firstDown(popped: UInt64) -> UInt64? {
        guard first < entries.count, entries[first].position <= popped,
            case .down(let fired)? = entries[first].signal
        else { return nil }
        return fired.id
    }

    /// Removes and returns the first signal whose turn has come once `popped` ordinary messages were
    /// taken.
    mutating func popFirst(popped: UInt64) -> Signal? {
        guard first < entries.count, entries[first].position <= popped else { return nil }
        let signal = entries[first].signal.take()
        first += 1
        if first == entries.count {
            entries.removeAll(keepingCapacity: first < 64)
            first = 0
        } else if first >= 1024, first * 2 > entries.count {
            entries.removeFirst(first)
            first = 0
        }
        return signal
    }

    /// Removes and returns the first system request, wherever it stands: a suspended process looks
    /// at nothing else.
    mutating func popFirstRequest() -> SystemRequest? {
        for index in first..<entries.count {
            guard case .request(let request)? = entries[index].signal else { continue }
            entries.remove(at: index)
            return request
        }
        return nil
    }

    /// Removes the exits that have come over links with some processes.
    mutating func removeLinkExits(from pids: Set<Pid>) {
        if isEmpty { return }
        entries.removeSubrange(..<first)
        first = 0
        entries.removeAll { entry in
            guard case .exit(let exit, isOfLink: true)? = entry.signal else { return false }
            return pids.contains(exit.from)
        }
    }

    /// Removes and returns everything.
    mutating func removeAll() -> [Signal] {
        defer {
            entries = []
            first = 0
        }
        return entries[first...].compactMap { $0.signal }
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
