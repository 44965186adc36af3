//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Nodes: start, stop, options", .timeLimit(.minutes(4)))
struct NodeTests {
    @Test("bad names and creations are errors")
    func badInput() {
        #expect(throws: NodeError.nameInvalid("")) { _ = try Node(name: "") }
        let long = String(repeating: "x", count: 256)
        #expect(throws: NodeError.nameInvalid(long)) { _ = try Node(name: long) }
        #expect(throws: NodeError.creationInvalid(0)) {
            _ = try Node(name: "n", options: .init(creation: 0))
        }
    }

    @Test(
        "stop is bounded: what does not end is killed, what cannot be killed is left and reported")
    func boundedStop() async throws {
        let events = Log<Event>()
        let scheduler = Scheduler.threads(1)
        let node = try Node(
            name: "bounded",
            options: .init(
                events: EventHandler([.killedAtStop, .abandonedAtStop]) { events.append($0) },
                scheduler: scheduler))
        let gate = Gate()
        // This one ends when it is killed, as its terminate waits in an operation of ours.
        let slow = try await node.spawn(SlowToEnd.self)
        let stuck = try node.spawn(Counter.self, 1, options: .init(name: "stuck", ownThread: true))
        let started = Gate()
        try stuck.cast(.block(gate, started: started))
        await started.wait()
        await node.stop(grace: .seconds(1))
        #expect(node.registered.isEmpty && node.processes.isEmpty)
        let kinds = events.elements.map { event -> String in
            switch event {
            case .killedAtStop(let pid, _): "killed \(pid)"
            case .abandonedAtStop(let pid, _): "abandoned \(pid)"
            default: "?"
            }
        }
        #expect(
            Set(kinds)
                == ["killed \(slow.pid)", "killed \(stuck.pid)", "abandoned \(stuck.pid)"])
        gate.open()
        scheduler.shutDown()
    }

    private struct SlowToEnd: AsyncGenServer {
        init(_: Void, process: ServerProcess) async throws {}
        mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
            try await process.sleep(for: .seconds(1000))
        }
    }

    @Test("run returns when the node has stopped, and stops it when it is cancelled")
    func run() async throws {
        let one = try Node(name: "one")
        let running = Task { try await one.run() }
        let process = try one.spawn { process in while true { _ = try await process.receive() } }
        running.cancel()
        try await running.value
        #expect(try await process.exitReason == .shutdown)
        let two = try Node(name: "two")
        let other = Task { try await two.run() }
        await two.stop()
        try await other.value
    }

    @Test("several nodes in one program are strangers to each other")
    func strangers() async throws {
        let (one, two) = (try Node(name: "a-node"), try Node(name: "b-node"))
        let process = try one.spawn(options: .init(name: "x")) { process in
            _ = try await process.receive()
        }
        #expect(two.whereis("x") == nil)
        let error = #expect(throws: SendError<Int>.self) { try two.send(1, to: process.pid) }
        #expect(error?.failure == .noConnection(node: "a-node"))
        // A typed reference goes straight to the object, whoever uses it.
        try process.send(1)
        #expect(try await process.exitReason == .normal)
        await one.stop()
        await two.stop()
    }

    @Test("no process object is left after a node of 10,000 processes has stopped")
    func leaks() async throws {
        final class Probe: Sendable {}
        struct Holder: GenServer {
            let probe: Probe
            init(_ probe: Probe, process: ServerProcess) { self.probe = probe }
            mutating func handleCast(_ message: Pid, process: ServerProcess) throws {
                try process.link(to: message)
                _ = process.monitor(message)
                _ = process.makeAlias()
                try process.send("later", after: .seconds(1000))
                try process.send("now", to: message)
            }
            mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {}
        }
        struct Weak: @unchecked Sendable { weak var object: AnyObject? }
        var objects: [Weak] = []
        weak var weakNode: Node?
        do {
            let node = try Node(name: "leaks", options: .init(events: NoEvents()))
            weakNode = node
            var servers: [ServerRef<Holder>] = []
            for number in 0..<5000 {
                let probe = Probe()
                let server = try node.spawn(
                    Holder.self, probe, options: .init(name: "holder \(number)"))
                if let last = servers.last { try server.cast(last.pid) }
                servers.append(server)
                objects += [Weak(object: probe), Weak(object: server.cell)]
                let closure = try node.spawn { process in _ = try await process.receive() }
                objects.append(Weak(object: closure.cell))
            }
            #expect(node.count == 10_000)
            await node.stop()
        }
        // The last worker may still be on its way out of the last step.
        while !objects.isEmpty || weakNode != nil {
            objects.removeAll { $0.object == nil }
            await Task.yield()
        }
    }
}
