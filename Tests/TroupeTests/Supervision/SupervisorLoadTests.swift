//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Supervisor under load", .timeLimit(.minutes(4)))
struct SupervisorLoadTests {
    typealias Tree = ServerRef<Supervisor>

    @Test("10,000 children are started in order, and ended in reverse order")
    func many() async throws {
        try await withNode { node in
            let log = Log<Int>()
            let count = 10_000
            let tree = try await node.supervise(
                (0..<count).map { number in
                    .worker(
                        "\(number)", onInit: { _ in log.append(number) },
                        onEnd: { _ in log.append(-number) })
                })
            #expect(log.elements == Array(0..<count))
            #expect(try await tree.countChildren().active == count)
            try await tree.stop()
            #expect(log.elements.dropFirst(count).elementsEqual((0..<count).reversed().map { -$0 }))
            #expect(node.count == 0)
        }
    }

    @Test("the cost of a restart does not grow with the number of restarts")
    func storm() async throws {
        try await withNode { node in
            let starts = Count()
            let count = 10_000
            let tree = try await node.supervise(
                limit: RestartLimit(20_000, within: .seconds(100_000)),
                [.worker("c1") { _ in starts.add() }, .worker("c2")])
            var laps = [node.clock.now]
            for number in 1...count {
                try await node.end(tree.pid(of: "c1"))
                if number.isMultiple(of: 1000) { laps.append(node.clock.now) }
            }
            let times = zip(laps, laps.dropFirst()).map { $0.duration(to: $1) }
            // The machine may have other things to do during some of the laps.
            let (first, last) = (times.prefix(4).max(), times.suffix(4).min())
            #expect(try #require(last) < #require(first) * 2)
            #expect(try await tree.countChildren().active == 2)
            #expect(starts.value == count + 1)
        }
    }

    @Test(
        "nothing is lost when the mailbox is full while a restart is due, or due at once",
        arguments: [OverflowPolicy.reject, .dropNewest, .dropOldest], [true, false])
    func fullMailbox(_ overflow: OverflowPolicy, hasBackoff: Bool) async throws {
        try await withNode { node in
            let (log, attempts) = (Log<String>(), Count())
            let backoff = RestartBackoff(
                from: .milliseconds(5), upTo: .milliseconds(5), jitter: 0)
            let recovery = ChildRecovery(backoff: hasBackoff ? backoff : nil)
            let tree = try await node.spawn(
                Supervisor.self,
                SupervisorSpec(
                    limit: .plenty,
                    children: [
                        .worker("c1", log, recovery: recovery) { _ in
                            if (1...13).contains(attempts.add()) { throw TestError(1) }
                        }
                    ]), options: .init(mailbox: .init(capacity: 4, overflow: overflow)))
            let pid = try await tree.pid(of: "c1")
            if hasBackoff {
                try await node.end(pid)
                #expect(try await tree.status(of: "c1") == .restarting || attempts.value > 1)
            }
            // It is busy with a child of its own until the time has come and gone.
            let (begun, go) = (Gate(), Gate())
            async let added = tree.startChild(
                .startFunction("slow") { _ in
                    begun.open()
                    await go.wait()
                    throw IgnoreStart()
                })
            await begun.wait()
            if !hasBackoff { try await node.end(pid) }
            for _ in 0..<8 { try? tree.send("junk") }
            let later = node.clock.now.advanced(by: .milliseconds(hasBackoff ? 20 : 0))
            try await node.clock.sleep(until: later)
            go.open()
            _ = try await added
            // Nobody asks for anything any more.
            _ = await log.wait(for: 3)
            #expect(log.elements == ["+c1", "-c1 crash", "+c1"])
            #expect(attempts.value == 15)
        }
    }

    @Test("an exit signal does not need room in the mailbox")
    func exitWithFullMailbox() async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.spawn(
                Supervisor.self, SupervisorSpec(limit: .plenty, children: [.worker("c1", log)]),
                options: .init(mailbox: .init(capacity: 1)))
            let pid = try await tree.pid(of: "c1")
            try await tree.suspend()
            while (try? tree.send("junk")) != nil {}
            try await node.end(pid)
            try await tree.resume()
            _ = await log.wait(for: 3)
            #expect(log.elements == ["+c1", "-c1 crash", "+c1"])
        }
    }

    @Test("many tasks ask for everything at once, while children die")
    func concurrent() async throws {
        try await withNode { node in
            let tree = try await node.supervise(
                .restForOne, limit: RestartLimit(.max, within: .seconds(1)),
                (0..<4).map { .worker("fixed \($0)") })
            await withTaskGroup(of: Void.self) { group in
                for task in 0..<8 {
                    group.addTask {
                        var random = SeededGenerator(seed: UInt64(task))
                        for _ in 0..<100 {
                            let id = "c\(Int.random(in: 0..<6, using: &random))"
                            switch Int.random(in: 0..<7, using: &random) {
                            case 0: _ = try? await tree.startChild(.worker(id))
                            case 1: try? await tree.terminateChild(id)
                            case 2: _ = try? await tree.restartChild(id)
                            case 3: try? await tree.deleteChild(id)
                            case 4:
                                if let pid = try? await tree.whichChild(id).pid { node.kill(pid) }
                            case 5:
                                if let pid = try? await tree.whichChild("fixed 1").pid {
                                    node.kill(pid)
                                }
                            default: _ = try? await tree.whichChildren()
                            }
                        }
                    }
                }
            }
            // Whatever has happened, once the last kill has taken effect each child that is said to
            // run is one process, and there is no other.
            var children = try await tree.whichChildren()
            func isAtRest() -> Bool {
                let running = children.compactMap(\.pid)
                return running.allSatisfy(node.isAlive) && node.count == running.count + 1
                    && Set(running).count == running.count
            }
            while !isAtRest() {
                await Task.yield()
                children = try await tree.whichChildren()
            }
            #expect(Set(children.compactMap(\.id)).count == children.count)
            #expect(children.suffix(4).map(\.id) == (0..<4).reversed().map { "fixed \($0)" })
            try await tree.stop()
            #expect(node.count == 0)
        }
    }

    @Test("a supervisor that is killed in the middle of whatever it does leaves nobody behind")
    func killedInTheMiddle() async throws {
        try await withNode { node in
            for round in 0..<100 {
                let tree = try await node.supervise(
                    .oneForAll, limit: RestartLimit(.max, within: .seconds(1)),
                    (0..<5).map { number in
                        ChildSpec(Waiter.self, .init(), id: "c\(number)")
                    })
                let victim = try await tree.pid(of: "c\(round % 5)")
                node.kill(victim)
                for _ in 0..<(round % 7) { await Task.yield() }
                node.kill(tree.pid)
                #expect(try await tree.exitReason == .killed)
                await waitWhile { node.count > 0 }
            }
        }
    }

    @Test("a supervisor that is stopped in the middle of a restart ends everybody in order")
    func stoppedInTheMiddle() async throws {
        try await withNode { node in
            for round in 0..<100 {
                let tree = try await node.supervise(
                    .oneForAll, (0..<5).map { ChildSpec(Waiter.self, .init(), id: "c\($0)") })
                node.kill(try await tree.pid(of: "c\(round % 5)"))
                for _ in 0..<(round % 7) { await Task.yield() }
                try await tree.stop(.shutdown)
                #expect(node.processes == [])
            }
        }
    }
}
