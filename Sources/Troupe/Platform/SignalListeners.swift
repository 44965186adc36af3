//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Who listens to which signals of the operating system, as a pure value.
///
/// Signals come through a pipe, behind others that may have come before somebody began to listen.
/// So whoever begins also puts a marker into the pipe, and hears of what comes after it.
struct SignalListeners<Action> {
    private struct Listener {
        let id: Int
        let signals: Set<Int32>
        let action: Action
    }

    private var listeners: [Listener] = []
    private var nextID = 0
    private var markersRead = 0

    var isEmpty: Bool { listeners.isEmpty }
    var count: Int { listeners.count }

    /// Somebody listens from now on, and puts a marker into the pipe.
    ///
    /// - Returns: the signals that nobody has listened to so far.
    mutating func add(_ signals: Set<Int32>, _ action: Action) -> (id: Int, installs: Set<Int32>) {
        let installs = signals.subtracting(listeners.flatMap(\.signals))
        defer { nextID += 1 }
        listeners.append(Listener(id: nextID, signals: signals, action: action))
        return (nextID, installs)
    }

    /// Somebody listens no longer.
    ///
    /// - Returns: the signals that nobody listens to any more.
    mutating func remove(_ id: Int) -> Set<Int32> {
        guard let index = listeners.firstIndex(where: { $0.id == id }) else { return [] }
        return listeners.remove(at: index).signals.subtracting(listeners.flatMap(\.signals))
    }

    /// A marker has come out of the pipe.
    mutating func markerCame() {
        markersRead += 1
    }

    /// A signal has come out of the pipe: what to do, in the order in which they began to listen.
    func actions(for signal: Int32) -> [Action] {
        // Markers come out in the order of the ids, also those of listeners that have left.
        listeners.filter { $0.id < markersRead && $0.signals.contains(signal) }.map(\.action)
    }
}
