//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("The state of an event")
struct EventStateTests {
    typealias State = EventState<String, Int>

    private func pid(_ number: UInt64) -> Pid { Pid(node: "x", id: number, creation: 1) }

    @Test("the buffer holds the last messages in order", arguments: 0...4)
    func buffer(capacity: Int) {
        var state = State(bufferCapacity: capacity)
        for number in 1...12 {
            #expect(state.nextNumber == UInt64(number))
            let evicted = state.published(number)
            // With a buffer each message comes out of it once, in order.
            #expect(evicted == (capacity > 0 && number > capacity ? number - capacity : nil))
            #expect(state.buffered == Array(max(1, number - capacity + 1)..<(number + 1)))
        }
    }

    @Test("the first and the last subscriber are noticed, each process subscribes once")
    func subscribers() {
        var state = State(bufferCapacity: 1)
        _ = state.published(7)
        guard case .subscribed([7], isFirst: true) = state.subscribed(1, "a", pid(1), .monitor),
            case .alreadySubscribed = state.subscribed(2, "a", pid(1), .link),
            case .subscribed([7], isFirst: false) = state.subscribed(3, "b", pid(2), .link)
        else {
            Issue.record("subscribed otherwise")
            return
        }
        #expect(state.subscribers.entries.map(\.id) == [1, 3])
        let wrong = state.unsubscribed(2, pid(1))
        #expect(!wrong.wasSubscribed && !wrong.isLast)
        let first = state.unsubscribed(1, pid(1))
        #expect(first.wasSubscribed && !first.isLast)
        let last = state.unsubscribed(3, pid(2))
        #expect(last.wasSubscribed && last.isLast)
        let again = state.unsubscribed(3, pid(2))
        #expect(!again.wasSubscribed && !again.isLast)
        guard case .subscribed(_, isFirst: true) = state.subscribed(4, "a", pid(1), .link) else {
            Issue.record("the first again")
            return
        }
    }

    @Test("an event that is over stays so, and its subscribers are told once")
    func over() {
        var state = State(bufferCapacity: 2)
        _ = state.published(1)
        _ = state.subscribed(1, "a", pid(1), .link)
        let ended = state.ended()
        #expect(ended?.subscribers.map(\.holder) == ["a"])
        #expect(ended?.buffered == [1])
        let (again, left) = (state.ended(), state.unsubscribed(1, pid(1)))
        #expect(again == nil && !left.wasSubscribed && !left.isLast)
        #expect(state.isOver && state.buffered == [])
        guard case .over = state.subscribed(2, "b", pid(2), .monitor) else {
            Issue.record("subscribed to what is over")
            return
        }
    }
}
