//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Supervisor: children that hang", .timeLimit(.minutes(4)))
struct SupervisorHangTests {
    typealias Tree = ServerRef<Supervisor>

    /// An asynchronous child whose `init` does not return by itself.
    private static func hangingInit(
        _ id: String, begun: Gate, startTimeout: Duration? = nil, isOnRestart: Bool = false
    ) -> ChildSpec {
        let starts = Count()
        return ChildSpec(
            Waiter.self,
            Waiter.Argument(onInit: { process in
                if isOnRestart, starts.add() == 0 { return }
                begun.open()
                try await process.sleep(for: .seconds(100_000))
            }), id: id, options: ProcessOptions(startTimeout: startTimeout))
    }

    @Test("a child whose init hangs is given up after its start timeout")
    func startTimeout() async throws {
        try await withNode { node in
            let log = Log<String>()
            let limit = Duration.milliseconds(5)
            let hanging = Self.hangingInit("slow", begun: Gate(), startTimeout: limit)
            let cause = ChildStartFailure(id: "slow", error: SpawnError.startTimeout(limit))
            let failure = await spawnFailure { () async throws(SpawnError) in
                try await node.spawn(
                    Supervisor.self, SupervisorSpec(children: [.worker("c1", log), hanging]))
            }
            #expect(failure == .initFailed(.shutdown(cause)))
            #expect(log.elements == ["+c1", "-c1 shutdown"])
            let tree = try await node.supervise([.worker("c2")])
            let refusal = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.startChild(hanging)
            }
            #expect(refusal == .startFailed(cause))
            #expect(try await tree.ids == ["c2"])
        }
    }

    @Test(
        "a supervisor that is told to end while a child hangs in init ends, and all its children",
        arguments: [false, true])
    func endWhileStarting(isLinked: Bool) async throws {
        try await withNode { node in
            let (log, begun) = (Log<String>(), Gate())
            let spec = SupervisorSpec(children: [
                .worker("c1", log), .worker("c3", log, options: .trapping),
                Self.hangingInit("slow", begun: begun), .worker("never", log),
            ])
            let starter = try node.spawn { process in
                if isLinked {
                    _ = try await process.spawnLinked(
                        Supervisor.self, spec, options: .init(name: "tree"))
                } else {
                    _ = try await node.spawn(Supervisor.self, spec, options: .init(name: "tree"))
                }
            }
            await begun.wait()
            let tree = try #require(node.whereis("tree"))
            if isLinked {
                node.exit(starter.pid, .shutdown)
            } else {
                node.exit(starter.pid, .custom("cancelled"))
            }
            await node.waitForEnd(of: tree)
            _ = try await starter.exitReason
            await waitWhile { node.count > 0 }
            let ends = log.elements.dropFirst(2)
            #expect(Set(ends.map { String($0.prefix(3)) }) == ["-c1", "-c3"] && ends.count == 2)
        }
    }

    @Test("a supervisor that is told to end while a restart hangs in init ends in order")
    func endWhileRestarting() async throws {
        try await withNode { node in
            let (log, begun) = (Log<String>(), Gate())
            let tree = try await node.supervise([
                .worker("c1", log), Self.hangingInit("slow", begun: begun, isOnRestart: true),
                .worker("c3", log),
            ])
            try await node.end(tree.pid(of: "slow"))
            await begun.wait()
            // An exit of the node is a message to who traps; its stop is an order.
            await node.stop(grace: .seconds(60))
            #expect(log.elements.count == 4)
            #expect(try await tree.exitReason == .shutdown)
        }
    }

    @Test("a request to end a supervisor while it starts a child is obeyed after that")
    func stopWhileStarting() async throws {
        try await withNode { node in
            let (log, begun, go) = (Log<String>(), Gate(), Gate())
            let tree = try await node.supervise([.worker("c1", log)])
            async let started = tree.startChild(
                .startFunction("slow") { starter in
                    begun.open()
                    await go.wait()
                    return StartedChild(
                        try starter.spawnLinked { _ = try await $0.receive() }.pid)
                })
            await begun.wait()
            async let stopped: Void = tree.stop(.shutdown)
            go.open()
            let child = try await started
            try await stopped
            #expect(child.map { node.isAlive($0.pid) } == false)
            #expect(log.elements == ["+c1", "-c1 shutdown"] && node.count == 0)
        }
    }

    @Test("a supervisor that is told to end by its parent while it ends a child ends the rest")
    func endWhileEnding() async throws {
        try await withNode { node in
            let (log, begun, go) = (Log<String>(), Gate(), Gate())
            let slow = Waiter.Argument(onEnd: { _ in
                begun.open()
                await go.wait()
                log.append("-slow")
            })
            let (reason, left) = try await node.runProcess { process in
                let tree = try await process.spawnLinked(
                    Supervisor.self,
                    SupervisorSpec(children: [
                        .worker("c1", log),
                        ChildSpec(Waiter.self, slow, id: "slow", shutdown: .infinity),
                        .worker("c3", log),
                    ]))
                async let refusal = tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.terminateChild("slow")
                }
                await begun.wait()
                process.exit(tree.pid, .shutdown)
                go.open()
                let answer = await refusal
                #expect(answer == nil || answer == .call(.exited(.shutdown)))
                return try await process.receiveExit()?.reason
            }
            #expect(reason == .shutdown && left == [])
            #expect(log.elements.filter { $0.hasPrefix("-") }.count == 3 && node.processes == [])
        }
    }

    @Test("a child that hangs in terminate is killed when its time is over, and replaced")
    func hangsInTerminate() async throws {
        try await withNode { node in
            let hanging = Waiter.Argument(onEnd: { process in
                try await process.sleep(for: .seconds(100_000))
            })
            let tree = try await node.supervise(
                .oneForAll,
                [
                    .worker("c1"),
                    ChildSpec(
                        Waiter.self, hanging, id: "slow", shutdown: .timeout(.milliseconds(5))),
                ])
            let before = try await tree.pids(of: ["c1", "slow"])
            try await node.end(before[0])
            let after = try await tree.pids(of: ["c1", "slow"])
            #expect(!node.isAlive(before[1]) && Set(before).isDisjoint(with: after))
        }
    }

    @Test("a child that does not even end after a kill is reported and left behind")
    func stuck() async throws {
        let reports = Log<SupervisorReport>()
        try await withNode(supervisorReports(.supervisorReport, in: reports)) { node in
            let log = Log<String>()
            let tree = try await node.supervise(
                killGrace: .milliseconds(5),
                [
                    .worker(
                        "stuck", log, shutdown: .timeout(.milliseconds(5)),
                        options: .init(name: "stuck", ownThread: true)),
                    .worker("c2", log),
                ])
            let pid = try await tree.pid(of: "stuck")
            let blocking = Blocking()
            defer { blocking.until.open() }
            try node.send(blocking, to: pid)
            await blocking.begun.wait()
            try await tree.terminateChild("stuck")
            #expect(try await tree.status(of: "stuck") == .stopped)
            let report = try #require(reports.elements.first)
            #expect(reports.elements.count == 1 && report.pid == pid && report.child == "stuck")
            guard case .stuck(let child) = report.occurrence, child.behaviour == "Worker",
                child.message == .info, child.messageType == "Blocking"
            else {
                Issue.record("\(report)")
                return
            }
            // It goes on: the name is free, the next instance works, the other child lives.
            try await tree.restartChild("stuck")
            let next = try await tree.pid(of: "stuck")
            #expect(next != pid && node.whereis("stuck") == next)
            #expect(node.isAlive(try await tree.pid(of: "c2")))
            // When the callback returns at last, nobody is disturbed.
            blocking.until.open()
            await waitWhile { node.count > 3 }
            #expect(try await tree.pid(of: "stuck") == next)
            #expect(reports.elements.count == 1)
        }
    }

    @Test("who is left behind has no timers any more, and sets no new ones")
    func timersOfTheAbandoned() async throws {
        try await withNode { node in
            let (timers, outcomes) = (Log<TimerRef>(), Log<ShutdownOutcome>())
            let (begun, go, done) = (Gate(), Gate(), Gate())
            defer { go.open() }
            let stuck = try node.spawn(
                Recorder.self, .init(Log()), options: .init(ownThread: true))
            try stuck.cast { process in
                let hour = Duration.seconds(3600)
                timers.append(try process.send("tick", to: .name("heir"), every: hour))
                timers.append(try process.send("tick", after: hour))
                begun.open()
                go.waitBlocking()
                timers.append(try process.send("tick", to: .name("heir"), every: hour))
                done.open()
            }
            await begun.wait()
            #expect(timers.elements.allSatisfy { $0.remaining != nil })
            try await node.inProcess { process in
                outcomes.append(
                    try await process.shutDown(stuck.pid, by: .brutalKill, killGrace: .zero))
            }
            #expect(outcomes.elements == [.stuck])
            #expect(timers.elements.allSatisfy { $0.remaining == nil })
            go.open()
            await done.wait()
            #expect(timers.elements.count == 3 && timers.elements[2].remaining == nil)
        }
    }

    @Test("a change of the supervisor is one of its patience, too")
    func changePatience() async throws {
        let reports = Log<SupervisorReport>()
        try await withNode(supervisorReports(.supervisorReport, in: reports)) { node in
            let children: [ChildSpec] = [
                .worker("stuck", shutdown: .brutalKill, options: .init(ownThread: true))
            ]
            let tree = try await node.supervise(killGrace: .seconds(100_000), children)
            let blocking = Blocking()
            defer { blocking.until.open() }
            try await node.send(blocking, to: tree.pid(of: "stuck"))
            await blocking.begun.wait()
            try await tree.change(
                to: SupervisorSpec(
                    stuckAfter: .milliseconds(1), killGrace: .zero, children: children))
            let report = await reports.wait(for: 1)[0]
            guard case .stuck = report.occurrence else {
                Issue.record("\(report)")
                return
            }
            try await tree.change(to: SupervisorSpec(killGrace: .zero, children: children))
            try await tree.terminateChild("stuck")
            #expect(try await tree.status(of: "stuck") == .stopped)
            try await tree.change(
                to: SupervisorSpec(stuckAfter: .seconds(Int64.max / 2), children: children))
        }
    }

    /// Registers a key, or else a name.
    private static func hold(
        _ registry: KeyRegistry<String, Void>?, _ process: some ProcessContext
    ) throws {
        if let registry {
            try process.register("k", in: registry)
        } else {
            try process.register("n")
        }
    }

    @Test(
        "who has a name and is about to end is waited for, whoever registers it",
        arguments: [false, true])
    func nameOfTheDying(isKey: Bool) async throws {
        try await withNode { node in
            let registry = KeyRegistry<String, Void>(on: node)
            let key = isKey ? registry : nil
            let (ending, go) = (Gate(), Gate())
            let old = try await node.spawn(
                Waiter.self,
                Waiter.Argument(
                    onInit: { try Self.hold(key, $0) },
                    onEnd: { _ in
                        ending.open()
                        await go.wait()
                    }))
            node.exit(old.pid, .shutdown)
            await ending.wait()
            async let tree = node.supervise([.worker("c1") { try Self.hold(key, $0) }])
            await waitWhile { old.cell.withCore { $0.exitWaiters.isEmpty } }
            go.open()
            let pid = try await tree.pid(of: "c1")
            #expect((isKey ? registry.whereis("k") : node.whereis("n")) == pid)
        }
    }

    @Test("a node with a child that blocks for ever stops all the same")
    func nodeStops() async throws {
        let blocking = Blocking()
        let node = try Node(name: "test", options: NodeOptions(events: NoEvents()))
        let tree = try await node.supervise(
            killGrace: .milliseconds(5),
            [
                .worker("c1"),
                .worker(
                    "stuck", shutdown: .timeout(.milliseconds(5)), options: .init(ownThread: true)),
            ])
        try await node.send(blocking, to: tree.pid(of: "stuck"))
        await blocking.begun.wait()
        let begin = node.clock.now
        await node.stop(grace: .milliseconds(500))
        #expect(begin.duration(to: node.clock.now) < .seconds(20))
        #expect(node.processes == [] && !node.isAlive(tree.pid))
        blocking.until.open()
        await waitWhile { node.count > 0 }
    }

    @Test("a child that is busy with one message for too long is reported, once")
    func watch() async throws {
        let reports = Log<SupervisorReport>()
        try await withNode(supervisorReports(.supervisorReport, in: reports)) { node in
            let tree = try await node.spawn(
                Supervisor.self,
                SupervisorSpec(stuckAfter: .milliseconds(40)) {
                    ChildSpec.worker("stuck", options: .init(ownThread: true))
                    ChildSpec.worker("c2")
                    ChildSpec("body") { while true { try await $0.sleep(for: .seconds(1)) } }
                })
            let pids = try await tree.pids(of: ["stuck", "c2"])
            for round in 1...2 {
                let blocking = Blocking()
                try node.send(blocking, to: pids[0])
                await blocking.begun.wait()
                let report = await reports.wait(for: round)[round - 1]
                #expect(report.child == "stuck" && report.pid == pids[0])
                guard case .stuck(let child) = report.occurrence, child.behaviour == "Worker",
                    child.message == .info, child.messageType == "Blocking"
                else {
                    Issue.record("\(report)")
                    return
                }
                #expect(child.duration >= .milliseconds(40))
                // Several looks later it is still one report, and others are served.
                for _ in 0..<5 {
                    let time = node.clock.now.advanced(by: .milliseconds(20))
                    try await node.clock.sleep(until: time)
                    #expect(try await tree.pid(of: "c2") == pids[1])
                }
                #expect(reports.elements.count == round)
                blocking.until.open()
            }
        }
    }
}
