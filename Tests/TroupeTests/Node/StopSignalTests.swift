//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Synchronization
import Testing

@testable import Troupe

/// How often the handler of this program was called; what a handler may touch.
private let ownCalls = Atomic<Int>(0)

/// Signals are real here: this program sends them to itself. While a test runs the program has a
/// handler of its own, so that none of them can end it.
@Suite("Nodes that stop on signals", .serialized, .timeLimit(.minutes(4)))
struct StopSignalTests {
    private static let numbers: [StopSignal: Int32] = [.terminate: SIGTERM, .interrupt: SIGINT]

    /// Runs `body` with handlers of the program, and checks that they work again afterwards.
    private func withOwnHandlers(_ body: () async throws -> Void) async throws {
        // Made before a handler uses it.
        _ = ownCalls.load(ordering: .relaxed)
        let handler: @convention(c) (Int32) -> Void = { _ in
            ownCalls.add(1, ordering: .sequentiallyConsistent)
        }
        let old = Self.numbers.values.map { ($0, signal($0, handler)) }
        ownCalls.store(0, ordering: .sequentiallyConsistent)
        try await body()
        #expect(ownCalls.load(ordering: .sequentiallyConsistent) == 0)
        await waitWhile { SignalListener.shared.hasThread }
        #expect(SignalListener.shared.count == 0)
        for (index, number) in Self.numbers.values.enumerated() {
            kill(getpid(), number)
            await waitWhile { ownCalls.load(ordering: .sequentiallyConsistent) <= index }
        }
        #expect(ownCalls.load(ordering: .sequentiallyConsistent) == Self.numbers.count)
        for (number, handler) in old { _ = signal(number, handler) }
    }

    private func raise(_ signal: StopSignal) {
        if let number = Self.numbers[signal] { kill(getpid(), number) }
    }

    private func waitForListeners(_ count: Int) async {
        await waitWhile { SignalListener.shared.count != count }
    }

    private struct SlowToEnd: AsyncGenServer {
        init(_: Void, process: ServerProcess) async throws {}
        mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
            try await process.sleep(for: .seconds(1000))
        }
    }

    @Test("the first signal stops the node in order", arguments: StopSignal.allCases)
    func first(_ signal: StopSignal) async throws {
        try await withOwnHandlers {
            let node = try Node(name: "signals", options: .init(events: NoEvents()))
            let log = Log<String>()
            _ = try node.spawn(Recorder.self, .init(log))
            let running = Task { try await node.run(stoppingOn: [.terminate, .interrupt]) }
            await waitForListeners(1)
            #expect(!node.isStopping && SignalListener.shared.hasThread)
            raise(signal)
            try await running.value
            #expect(node.hasStopped && node.count == 0)
            #expect(log.elements == ["terminate shutdown"])
        }
    }

    @Test("the second signal ends the stop at once: what can be killed is, the rest is left")
    func second() async throws {
        try await withOwnHandlers {
            let events = Log<Event>()
            let scheduler = Scheduler.threads(1)
            let node = try Node(
                name: "signals",
                options: .init(
                    events: EventHandler([.killedAtStop, .abandonedAtStop]) { events.append($0) },
                    scheduler: scheduler))
            let slow = try await node.spawn(SlowToEnd.self)
            let stuck = try node.spawn(
                Counter.self, 1, options: .init(name: "stuck", ownThread: true))
            let (gate, started) = (Gate(), Gate())
            try stuck.cast(.block(gate, started: started))
            await started.wait()
            let running = Task {
                try await node.run(
                    stoppingOn: [.terminate, .interrupt], grace: .seconds(100_000))
            }
            await waitForListeners(1)
            raise(.terminate)
            await waitWhile { !node.isStopping }
            #expect(!node.hasStopped)
            raise(.interrupt)
            try await running.value
            #expect(node.hasStopped && node.processes.isEmpty && node.registered.isEmpty)
            var seen: Set<String> = []
            for event in events.elements {
                switch event {
                case .killedAtStop(let pid, _): seen.insert("killed \(pid)")
                case .abandonedAtStop(let pid, _): seen.insert("abandoned \(pid)")
                default: seen.insert("?")
                }
            }
            #expect(
                seen.isSuperset(of: [
                    "killed \(slow.pid)", "killed \(stuck.pid)", "abandoned \(stuck.pid)",
                ]))
            gate.open()
            scheduler.shutDown()
        }
    }

    @Test("a second signal also hurries a stop that somebody else has begun")
    func othersStop() async throws {
        try await withOwnHandlers {
            let node = try Node(name: "signals", options: .init(events: NoEvents()))
            _ = try await node.spawn(SlowToEnd.self)
            let running = Task { try await node.run(stoppingOn: [.terminate]) }
            await waitForListeners(1)
            let stopping = Task { await node.stop(grace: .seconds(100_000)) }
            await waitWhile { !node.isStopping }
            raise(.terminate)
            await waitWhile { node.state.withLock { $0.waiters.count } < 2 }
            raise(.terminate)
            try await running.value
            await stopping.value
            #expect(node.hasStopped && node.processes.isEmpty)
            // On a busy machine it may have been left behind, and ends a little later.
            await waitWhile { node.count > 0 }
        }
    }

    @Test("every node is told, and one that stops by itself does not keep the others from it")
    func severalNodes() async throws {
        try await withOwnHandlers {
            let nodes = try (0..<4).map {
                try Node(name: "node \($0)", options: .init(events: NoEvents()))
            }
            let running = nodes.map { node in
                Task { try await node.run(stoppingOn: [.terminate, .interrupt]) }
            }
            await waitForListeners(4)
            await nodes[0].stop()
            try await running[0].value
            await waitForListeners(3)
            #expect(!nodes[1].isStopping)
            raise(.interrupt)
            for run in running { try await run.value }
            for node in nodes { #expect(node.hasStopped) }
        }
    }

    @Test("a signal that comes before the run, or is not one of its, does nothing to the node")
    func others() async throws {
        let node = try Node(name: "signals", options: .init(events: NoEvents()))
        try await withOwnHandlers {
            let other = try Node(name: "other", options: .init(events: NoEvents()))
            let runningOther = Task { try await other.run(stoppingOn: [.interrupt]) }
            await waitForListeners(1)
            raise(.interrupt)
            try await runningOther.value
            let running = Task { try await node.run(stoppingOn: [.terminate]) }
            await waitForListeners(1)
            #expect(!node.isStopping)
            raise(.terminate)
            try await running.value
            #expect(node.hasStopped)
        }
    }

    @Test(
        "cancellation stops the node; a stopped node returns at once; without signals it is run()")
    func ends() async throws {
        try await withOwnHandlers {
            let node = try Node(name: "signals", options: .init(events: NoEvents()))
            let process = try node.spawn { process in _ = try await process.receive() }
            let running = Task { try await node.run(stoppingOn: [.terminate, .interrupt]) }
            await waitForListeners(1)
            running.cancel()
            try await running.value
            #expect(try await process.exitReason == .shutdown)
            try await node.run(stoppingOn: [.terminate])
            let other = try Node(name: "other", options: .init(events: NoEvents()))
            let runningOther = Task { try await other.run(stoppingOn: []) }
            await waitForListeners(1)
            await other.stop()
            try await runningOther.value
        }
    }

    private static let laterCalls = Atomic<Int>(0)

    @Test("a handler that the program sets meanwhile stays")
    func replacedHandler() async throws {
        try await withOwnHandlers {
            _ = Self.laterCalls.load(ordering: .relaxed)
            let node = try Node(name: "signals", options: .init(events: NoEvents()))
            let running = Task { try await node.run(stoppingOn: [.terminate, .interrupt]) }
            await waitForListeners(1)
            let before = signal(SIGINT) { _ in
                StopSignalTests.laterCalls.add(1, ordering: .sequentiallyConsistent)
            }
            raise(.terminate)
            try await running.value
            raise(.interrupt)
            await waitWhile { Self.laterCalls.load(ordering: .sequentiallyConsistent) == 0 }
            #expect(before != nil)
            // For the check that follows.
            _ = signal(SIGINT) { _ in ownCalls.add(1, ordering: .sequentiallyConsistent) }
        }
    }

    @Test("50 runs one after the other, each stopped by a signal")
    func manyRuns() async throws {
        try await withOwnHandlers {
            for round in 0..<50 {
                let node = try Node(name: "signals", options: .init(events: NoEvents()))
                let running = Task { try await node.run(stoppingOn: [.terminate]) }
                await waitForListeners(1)
                #expect(!node.isStopping, "round \(round)")
                raise(.terminate)
                try await running.value
            }
        }
    }
}
