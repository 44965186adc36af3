//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: start and end of a supervisor", .timeLimit(.minutes(4)))
struct SupervisorConformanceTests {
    /// - Source: `sup_start_normal`.
    @Test("SUP-01 a supervisor without children starts, and ends with shutdown by its parent")
    func empty() async throws {
        try await withNode { node in
            let (reason, left) = try await node.runProcess { process in
                let tree = try await process.spawnLinked(
                    Supervisor.self, SupervisorSpec(children: []))
                let children = try await tree.whichChildren()
                #expect(children == [])
                process.exit(tree.pid, .shutdown)
                return try await process.receiveExit()?.reason
            }
            #expect(reason == .shutdown && left == [])
            #expect(node.processes == [])
        }
    }

    /// - Source: `sup_start_fail`, `sup_start_error_return`.
    @Test("SUP-03 a supervisor that cannot start is gone, and its linked starter is told once")
    func failedStart() async throws {
        try await withNode { node in
            let wrong = SupervisorSpec(limit: RestartLimit(-1), children: [])
            let (failure, left) = try await node.runProcess { process in
                let failure = await spawnFailure { () async throws(SpawnError) in
                    try await process.spawnLinked(Supervisor.self, wrong)
                }
                #expect(process.links == [])
                return failure
            }
            let invalid = SpecInvalid(mistakes: wrong.mistakes)
            #expect(failure == .initFailed(.error(invalid)) && left == [])
            #expect(node.count == 0)
        }
    }

    /// - Source: `start_ok`.
    @Test("SUP-04 children are started one by one, each after the one before has started")
    func order() async throws {
        try await withNode { node in
            let log = Log<String>()
            let ids = (1...5).map { "c\($0)" }
            let tree = try await node.supervise(
                .oneForOne,
                ids.map { id in
                    ChildSpec(
                        Waiter.self,
                        .init(onInit: { _ in
                            log.append("begin \(id)")
                            for _ in 0..<10 { await Task.yield() }
                            log.append("end \(id)")
                        }), id: id)
                })
            #expect(log.elements == ids.flatMap { ["begin \($0)", "end \($0)"] })
            #expect(try await tree.ids == ids)
        }
    }

    /// - Source: `sup_start_fail`, `child_adm`.
    @Test("SUP-05 when a child cannot start, those before it are ended in reverse order")
    func rollBack() async throws {
        try await withNode { node in
            let log = Log<String>()
            let children: [ChildSpec] = [
                .worker("c1", log, options: .trapping), .worker("c2", log),
                .worker("c3", log) { _ in throw TestError(5) }, .worker("c4", log),
            ]
            let (failure, left) = try await node.runProcess { process in
                await spawnFailure { () async throws(SpawnError) in
                    try await process.spawnLinked(
                        Supervisor.self, SupervisorSpec(children: children))
                }
            }
            let cause = ChildStartFailure(
                id: "c3", error: SpawnError.initFailed(.error(TestError(5))))
            #expect(failure == .initFailed(.shutdown(cause)) && left == [])
            #expect(log.elements == ["+c1", "+c2", "-c2 shutdown", "-c1 shutdown"])
            #expect(node.count == 0)
        }
    }

    /// - Source: `sup_start_ignore_permanent_child`, `…_transient_child`.
    @Test(
        "SUP-06 a child that there is nothing to start of is kept without a process",
        arguments: [Restart.permanent, .transient])
    func ignored(restart: Restart) async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise([
                .worker("c1", restart: restart) { _ in throw IgnoreStart() },
                .startFunction("c2", restart: restart) { _ in throw IgnoreStart() },
                .worker("c3", log),
            ])
            #expect(try await tree.ids == ["c1", "c2", "c3"])
            #expect(try await tree.status(of: "c1") == .stopped)
            #expect(try await tree.status(of: "c2") == .stopped)
            let count = try await tree.countChildren()
            #expect(count == ChildCount(specs: 3, active: 1, supervisors: 0, workers: 3))
            let started = try await tree.startChild(
                .worker("c4", restart: restart) { _ in throw IgnoreStart() })
            #expect(started == nil)
            #expect(try await tree.status(of: "c4") == .stopped)
        }
    }

    /// - Source: `sup_start_ignore_temporary_child`, `…_start_child`.
    @Test("SUP-07 a temporary child that there is nothing to start of is forgotten")
    func ignoredTemporary() async throws {
        try await withNode { node in
            let nothing = ChildSpec.worker("c1", restart: .temporary) { _ in throw IgnoreStart() }
            let tree = try await node.supervise([nothing])
            #expect(try await tree.whichChildren() == [])
            #expect(try await tree.startChild(nothing) == nil)
            #expect(try await tree.whichChildren() == [])
            #expect(try await tree.startChild(.worker("c1")) != nil)
        }
    }

    /// - Source: `sup_stop`, `sup_stop_infinity`.
    @Test(
        "SUP-08 children are ended in reverse order, each dead before the next is touched",
        arguments: [SupervisorStrategy.oneForOne, .oneForAll, .restForOne])
    func endOrder(strategy: SupervisorStrategy) async throws {
        try await withNode { node in
            let log = Log<String>()
            let ids = (1...5).map { "c\($0)" }
            let tree = try await node.supervise(
                strategy,
                ids.enumerated().map { index, id in
                    .worker(
                        id, options: ProcessOptions(name: id, trapsExits: index.isMultiple(of: 2)),
                        onEnd: { process in
                            let alive = ids.filter { process.node.whereis($0) != nil }
                            log.append("\(id) of \(alive.count), \(process.node.count)")
                        })
                })
            try await tree.stop(.shutdown)
            // The supervisor itself is one more.
            #expect(
                log.elements == [
                    "c5 of 5, 6", "c4 of 4, 5", "c3 of 3, 4", "c2 of 2, 3", "c1 of 1, 2",
                ])
            #expect(node.count == 0)
        }
    }

    /// - Source: `sup_stop_timeout`.
    @Test("SUP-09 a child that traps and stops in time ends with its own reason")
    func inTime() async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise([
                .worker("c1", log, shutdown: .timeout(.seconds(60)), options: .trapping),
                .worker(
                    "c2", log, shutdown: .timeout(.seconds(60)), options: .trapping,
                    onEnd: { _ in throw ExitReason.custom("my own") }),
            ])
            let observer = try await node.observe(tree.pid(of: "c2"))
            let second = try await tree.pid(of: "c2")
            try await tree.stop(.shutdown)
            #expect(log.elements == ["+c1", "+c2", "-c2 shutdown", "-c1 shutdown"])
            let exits = try await observer.exits()
            #expect(exits == [MessageExit(from: second, reason: .custom("my own"))])
        }
    }

    /// - Source: `sup_stop_timeout`.
    @Test("SUP-10 a child that does not stop in time is killed")
    func late() async throws {
        let reports = Log<SupervisorReport>()
        try await withNode(supervisorReports(.supervisorReport, in: reports)) { node in
            let deaf = ChildSpec(
                "deaf", options: .trapping, shutdown: .timeout(.milliseconds(5))
            ) { process in
                while true { _ = try await process.receive() }
            }
            let tree = try await node.supervise([deaf, .worker("c2")])
            let pid = try await tree.pid(of: "deaf")
            let observer = try await node.observe(pid)
            try await tree.stop(.shutdown)
            #expect(try await observer.exits() == [MessageExit(from: pid, reason: .killed)])
            #expect(reports.elements.map(\.occurrence) == [.shutdownFailed(.killed)])
            #expect(reports.elements.map(\.child) == ["deaf"])
        }
    }

    /// - Source: `sup_stop_brutal_kill`.
    @Test("SUP-11 a child with brutal kill is killed at once, and terminate does not run")
    func brutal() async throws {
        let reports = Log<SupervisorReport>()
        try await withNode(supervisorReports(.supervisorReport, in: reports)) { node in
            let log = Log<String>()
            let tree = try await node.supervise([
                .worker("c1", log, shutdown: .brutalKill, options: .trapping)
            ])
            let pid = try await tree.pid(of: "c1")
            let observer = try await node.observe(pid)
            try await tree.stop(.shutdown)
            #expect(try await observer.exits() == [MessageExit(from: pid, reason: .killed)])
            #expect(log.elements == ["+c1"])
            #expect(reports.elements.isEmpty)
        }
    }

    /// - Source: `sup_stop_infinity`.
    @Test(
        "SUP-12 a child with infinity is waited for as long as it takes",
        arguments: [ChildType.worker, .supervisor])
    func infinity(type: ChildType) async throws {
        try await withNode { node in
            let (begun, go) = (Gate(), Gate())
            let slow = Waiter.Argument(onEnd: { _ in
                begun.open()
                await go.wait()
            })
            let worker = ChildSpec(Waiter.self, slow, id: "slow", shutdown: .infinity)
            let child =
                type == .worker
                ? worker : .supervisor("inner", SupervisorSpec { worker })
            let tree = try await node.supervise([.worker("c1"), child])
            let first = try await tree.pid(of: "c1")
            async let stopped: Void = tree.stop(.shutdown)
            await begun.wait()
            #expect(node.isAlive(tree.pid) && node.isAlive(first))
            go.open()
            try await stopped
            #expect(node.count == 0)
        }
    }

    @Test("SUP-13 a child that does not trap ends with shutdown")
    func notTrapping() async throws {
        try await withNode { node in
            let tree = try await node.supervise([
                .worker("c1"), ChildSpec("c2") { _ = try await $0.receive() },
            ])
            for id in ["c2", "c1"] {
                let pid = try await tree.pid(of: id)
                let observer = try await node.observe(pid)
                try await tree.terminateChild(id)
                #expect(try await observer.exits() == [MessageExit(from: pid, reason: .shutdown)])
            }
        }
    }

    /// - Source: `sup_flags`.
    @Test("SUP-29 by default: one for one, one restart within five seconds, no auto-shutdown")
    func defaultFlags() async throws {
        let spec = SupervisorSpec(children: [])
        #expect(spec.strategy == .oneForOne && spec.autoShutdown == .never)
        #expect(spec.limit == RestartLimit(1, within: .seconds(5)))
        #expect(spec.stuckAfter == nil && spec.killGrace == .seconds(1))
        try await withNode { node in
            let tree = try await node.spawn(
                Supervisor.self, SupervisorSpec { ChildSpec.worker("c1") })
            try await node.end(tree.pid(of: "c1"))
            try await node.end(tree.pid(of: "c1"))
            #expect(try await tree.exitReason == .shutdown)
        }
    }

    /// - Source: `child_specs_map`, `sup_flags`.
    @Test("SUP-48 the defaults of a child's specification")
    func defaults() async throws {
        try await withNode { node in
            let (worker, inner) = (
                ChildSpec(Counter.self, 0), ChildSpec.supervisor("inner") { ChildSpec.worker("c1") }
            )
            let tree = try await node.supervise([worker, inner])
            let spec = try await tree.childSpec("Counter")
            #expect(spec.id == "Counter" && spec.restart == .permanent && !spec.isSignificant)
            #expect(spec.shutdown == .timeout(.seconds(5)) && spec.type == .worker)
            #expect(spec.behaviour == "Counter" && spec.recovery == ChildRecovery())
            let other = try await tree.childSpec("inner")
            #expect(other.restart == .permanent && other.shutdown == .infinity)
            #expect(other.type == .supervisor && other.behaviour == "Supervisor")
            // A supervisor is one however it is written.
            let direct = ChildSpec(Supervisor.self, SupervisorSpec(children: []), id: "direct")
            #expect(direct.type == .supervisor && direct.shutdown == .infinity)
        }
    }

    /// - Source: `child_specs`, `sup_flags`.
    @Test("SUP-49 whatever is wrong with a specification is told, and nothing is started")
    func mistakes() async throws {
        try await withNode { node in
            let log = Log<String>()
            let wrong: [(ChildSpec, SpecMistake.Kind)] = [
                (.worker("", log), .idEmpty),
                (
                    .worker("c", log, shutdown: .timeout(.seconds(-1))),
                    .durationNegative(.seconds(-1))
                ),
                (
                    .worker("c", log, restart: .transient, isSignificant: true),
                    .significantWithoutAutoShutdown
                ),
                (.worker("c", log, options: .init(name: "")), .nameInvalid("")),
                (
                    .worker("c", log, options: .init(mailbox: .init(capacity: 0))),
                    .mailboxCapacityInvalid(0)
                ),
            ]
            let tree = try await node.supervise([.worker("ok")])
            for (child, kind) in wrong {
                let failure = await spawnFailure { () async throws(SpawnError) in
                    try await node.spawn(
                        Supervisor.self, SupervisorSpec(children: [.worker("first", log), child]))
                }
                let invalid = SpecInvalid(mistakes: [SpecMistake(path: [child.id], kind: kind)])
                #expect(failure == .initFailed(.error(invalid)))
                let refusal = await tree.refusal { supervisor throws(SupervisorError) in
                    try await supervisor.startChild(child)
                }
                #expect(refusal == .specInvalid(invalid))
                let added = SupervisorSpec(children: [child])
                #expect(throws: invalid) { try added.check() }
            }
            let double = SupervisorSpec(children: [.worker("c", log), .worker("c", log)])
            #expect(double.mistakes == [SpecMistake(path: ["c"], kind: .idTaken("c"))])
            let limit = RestartLimit(1, within: .zero)
            let flags = SupervisorSpec(limit: limit, children: [])
            #expect(flags.mistakes == [SpecMistake(path: [], kind: .limitInvalid(limit))])
            #expect(log.elements.isEmpty)
            #expect(try await tree.ids == ["ok"])
        }
    }
}
