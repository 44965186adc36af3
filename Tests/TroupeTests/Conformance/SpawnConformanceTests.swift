//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: spawning", .timeLimit(.minutes(4)))
struct SpawnConformanceTests {
    @Test("SPAWN-01 spawn returns the pid without waiting for the body")
    func returnsAtOnce() async throws {
        try await withNode { node in
            let gate = Gate()
            let blocking = try node.spawn(options: .init(ownThread: true)) { process in
                Self.block(gate)
                return process.pid
            }
            let parent = try node.spawn { process in
                try process.spawn { child in
                    await gate.wait()
                    return child.pid
                }
            }
            let child = try await parent.value
            #expect(node.isAlive(blocking.pid) && node.isAlive(child.pid))
            gate.open()
            #expect(try await blocking.value == blocking.pid)
            #expect(try await child.value == child.pid)
        }
    }

    private static func block(_ gate: Gate) { gate.waitBlocking() }

    @Test("SPAWN-02 arguments are evaluated by the spawner, before there is a child")
    func argumentsFirst() async throws {
        let log = Log<String>()
        let events = EventHandler(.spawned) { _ in log.append("spawned") }
        try await withNode(NodeOptions(events: events)) { node in
            func argument(_ shallThrow: Bool) throws -> Recorder.Argument {
                log.append("argument \(node.count)")
                if shallThrow { throw TestError(1) }
                return .init(log) { _ in log.append("init") }
            }
            _ = try node.spawn(Recorder.self, argument(false))
            #expect(log.elements == ["argument 0", "spawned", "init"])
            #expect(throws: TestError(1)) { _ = try node.spawn(Recorder.self, argument(true)) }
            #expect(node.count == 1)
        }
    }

    @Test("SPAWN-03 pids differ, share node and creation; after a restart the creation differs")
    func pids() async throws {
        let node = try Node(name: "again", options: .init(events: NoEvents()))
        let pids = try (0..<1000).map { _ in try node.idle().pid }
        #expect(Set(pids).count == 1000 && Set(pids.map(\.id)).count == 1000)
        #expect(pids.allSatisfy { $0.creation == node.creation && $0.node == "again" })
        await node.stop()
        let restarted = try Node(name: "again", options: .init(events: NoEvents()))
        let next = try (0..<1000).map { _ in try restarted.idle().pid }
        #expect(restarted.creation != node.creation)
        #expect(next.allSatisfy { $0.creation == restarted.creation && $0.node == "again" })
        #expect(Set(next).isDisjoint(with: pids))
        await restarted.stop()
    }

    @Test("SPAWN-05 a node has a limit of processes, and room again when some have ended")
    func limit() async throws {
        try await withNode(NodeOptions(events: NoEvents(), processCountMax: 3)) { node in
            let first = try (0..<3).map { _ in
                try node.spawn { process in _ = try await process.receive() }
            }
            for _ in 0..<2 {
                let error = #expect(throws: SpawnError.self) {
                    try node.spawn(options: .init(name: "n")) { _ in }
                }
                guard case .tooManyProcesses(3) = error else { throw TestError(1) }
            }
            #expect(throws: SpawnError.self) { _ = try node.spawn(Counter.self, 0) }
            #expect(node.count == 3 && node.whereis("n") == nil)
            try first[0].send("end")
            _ = try await first[0].exitReason
            let next = try node.spawn(options: .init(name: "n")) { _ in 1 }
            #expect(try await next.value == 1)
        }
    }

    @Test("SPAWN-06 the parent is the process that spawned, none for the node; it may be gone")
    func parent() async throws {
        try await withNode { node in
            let children = Log<ProcessRef<Pid?>>()
            let hasEnded = Gate()
            let parent = try node.spawn { process in
                for _ in 0..<2 {
                    children.append(
                        try process.spawn { child in
                            await hasEnded.wait()
                            return child.parent
                        })
                }
                let parents = Log<Pid?>()
                let record = Recorder.Argument(Log()) { parents.append($0.parent) }
                _ = try process.spawn(Recorder.self, record)
                _ = try process.spawnLinked(Recorder.self, record)
                _ = try process.spawnMonitored(Recorder.self, record)
                #expect(parents.elements == [process.pid, process.pid, process.pid])
                return process.parent
            }
            #expect(try await parent.value == nil)
            hasEnded.open()
            for child in children.elements { #expect(try await child.value == parent.pid) }
        }
    }

    @Test("SPAWN-07 the group leader is the option's, else the parent's, else none")
    func groupLeader() async throws {
        try await withNode { node in
            let (one, two) = (try node.idle().pid, try node.idle().pid)
            #expect(try await node.spawn { $0.groupLeader }.value == nil)
            let inGroup = try node.spawn(options: .init(groupLeader: one)) { process in
                let inherited = try process.spawn { child in
                    [child.groupLeader, try await child.spawn { $0.groupLeader }.value]
                }
                let other = try process.spawn(options: .init(groupLeader: two)) { $0.groupLeader }
                return [process.groupLeader] + (try await inherited.value)
                    + [try await other.value]
            }
            #expect(try await inGroup.value == [one, one, one, two])
        }
    }

    @Test("SPAWN-08 a child that is linked and monitored gives an EXIT and a DOWN, of one reason")
    func linkedAndMonitored() async throws {
        try await withNode { node in
            for reason in ExitReason.examples {
                let parent = try node.spawn(options: .trapping) { process in
                    // It ends at once: only what was there from the beginning sees the reason.
                    let (child, ref) = try process.spawnMonitored(linked: true) { _ in
                        throw reason
                    }
                    #expect(try await child.exitReason == reason)
                    var (exits, downs) = ([MessageExit](), [MessageDown]())
                    while let message = try await process.receive(timeout: .zero) {
                        if let exit = message as? MessageExit { exits.append(exit) }
                        if let down = message as? MessageDown { downs.append(down) }
                    }
                    #expect(exits == [MessageExit(from: child.pid, reason: reason)])
                    #expect(downs.map(\.ref) == [ref] && downs.map(\.reason) == [reason])
                    #expect(downs.map(\.object) == [.pid(child.pid)])
                    return true
                }
                #expect(try await parent.value)
            }
        }
    }

    @Test("SPAWN-17 processes of one type share what their argument refers to, and no state")
    func stateIsPrivate() async throws {
        final class Shared: Sendable { let log = Log<Int>() }
        struct Server: GenServer {
            enum Call: Sendable { case add }
            let shared: Shared
            var count = 0
            init(_ shared: Shared, process: ServerProcess) { self.shared = shared }
            mutating func handleCall(
                _ request: Call, from: From<Int>, process: ServerProcess
            ) -> CallResult<Int> {
                count += 1
                shared.log.append(count)
                return .reply(count)
            }
        }
        try await withNode { node in
            let shared = Shared()
            let (one, two) = (
                try node.spawn(Server.self, shared), try node.spawn(Server.self, shared)
            )
            #expect(try await one.call(.add) == 1)
            #expect(try await one.call(.add) == 2)
            #expect(try await two.call(.add) == 1)
            #expect(shared.log.elements == [1, 2, 1])
        }
    }

    @TaskLocal private static var local = "none"

    @Test("SPAWN-18 what a process keeps for its own task is not inherited by its children")
    func taskLocals() async throws {
        try await withNode { node in
            // So many that new tasks have to be made for some of them, by this process.
            let parent = try node.spawn { process in
                try await Self.$local.withValue("parent's") {
                    let children = try (0..<100).map { _ in
                        try process.spawn { child in
                            await Task.yield()
                            return Self.local
                        }
                    }
                    var seen: [String] = []
                    for child in children { seen.append(try await child.value) }
                    return [Self.local] + seen
                }
            }
            let seen = try await parent.value
            #expect(seen == ["parent's"] + Array(repeating: "none", count: 100))
        }
    }
}
