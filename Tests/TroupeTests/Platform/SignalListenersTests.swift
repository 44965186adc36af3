//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Who listens to which signals")
struct SignalListenersTests {
    @Test("handlers are installed for the first listener and restored after the last")
    func installs() {
        var listeners = SignalListeners<String>()
        let first = listeners.add([2, 15], "first")
        #expect(first.installs == [2, 15])
        let second = listeners.add([15, 1], "second")
        #expect(second.installs == [1] && second.id != first.id && listeners.count == 2)
        let none = listeners.add([], "none")
        #expect(none.installs.isEmpty)
        #expect(listeners.remove(first.id) == [2])
        #expect(listeners.remove(first.id).isEmpty)
        #expect(listeners.remove(second.id) == [1, 15])
        #expect(!listeners.isEmpty)
        #expect(listeners.remove(none.id).isEmpty)
        #expect(listeners.isEmpty && listeners.remove(99).isEmpty)
    }

    @Test("a listener hears what comes after its marker, and nothing before")
    func markers() {
        var listeners = SignalListeners<String>()
        let first = listeners.add([15], "first")
        #expect(listeners.actions(for: 15) == [])
        listeners.markerCame()
        #expect(listeners.actions(for: 15) == ["first"])
        #expect(listeners.actions(for: 2) == [])
        let second = listeners.add([15, 2], "second")
        #expect(listeners.actions(for: 15) == ["first"])
        // The marker of one that has left still counts as that one's.
        _ = listeners.remove(second.id)
        _ = listeners.add([15], "third")
        listeners.markerCame()
        #expect(listeners.actions(for: 15) == ["first"])
        listeners.markerCame()
        #expect(listeners.actions(for: 15) == ["first", "third"])
        _ = listeners.remove(first.id)
        #expect(listeners.actions(for: 15) == ["third"])
    }
}
