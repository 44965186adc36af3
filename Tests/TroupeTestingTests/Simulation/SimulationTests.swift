//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("Simulation")
struct SimulationTests {
    @Test("five minutes of timers take no time")
    func time() async throws {
        let clock = ContinuousClock()
        let begin = clock.now
        let passed = try await withSimulation(seed: 1) { simulation in
            let node = try simulation.node()
            let ticks = try node.spawn { process in
                try process.send("tick", to: .pid(process.pid), every: .seconds(1))
                for _ in 0..<300 { _ = try await process.receive() }
            }
            try await ticks.value
            return simulation.now
        }
        #expect(passed == .seconds(300))
        #expect(clock.now - begin < .seconds(60))
    }

    @Test("the clock stands still while anything can happen, and shows the deadline of a timer")
    func clock() async throws {
        try await withSimulation { simulation in
            let node = try simulation.node()
            let begin = node.clock.now
            let tally = try node.spawn(Tally.self, 0)
            for _ in 0..<100 { try tally.cast(.add(1)) }
            #expect(try await tally.call(.count) == 100)
            #expect(simulation.now == .zero)
            try await simulation.sleep(for: .nanoseconds(1_234_567))
            #expect(simulation.now == .nanoseconds(1_234_567))
            try await node.clock.sleep(for: .seconds(1))
            #expect(node.clock.now == begin.advanced(by: .nanoseconds(1_001_234_567)))
        }
    }

    @Test("a sleep for ever is a deadlock, and no arithmetic fails")
    func forEver() async throws {
        let failure = await failure { simulation in
            try await simulation.sleep(for: .seconds(Int64.max))
        }
        guard case .deadlock? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test("a handler that waits for the clock in a loop is not caught for ever")
    func busyLoop() async throws {
        try await withSimulation { simulation in
            let node = try simulation.node()
            let end = node.clock.now.advanced(by: .milliseconds(50))
            while node.clock.now < end {}
        }
    }

    @Test("a call times out at its moment")
    func callTimeout() async throws {
        try await withSimulation { simulation in
            let node = try simulation.node()
            let worker = try await node.spawn(Worker.self)
            await #expect(throws: CallError.timeout(worker.pid)) {
                try await worker.call(
                    { process in
                        try await process.sleep(for: .seconds(10))
                        return 1
                    }, timeout: .seconds(2))
            }
            #expect(simulation.now == .seconds(2))
        }
    }

    @Test("settle lets everything happen that needs no time")
    func settle() async throws {
        try await withSimulation(options: .init(strategy: .roundRobin)) { simulation in
            let node = try simulation.node()
            let tally = try node.spawn(Tally.self, 0)
            for _ in 0..<10 { try tally.cast(.add(1)) }
            try node.send("later", to: .pid(tally.pid), after: .seconds(1))
            await simulation.settle()
            #expect(node.info(tally.pid)?.mailboxCount == 0)
            #expect(node.info(tally.pid)?.messagesHandled == 10)
            #expect(simulation.now == .zero)
        }
    }

    @Test("servers, supervisors, tasks, agents and groups run as they do on threads")
    func everything() async throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            try await withSimulation(seed: seed) { simulation in
                try await world(try simulation.node("a"), simulation)
            }
        }
    }

    @Test("processes of several nodes are part of one simulation")
    func nodes() async throws {
        try await withSimulation { simulation in
            let nodes = try ["a", "b", "a"].map { try simulation.node($0) }
            let tallies = try nodes.map { try $0.spawn(Tally.self, 1) }
            for tally in tallies { #expect(try await tally.call(.count) == 1) }
            #expect(Set(nodes.map(\.creation)).count == 3)
        }
    }

    @Test("what the body throws comes out, and what it returns")
    func results() async throws {
        struct Mine: Error {}
        #expect(try await withSimulation { _ in 42 } == 42)
        let failure = await failure { _ in throw Mine() }
        guard case .thrown(let error)? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(error is Mine)
    }

    @Test("expectations that are not met are reported once, by the failure")
    func expectations() async throws {
        let failure = await failure { simulation in
            let tally = try simulation.node().spawn(Tally.self, 1)
            #expect(try await tally.call(.count) == 2)
        }
        guard case .issues(let issues)? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(issues.count == 1)
        #expect(issues[0].contains("== 2"))
    }

    @Test("an invariant is looked at after every step")
    func invariant() async throws {
        let failure = await failure { simulation in
            let node = try simulation.node()
            simulation.invariant("at most three processes") { node.count <= 3 }
            for _ in 0..<5 {
                try node.spawn { process in _ = try await process.receive() }
                await Task.yield()
            }
        }
        guard case .invariant("at most three processes")? = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test("every seed has random numbers of its own, and always the same")
    func random() async throws {
        func numbers(_ seed: UInt64) async throws -> [Int] {
            try await withSimulation(seed: seed) { simulation in
                (0..<20).map { _ in simulation.random(in: 10..<1_000) }
            }
        }
        let first = try await numbers(1)
        #expect(first.allSatisfy { (10..<1_000).contains($0) })
        #expect(try await numbers(1) == first)
        #expect(try await numbers(2) != first)
    }

    @Test("a call that blocks the thread is refused, not waited for")
    func blocking() async throws {
        try await withSimulation { simulation in
            let tally = try simulation.node().spawn(Tally.self, 1)
            func block() throws { _ = try tally.directBlocking(.count) }
            #expect(throws: CallError.wouldBlockScheduler(tally.pid)) { try block() }
        }
    }

    @Test("inits nest as deep as one likes")
    func nesting() async throws {
        struct Nested: GenServer {
            init(_ depth: Int, process: ServerProcess) throws {
                if depth > 0 { _ = try process.spawnLinked(Nested.self, depth - 1) }
            }
        }
        try await withSimulation { simulation in
            let node = try simulation.node()
            let outermost = try node.spawn(Nested.self, 500)
            #expect(node.count == 501)
            node.exit(outermost.pid, .shutdown)
            await simulation.settle()
            #expect(node.count == 0)
        }
    }
}

/// A bit of everything that the library has.
func world(_ node: Node, _ simulation: Simulation) async throws {
    let supervisor = try await node.spawn(
        Supervisor.self,
        SupervisorSpec(strategy: .oneForAll, limit: RestartLimit(5, within: .seconds(5))) {
            ChildSpec(Tally.self, 1, name: "one")
            ChildSpec(Tally.self, 2, name: "two")
        })
    let one = try #require(node.whereis("one", as: Tally.self))
    try one.cast(.fail)
    try await simulation.sleep(for: .seconds(1))
    let again = try #require(node.whereis("one", as: Tally.self))
    #expect(again != one)
    #expect(try await again.call(.count) == 1)

    let tasks = try node.spawn { process in
        let tasks = try (1...5).map { number in
            try process.async { process in
                try await process.sleep(for: .milliseconds(10 * number))
                return number
            }
        }
        var sum = 0
        for task in tasks { sum += try await task.value() }
        return sum
    }
    #expect(try await tasks.value == 15)

    let agent = try await node.spawn(Worker.self)
    async let left = agent.call { _ in 1 }
    async let right = agent.call { process in
        try await process.sleep(for: .milliseconds(1))
        return 2
    }
    #expect(try await left + right == 3)

    let watcher = try node.spawn { process in
        process.setTrapsExits(true)
        let child = try process.spawnLinked { process in _ = try await process.receive() }
        _ = process.monitor(child.pid)
        process.exit(child.pid, .kill)
        var seen: [String] = []
        for _ in 0..<2 {
            switch try await process.receive() {
            case let down as MessageDown: seen.append("down \(down.reason)")
            case let exit as MessageExit: seen.append("exit \(exit.reason)")
            default: break
            }
        }
        return seen.sorted()
    }
    #expect(try await watcher.value == ["down killed", "exit killed"])
    try await supervisor.stop()

    try await applicationAndEvents(node, simulation)
}

private struct Shop: Application {
    let spec = ApplicationSpec(name: "shop")

    mutating func start(process: ApplicationContext) async throws -> Pid {
        let tree = SupervisorSpec { ChildSpec(Tally.self, 1, name: "stock") }
        return try await process.spawnLinked(Supervisor.self, tree).pid
    }
}

private func applicationAndEvents(_ node: Node, _ simulation: Simulation) async throws {
    try await node.applications.load(Shop())
    try await node.applications.start("shop")
    let stock = try #require(node.whereis("stock", as: Tally.self))
    #expect(node.applications.application(of: stock.pid) == "shop")

    let event = try node.registerEvent("price", of: Int.self)
    let scope = GroupScope<String>(on: node)
    let readers = try (0..<4).map { _ in
        try node.spawn { process in
            try process.subscribe(to: "price", of: Int.self)
            try scope.join("readers", process.pid)
            let message = try await process.receive()
            return "\(message)".isEmpty ? 0 : 1
        }
    }
    while scope.members(of: "readers").count < 4 { await simulation.settle() }
    #expect(try event.publish(42) == 4)
    for reader in readers { #expect(try await reader.value == 1) }
    #expect(scope.members(of: "readers").isEmpty)
    try await node.applications.stop("shop")
}
