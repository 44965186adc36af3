//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Troupe

/// Makes a node for a test, and stops it whatever happens.
///
/// ```swift
/// @Test func counts() async throws {
///     try await withNode { node in
///         let counter = try node.spawn(Counter.self, 40)
///         …
///     }
/// }
/// ```
///
/// A test that is simulated makes its node with
/// ``Simulation/node(_:environment:processCountMax:events:)`` instead.
///
/// - Parameters:
///   - name: of the node.
///   - options: of the node. Events go to standard error unless they name another sink.
///   - clock: the clock of the node, in the place of the scheduler of the options: then the node
///     has two threads of its own, which end with it. While the node is stopped the clock runs by
///     itself, so that grace periods pass. Nil for the options' scheduler.
///   - grace: see `Node.stop(grace:)`.
///   - body: the test.
/// - Returns: what the body returns.
/// - Throws: what the body throws; else ``NodeLeak`` when something of the node is left after it
///   was stopped; `NodeError` when it cannot be made.
public func withNode<Result>(
    _ name: String = "test", options: NodeOptions = NodeOptions(), clock: VirtualClock? = nil,
    grace: Duration = .seconds(5), _ body: (Node) async throws -> Result
) async throws -> Result {
    let watcher = LeakWatcher(options.events)
    var options = options
    options.events = watcher
    if let clock { options.scheduler = clock.scheduler(threads: 2) }
    defer { if clock != nil { options.scheduler.shutDown() } }
    let node = try Node(name: name, options: options)
    let result: Result
    do {
        result = try await body(node)
    } catch {
        await stop(node, grace)
        throw error
    }
    await stop(node, grace)
    if let leak = watcher.leak(of: node) { throw leak }
    return result
}

/// Something of a node is left after it was stopped.
public struct NodeLeak: Error, Sendable, Hashable {
    /// The name of the node.
    public let node: String
    /// Processes that did not end, not even by a kill, because a callback does not return:
    /// behaviour and pid.
    public let processes: [String]
    /// Names that are registered.
    public let names: [String]
    /// How many aliases are active.
    public let aliasCount: Int
}

extension NodeLeak: CustomStringConvertible {
    /// What is left, one by one.
    public var description: String {
        var parts = processes.map { "\($0), which does not end" } + names.map { "name \"\($0)\"" }
        if aliasCount > 0 { parts.append("\(aliasCount) aliases") }
        return "left when node \"\(node)\" had stopped: " + parts.joined(separator: "; ")
    }
}

/// Stops the node; lets its clock run meanwhile if that is a virtual one.
private func stop(_ node: Node, _ grace: Duration) async {
    guard let time = node.scheduler.virtualTime else { return await node.stop(grace: grace) }
    let stopping = Task { await node.stop(grace: grace) }
    while !node.isStopping { await Task.yield() }
    while !node.hasStopped {
        // A callback that does not return must not keep the grace period from passing.
        _ = await time.settle(upTo: .milliseconds(100))
        if node.count > 0, let next = time.nextDeadline {
            time.advance(to: next)
        } else {
            await Task.yield()
        }
    }
    await stopping.value
}

/// Notes which processes a node leaves behind.
private final class LeakWatcher: EventSink {
    let kinds: EventKind
    private let sink: any EventSink
    private let wanted: EventKind
    private let abandoned = Lock<[String]>([])

    init(_ sink: any EventSink) {
        self.sink = sink
        self.wanted = sink.kinds
        self.kinds = wanted.union(.abandonedAtStop)
    }

    func receive(_ event: Event) {
        if case .abandonedAtStop(let pid, let behaviour) = event {
            abandoned.withLock { $0.append("\(behaviour)\(pid)") }
        }
        if wanted.contains(event.kind) { sink.receive(event) }
    }

    func leak(of node: Node) -> NodeLeak? {
        let processes = abandoned.withLock { $0 } + node.processes.map(\.description)
        let names = node.registered.map(\.name)
        if processes.isEmpty, names.isEmpty, node.aliasCount == 0 { return nil }
        return NodeLeak(
            node: node.name, processes: processes, names: names, aliasCount: node.aliasCount)
    }
}
