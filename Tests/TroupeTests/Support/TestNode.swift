//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Synchronization
import Testing

@testable import Troupe

/// Runs `body` with a node that is stopped afterwards, and checks that nothing of it remains.
///
/// Nodes share ``TestSlots/scheduler`` unless the options name another one than the default.
func withNode<Result>(
    _ options: NodeOptions = NodeOptions(events: NoEvents()),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (Node) async throws -> Result
) async throws -> Result {
    await TestSlots.shared.acquire()
    defer { TestSlots.shared.release() }
    var options = options
    if options.scheduler === Scheduler.default { options.scheduler = TestSlots.scheduler }
    let node = try Node(name: "test", options: options)
    do {
        let result = try await body(node)
        await node.stop()
        #expect(node.count == 0, sourceLocation: sourceLocation)
        #expect(node.processes == [], sourceLocation: sourceLocation)
        #expect(node.registered.isEmpty, sourceLocation: sourceLocation)
        #expect(node.aliases.count == 0, sourceLocation: sourceLocation)
        return result
    } catch {
        await node.stop()
        throw error
    }
}

/// A list that several processes append to and a test waits on.
final class Log<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Lock(State())

    func append(_ element: Element) {
        let ready = state.withLock { state in
            state.elements.append(element)
            let count = state.elements.count
            let ready = state.waiters.filter { $0.count <= count }.map(\.continuation)
            state.waiters.removeAll { $0.count <= count }
            return ready
        }
        for continuation in ready { continuation.resume() }
    }

    var elements: [Element] { state.withLock { $0.elements } }

    /// Waits until there are `count` elements, and returns all there are.
    func wait(for count: Int) async -> [Element] {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.elements.count >= count { return true }
                state.waiters.append((count, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
        return elements
    }
}

/// Something that tasks and handlers wait for; open for good once it was opened.
final class Gate: Sendable {
    private let log = Log<Void>()
    private let parkers = Lock((isOpen: false, waiting: [Parker]()))

    func open() {
        let waiting = parkers.withLock { state in
            state.isOpen = true
            return state.waiting
        }
        for parker in waiting { parker.unpark() }
        log.append(())
    }

    func wait() async { _ = await log.wait(for: 1) }

    /// For handlers that shall block their thread.
    func waitBlocking() {
        let parker = Parker()
        let isOpen = parkers.withLock { state in
            if !state.isOpen { state.waiting.append(parker) }
            return state.isOpen
        }
        if !isOpen { parker.park() }
    }
}

/// An error that can be compared.
struct TestError: Error, Hashable {
    let code: Int
    init(_ code: Int) { self.code = code }
}

extension ProcessCell {
    /// How many monitors watch this process.
    var monitoredByCount: Int { withCore { $0.relations?.monitoredBy.count ?? 0 } }

    /// How many timers die with this process.
    var timerCount: Int { withCore { $0.relations?.timers.count(of: self) ?? 0 } }
}

extension ProcessCell {
    /// How many messages wait in the mailbox.
    var queueLength: Int {
        withCore { Int($0.accepted - popped.load(ordering: .acquiring)) }
    }

    /// Whether a sender has waited for so long that it gets any place that becomes free.
    var hasUrgentSender: Bool { withCore { $0.relations?.rare?.sendWaiters.isUrgent ?? false } }

    /// How many senders wait for room in the mailbox.
    var sendWaiterCount: Int { withCore { $0.relations?.rare?.sendWaiters.count ?? 0 } }
}

/// Waits as long as `condition` holds, for what nothing tells of.
///
/// It looks from a thread of its own: a loop that only yields would keep other tests away from the
/// few threads that they share.
func waitWhile(_ condition: @escaping @Sendable () -> Bool) async {
    if !condition() { return }
    await withCheckedContinuation { continuation in
        Platform.startThread(name: "test-wait") {
            while condition() { Platform.nap(nanoseconds: 50_000) }
            continuation.resume()
        }
    }
}

/// How many tests with a node run at a time. Swift Testing begins all at once, and each would have to
/// wait for its turn behind hundreds of others: longer than the deadlines that are tested.
final class TestSlots: Sendable {
    static let shared = TestSlots(count: 8)
    /// Has a thread for each test that runs, and some to spare: a test may block one until its body
    /// has been answered by another process, and must not wait for a test that does the same.
    static let scheduler = Scheduler.threads(10)

    private let state: Lock<(free: Int, waiting: [CheckedContinuation<Void, Never>])>

    init(count: Int) {
        state = Lock((count, []))
    }

    func acquire() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.free == 0 {
                    state.waiting.append(continuation)
                    return false
                }
                state.free -= 1
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    func release() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if !state.waiting.isEmpty { return state.waiting.removeFirst() }
            state.free += 1
            return nil
        }
        next?.resume()
    }
}
