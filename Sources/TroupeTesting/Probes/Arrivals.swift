//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Troupe

/// What has arrived somewhere, in order, and who waits for what comes next: what ``TestProbe`` and
/// ``EventRecorder`` have in common.
///
/// Predicates are the user's code and run on the task that waits, never under the lock.
final class Arrivals<Element: Sendable>: Sendable {
    private struct Entry: Sendable {
        let number: Int
        let element: Element
    }

    private struct State: Sendable {
        var all: [Element] = []
        /// What nobody has taken, by number.
        var kept: [Entry] = []
        var waiting: [WaitPoint] = []
    }

    /// What is awaited, and how to speak of it.
    struct Search<Wanted> {
        let awaited: String
        let limit: Duration
        let location: CallLocation
        let match: (Element) -> Wanted?
    }

    private let state = Lock(State())
    private let describe: @Sendable (Element) -> String

    init(describedBy describe: @escaping @Sendable (Element) -> String) {
        self.describe = describe
    }

    var all: [Element] { state.withLock { $0.all } }

    /// What nobody has taken.
    var kept: [Element] { state.withLock { $0.kept.map(\.element) } }

    func names(of elements: some Sequence<Element>) -> [String] { elements.map(describe) }

    func append(_ element: Element) {
        let waiting = state.withLock { state in
            state.kept.append(Entry(number: state.all.count, element: element))
            state.all.append(element)
            defer { state.waiting = [] }
            return state.waiting
        }
        for point in waiting { point.open() }
    }

    /// Takes the first that matches; waits for one if there is none.
    ///
    /// - Parameter who: who waits, for the error.
    /// - Throws: `ProbeError.timeout`; `CancellationError`.
    func take<Wanted>(
        _ search: Search<Wanted>, for who: String, on scheduler: Scheduler
    ) async throws -> Wanted {
        let deadline = scheduler.deadline(after: search.limit)
        let countBefore = state.withLock { $0.all.count }
        var next = 0
        var isLate = false
        while true {
            let point = WaitPoint()
            let fresh = look(from: next, waitingAt: point)
            for entry in fresh {
                next = entry.number + 1
                if let wanted = search.match(entry.element), take(entry.number) { return wanted }
            }
            if !fresh.isEmpty { continue }
            if isLate { throw timeout(search, who, countBefore) }
            switch await point.wait(until: deadline, on: scheduler) {
            case .opened: break
            case .timedOut:
                // What has arrived at the last moment counts.
                isLate = true
                forget(point)
            case .cancelled:
                forget(point)
                throw CancellationError()
            }
        }
    }

    /// Waits until something arrives that was not there before the first `count` elements.
    ///
    /// - Returns: whether something did.
    func arrives(
        after count: Int, within limit: Duration, on scheduler: Scheduler
    ) async throws -> Bool {
        let point = WaitPoint()
        if !look(from: count, waitingAt: point).isEmpty { return true }
        switch await point.wait(until: scheduler.deadline(after: limit), on: scheduler) {
        case .opened: return true
        case .timedOut:
            forget(point)
            return state.withLock { $0.all.count } > count
        case .cancelled:
            forget(point)
            throw CancellationError()
        }
    }

    /// What nobody has taken, beginning with a number; if there is nothing, `point` will be opened.
    private func look(from number: Int, waitingAt point: WaitPoint) -> [Entry] {
        state.withLock { state in
            let fresh = state.kept.drop { $0.number < number }
            if fresh.isEmpty { state.waiting.append(point) }
            return Array(fresh)
        }
    }

    /// - Returns: false when somebody else has taken it.
    private func take(_ number: Int) -> Bool {
        state.withLock { state in
            guard let index = state.kept.firstIndex(where: { $0.number == number }) else {
                return false
            }
            state.kept.remove(at: index)
            return true
        }
    }

    private func forget(_ point: WaitPoint) {
        state.withLock { state in state.waiting.removeAll { $0 === point } }
    }

    private func timeout<Wanted>(
        _ search: Search<Wanted>, _ who: String, _ countBefore: Int
    ) -> ProbeError {
        let (arrived, kept) = state.withLock { state in
            (
                Array(state.all.dropFirst(countBefore)),
                state.kept.filter { $0.number < countBefore }.map(\.element)
            )
        }
        return .timeout(
            ProbeTimeout(
                who: who, awaited: search.awaited, waited: search.limit,
                arrived: names(of: arrived), kept: names(of: kept), location: search.location))
    }
}

/// Where a test has called something that fails: errors that a test throws have no line otherwise.
struct CallLocation: Sendable, Hashable, CustomStringConvertible {
    let fileID: String
    let line: Int

    var description: String { "\(fileID):\(line)" }
}
