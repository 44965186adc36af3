//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("The state of a group")
struct GroupStateTests {
    typealias State = GroupState<String>

    private func made(scope: [UInt64: String] = [:]) -> State {
        var state = State()
        state.setUp(scope)
        return state
    }

    @Test("members come in order and go one by one")
    func members() {
        var state = made()
        state.joined(1, "a")
        state.joined(2, "b")
        state.joined(5, "a")
        #expect(state.members.entries.map(\.holder) == ["a", "b", "a"])
        let left = [state.left(1), state.left(1), state.left(3)]
        #expect(left == ["a", nil, nil])
        #expect(state.members.entries.map(\.holder) == ["b", "a"])
    }

    @Test("who begins to watch gets the members, once")
    func watching() {
        var state = made(scope: [7: "s"])
        state.joined(1, "a")
        let first = state.watched(2, "w", isOfScope: false)
        let again = state.watched(2, "w", isOfScope: false)
        // It has been told of all members as they joined.
        let scope = state.watched(7, "s", isOfScope: true)
        #expect(first == ["a"] && again == nil && scope == nil)
        #expect(Set(state.watchers.keys) == [2, 7])
        state.unwatched(2)
        state.unwatched(3)
        #expect(Set(state.watchers.keys) == [7])
    }

    @Test("a group retires without members and monitors of its own, and only once")
    func retiring() {
        for (hasMember, hasWatcher, hasScope) in [
            (false, false, false), (true, false, false), (false, true, false),
            (true, true, false), (false, false, true), (true, false, true), (false, true, true),
            (true, true, true),
        ] {
            var state = made(scope: hasScope ? [9: "s"] : [:])
            if hasMember { state.joined(1, "a") }
            if hasWatcher { _ = state.watched(2, "w", isOfScope: false) }
            let isEmpty = !hasMember && !hasWatcher
            let (retires, again) = (state.retires(), state.retires())
            #expect(retires == isEmpty && state.isRetired == isEmpty && !again)
        }
    }
}
