//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: agents", .timeLimit(.minutes(4)))
struct AgentConformanceTests {
    @Test("AGT-01 an agent starts with what its function makes; if that throws, it does not start")
    func start() async throws {
        try await withNode { node in
            let report = try await node.runOwner { process in
                let agent = try process.spawnLinked(Agent<[Int]>.self, { [1, 2] })
                #expect(process.links == [agent.pid])
                let state = try await agent.get { $0 }
                #expect(throws: SpawnError.initFailed(.error(TestError(1)))) {
                    try process.spawnLinked(Agent<Int>.self, { throw TestError(1) })
                }
                #expect(process.links == [agent.pid])
                try await agent.stop()
                return state
            }
            #expect(report.value == [1, 2])
            #expect(report.isClean)
            // Linked as a server is: its failure ends who has started it.
            let linked = try node.spawn { process in
                let agent = try process.spawnLinked(Agent<Int>.self, { 0 })
                try agent.cast { _ in throw TestError(2) }
                while true { _ = try await process.receive() }
            }
            #expect(try await linked.exitReason == .error(TestError(2)))
        }
    }

    @Test("AGT-02 functions run in the agent, one at a time, in the order in which they arrive")
    func operations() async throws {
        try await withNode { node in
            let agent = try node.spawn(Agent<[Int]>.self, { [] })
            try await agent.update { $0.append(1) }
            let old = try await agent.getAndUpdate { state in
                defer { state.append(2) }
                return state
            }
            #expect(old == [1])
            #expect(try await agent.get { $0 } == [1, 2])
            // Each change is made on what the one before has left.
            try await agent.update { $0 = [0] }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<100 { try await agent.update { $0[0] += 1 } }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await agent.get { $0 } == [800])
            // While it is held up, they wait in order.
            let (begun, go) = (Gate(), Gate())
            let held = try node.spawn(Agent<[Int]>.self, { [] }, options: .init(ownThread: true))
            try held.cast { _ in
                begun.open()
                go.waitBlocking()
            }
            await begun.wait()
            for number in 0..<50 { try held.cast { $0.append(number) } }
            go.open()
            #expect(try await held.get { $0 } == Array(0..<50))
        }
    }

    @Test("AGT-03 a cast returns at once, and is done before later calls of the same sender")
    func cast() async throws {
        try await withNode { node in
            let (begun, go) = (Gate(), Gate())
            let agent = try node.spawn(Agent<Int>.self, { 0 }, options: .init(ownThread: true))
            try agent.cast { _ in
                begun.open()
                go.waitBlocking()
            }
            await begun.wait()
            // It is busy, and this does not wait.
            try agent.cast { $0 += 3 }
            go.open()
            #expect(try await agent.get { $0 } == 3)
            for number in 0..<200 {
                try agent.cast { $0 = number }
                #expect(try await agent.getAndUpdate { $0 } == number)
            }
        }
    }

    @Test("AGT-04 a name that an agent holds cannot be taken by a second one")
    func name() async throws {
        try await withNode { node in
            let agent = try node.spawn(Agent<Int>.self, { 4 }, options: .init(name: "agent"))
            #expect(throws: SpawnError.nameTaken("agent", by: agent.pid)) {
                try node.spawn(Agent<Int>.self, { 5 }, options: .init(name: "agent"))
            }
            let found = try #require(node.whereis("agent", as: Agent<Int>.self))
            #expect(try await found.get { $0 } == 4)
            #expect(node.whereis("agent", as: Agent<String>.self) == nil)
        }
    }

    @Test("AGT-05 a stopped agent is dead and its name is free")
    func stop() async throws {
        try await withNode { node in
            for reason in [ExitReason.normal, .custom("enough")] {
                let agent = try node.spawn(Agent<Int>.self, { 5 }, options: .init(name: "agent"))
                try await agent.stop(reason)
                #expect(!node.isAlive(agent.pid) && node.whereis("agent") == nil)
                #expect(try await agent.exitReason == reason)
                await #expect(throws: CallError.noProcess(agent.pid)) {
                    try await agent.get { $0 }
                }
            }
        }
    }

    @Test("AGT-07 a function that throws ends the agent with the error, and the caller is told")
    func failure() async throws {
        try await withNode { node in
            let reason = ExitReason.error(TestError(7))
            for isHeld in [false, true] {
                for operation in 0..<3 {
                    // With a thread of its own nothing runs on the thread of the caller.
                    let agent = try node.spawn(
                        Agent<Int>.self, { 0 }, options: .init(ownThread: isHeld))
                    await #expect(throws: CallError.exited(reason)) {
                        switch operation {
                        case 0: _ = try await agent.get { _ -> Int in throw TestError(7) }
                        case 1: try await agent.update { _ in throw TestError(7) }
                        default: _ = try await agent.getAndUpdate { _ -> Int in throw TestError(7) }
                        }
                    }
                    #expect(try await agent.exitReason == reason)
                }
            }
            // A caller that lets it pass ends with it.
            let careless = try node.spawn { process in
                let agent = try process.spawn(Agent<Int>.self, { 0 })
                _ = try await agent.get { _ -> Int in throw TestError(7) }
            }
            #expect(try await careless.exitReason == .error(CallError.exited(reason)))
        }
    }

    @Test("AGT-08 a function that takes too long: the caller gives up, the change is made")
    func timeout() async throws {
        try await withNode { node in
            let (begun, go) = (Gate(), Gate())
            let agent = try node.spawn(Agent<Int>.self, { 0 }, options: .init(ownThread: true))
            try agent.cast { _ in
                begun.open()
                go.waitBlocking()
            }
            await begun.wait()
            await #expect(throws: CallError.timeout(agent.pid)) {
                try await agent.update(timeout: .milliseconds(1)) { $0 = 8 }
            }
            go.open()
            #expect(try await agent.get { $0 } == 8)
        }
    }
}
