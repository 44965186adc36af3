//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: restarts of a supervisor", .timeLimit(.minutes(4)))
struct SupervisorRestartConformanceTests {
    private static let clean: [ExitReason] = [.normal, .shutdown, .shutdown("x")]
    private static let abnormal: [ExitReason] = [.killed, .custom("x"), .error(TestError(1))]

    /// - Source: `permanent_normal`, `permanent_shutdown`, `permanent_abnormal`.
    @Test("SUP-15 a permanent child is always started again", arguments: clean + abnormal)
    func permanent(reason: ExitReason) async throws {
        try await withNode { node in
            let tree = try await node.supervise([.worker("c1")])
            let pid = try await tree.pid(of: "c1")
            try await node.end(pid, reason)
            let second = try await tree.pid(of: "c1")
            #expect(second != pid && node.isAlive(second) && !node.isAlive(pid))
            let count = try await tree.countChildren()
            #expect(count == ChildCount(specs: 1, active: 1, supervisors: 0, workers: 1))
        }
    }

    /// - Source: `transient_normal`, `transient_shutdown`.
    @Test("SUP-16 a transient child that ends cleanly stays stopped", arguments: clean)
    func transientClean(reason: ExitReason) async throws {
        try await withNode { node in
            let tree = try await node.supervise([.worker("c1", restart: .transient)])
            try await node.end(tree.pid(of: "c1"), reason)
            #expect(try await tree.status(of: "c1") == .stopped)
            let count = try await tree.countChildren()
            #expect(count == ChildCount(specs: 1, active: 0, supervisors: 0, workers: 1))
        }
    }

    /// - Source: `transient_abnormal`.
    @Test("SUP-17 a transient child that fails is started again", arguments: abnormal)
    func transientAbnormal(reason: ExitReason) async throws {
        try await withNode { node in
            let tree = try await node.supervise([.worker("c1", restart: .transient)])
            let pid = try await tree.pid(of: "c1")
            try await node.end(pid, reason)
            let second = try await tree.pid(of: "c1")
            #expect(second != pid && node.isAlive(second))
        }
    }

    /// - Source: `temporary_normal`, `temporary_shutdown`, `temporary_abnormal`, `temporary_bystander`.
    @Test(
        "SUP-18 a temporary child is forgotten, and its id is free", arguments: clean + abnormal)
    func temporary(reason: ExitReason) async throws {
        try await withNode { node in
            let spec = ChildSpec.worker("c1", restart: .temporary)
            let tree = try await node.supervise([spec, .worker("c2")])
            try await node.end(tree.pid(of: "c1"), reason)
            #expect(try await tree.ids == ["c2"])
            let started = try await tree.startChild(spec)
            #expect(try await tree.pid(of: "c1") == started?.pid)
            #expect(try await tree.ids == ["c2", "c1"])
        }
    }

    /// - Source: `one_for_one`.
    @Test("SUP-19 one for one: only the child that fails is replaced, by a new instance")
    func oneForOne() async throws {
        try await withNode { node in
            let log = Log<String>()
            let ids = ["c1", "c2", "c3"]
            let tree = try await node.supervise(.oneForOne, ids.map { .worker($0, log) })
            let before = try await tree.pids(of: ids)
            try await node.end(before[0])
            let after = try await tree.pids(of: ids)
            #expect(after[0] != before[0] && after[1...] == before[1...])
            #expect(log.elements == ["+c1", "+c2", "+c3", "-c1 crash", "+c1"])
            #expect(try await tree.ids == ids)
        }
    }

    /// - Source: `one_for_all`.
    @Test("SUP-20 one for all: the others are ended in reverse order, then all are started")
    func oneForAll() async throws {
        try await withNode { node in
            let log = Log<String>()
            let ids = ["c1", "c2", "c3"]
            let tree = try await node.supervise(.oneForAll, ids.map { .worker($0, log) })
            let before = try await tree.pids(of: ids)
            try await node.end(before[1])
            let after = try await tree.pids(of: ids)
            #expect(Set(before).isDisjoint(with: after))
            #expect(before.allSatisfy { !node.isAlive($0) } && after.allSatisfy(node.isAlive))
            #expect(
                log.elements == [
                    "+c1", "+c2", "+c3", "-c2 crash", "-c3 shutdown", "-c1 shutdown", "+c1", "+c2",
                    "+c3",
                ])
            #expect(try await tree.ids == ids)
        }
    }

    /// - Source: `rest_for_one`.
    @Test("SUP-21 rest for one: those after it are ended in reverse order, then started")
    func restForOne() async throws {
        try await withNode { node in
            let log = Log<String>()
            let ids = (1...5).map { "c\($0)" }
            let tree = try await node.supervise(.restForOne, ids.map { .worker($0, log) })
            let before = try await tree.pids(of: ids)
            try await node.end(before[2])
            let after = try await tree.pids(of: ids)
            #expect(after[..<2] == before[..<2])
            #expect(zip(after[2...], before[2...]).allSatisfy { $0 != $1 })
            #expect(
                log.elements.dropFirst(5) == [
                    "-c3 crash", "-c5 shutdown", "-c4 shutdown", "+c3", "+c4", "+c5",
                ])
        }
    }

    /// - Source: `temporary_bystander`, `one_for_all_other_child_fails_restart`.
    @Test(
        "SUP-22 a temporary sibling is ended with the group and forgotten",
        arguments: [SupervisorStrategy.oneForAll, .restForOne])
    func temporarySibling(strategy: SupervisorStrategy) async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise(
                strategy,
                [
                    .worker("c1", log), .worker("c2", log, restart: .temporary),
                    .worker("c3", log, restart: .transient),
                ])
            try await node.end(tree.pid(of: "c1"))
            #expect(try await tree.ids == ["c1", "c3"])
            #expect(
                log.elements.dropFirst(3) == [
                    "-c1 crash", "-c3 shutdown", "-c2 shutdown", "+c1", "+c3",
                ])
            #expect(node.isAlive(tree.pid))
        }
    }

    @Test("SUP-23 one for all: a transient child that was stopped is started with the others")
    func stoppedSibling() async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise(
                .oneForAll, [.worker("c1", log), .worker("c2", log, restart: .transient)])
            try await tree.terminateChild("c2")
            try await node.end(tree.pid(of: "c1"))
            #expect(node.isAlive(try await tree.pid(of: "c2")))
            #expect(
                log.elements == ["+c1", "+c2", "-c2 shutdown", "-c1 crash", "+c1", "+c2"])
        }
    }

    /// - Source: `one_for_one_escalation`, `one_for_all_escalation`, `rest_for_one_escalation`.
    @Test(
        "SUP-26 one failure too many: the children are ended in reverse order, then shutdown",
        arguments: [SupervisorStrategy.oneForOne, .oneForAll, .restForOne])
    func escalation(strategy: SupervisorStrategy) async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise(
                strategy, limit: RestartLimit(2, within: .seconds(1000)),
                ["c1", "c2", "c3"].map { .worker($0, log) })
            let observer = try await node.observe(tree.pid)
            for _ in 0..<2 { try await node.end(tree.pid(of: "c1")) }
            #expect(try await tree.ids == ["c1", "c2", "c3"])
            try await node.end(tree.pid(of: "c1"))
            #expect(
                try await observer.exits() == [MessageExit(from: tree.pid, reason: .shutdown)])
            #expect(
                log.elements.suffix(3) == ["-c1 crash", "-c3 shutdown", "-c2 shutdown"])
            await #expect(throws: SupervisorError.call(.noProcess(tree.pid))) {
                try await tree.whichChildren()
            }
        }
    }

    /// - Source: `one_for_one_other_child_fails_restart`, `multiple_restarts`.
    @Test("SUP-27 failures that are further apart than the period are repaired for ever")
    func spacedFailures() async throws {
        try await withNode { node in
            let limit = RestartLimit(1, within: .milliseconds(2))
            let tree = try await node.supervise(limit: limit, [.worker("c1")])
            for _ in 0..<20 {
                try await node.end(tree.pid(of: "c1"))
                let next = try await tree.pid(of: "c1")
                #expect(node.isAlive(next))
                let earliest = node.clock.now.advanced(by: .milliseconds(3))
                try await node.clock.sleep(until: earliest)
            }
            #expect(node.isAlive(tree.pid))
        }
    }

    /// - Source: `hanging_restart_loop`, `one_for_one_other_child_fails_restart` and its siblings.
    @Test(
        "SUP-28 attempts to start a child again that fail count as well",
        arguments: [SupervisorStrategy.oneForOne, .oneForAll, .restForOne], ["c1", "c2", "c3"])
    func failingAttempts(strategy: SupervisorStrategy, bad: String) async throws {
        try await withNode { node in
            let (log, attempts) = (Log<String>(), Count())
            let tree = try await node.supervise(
                strategy, limit: RestartLimit(5, within: .seconds(1000)),
                ["c1", "c2", "c3"].map { id in
                    .worker(id, log) { _ in
                        if id == bad, attempts.add() > 0 { throw TestError(28) }
                    }
                })
            // In a group it is another child whose start fails.
            let failing = strategy == .oneForAll ? "c2" : strategy == .restForOne ? "c1" : bad
            try await node.end(tree.pid(of: failing))
            #expect(try await tree.exitReason == .shutdown)
            // The end of the child, or the first attempt for it, is the first that is counted.
            #expect(attempts.value == 1 + 5)
            let ends = log.elements.filter { $0.hasPrefix("-") }
            #expect(ends.count == log.elements.count - ends.count)
            #expect(node.count == 0)
        }
    }

    /// - Source: `one_for_one_escalation`, one level up.
    @Test("SUP-30 an inner supervisor that gives up is started again, with its own children only")
    func nested() async throws {
        try await withNode { node in
            let tree = try await node.supervise([
                .supervisor("inner", name: "inner", limit: RestartLimit(0)) {
                    ChildSpec.worker("c1")
                },
                .worker("other"),
            ])
            let other = try await tree.pid(of: "other")
            let inner = try #require(node.whereis("inner", as: Supervisor.self))
            try await inner.startChild(.worker("dynamic"))
            #expect(try await inner.ids == ["c1", "dynamic"])
            try await node.end(inner.pid(of: "c1"))
            #expect(try await inner.exitReason == .shutdown)
            let pid = try await tree.pid(of: "inner")
            let next = try #require(node.whereis("inner", as: Supervisor.self))
            #expect(pid == next.pid && next.pid != inner.pid)
            #expect(try await next.ids == ["c1"])
            #expect(try await tree.pid(of: "other") == other)
        }
    }

    /// - Source: `hanging_restart_loop`, `hanging_restart_loop_rest_for_one`.
    @Test(
        "SUP-31 while a restart fails again and again, questions are answered",
        arguments: [SupervisorStrategy.oneForOne, .oneForAll, .restForOne])
    func restartLoop(strategy: SupervisorStrategy) async throws {
        try await withNode { node in
            let attempts = Count()
            let tree = try await node.supervise(
                strategy, limit: RestartLimit(.max, within: .seconds(1000)),
                [.worker("c1") { _ in if attempts.add() > 0 { throw TestError(31) } }])
            try await node.end(tree.pid(of: "c1"))
            for _ in 0..<20 {
                #expect(try await tree.status(of: "c1") == .restarting)
                #expect(try await tree.whichChildren().map(\.status) == [.restarting])
                let count = try await tree.countChildren()
                #expect(count == ChildCount(specs: 1, active: 0, supervisors: 0, workers: 1))
            }
            let seen = attempts.value
            await waitWhile { attempts.value < seen + 20 }
        }
    }

    /// - Source: `hanging_restart_loop`.
    @Test("SUP-32 a child that is restarting cannot be added, started or deleted")
    func restartingRefuses() async throws {
        try await withNode { node in
            let (tree, _) = try await node.supervisorInLoop()
            typealias Tree = ServerRef<Supervisor>
            let start = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.startChild(.worker("c1"))
            }
            let restart = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.restartChild("c1")
            }
            let delete = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.deleteChild("c1")
            }
            #expect(start == .alreadyPresent("c1"))
            #expect(restart == .restarting("c1") && delete == .restarting("c1"))
            #expect(try await tree.status(of: "c1") == .restarting)
        }
    }

    /// - Source: `hanging_restart_loop`.
    @Test("SUP-33 terminating a child that is restarting stops the attempts")
    func terminateRestarting() async throws {
        try await withNode { node in
            let (tree, attempts) = try await node.supervisorInLoop()
            try await tree.terminateChild("c1")
            let count = attempts.value
            #expect(try await tree.status(of: "c1") == .stopped)
            for _ in 0..<20 { _ = try await tree.whichChildren() }
            #expect(attempts.value == count)
            try await tree.deleteChild("c1")
            #expect(try await tree.ids == ["c2"])
        }
    }

    @Test("SUP-52 a supervisor that is killed takes its children along, and is itself replaced")
    func killed() async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise([
                .supervisor("inner", name: "inner") {
                    ChildSpec.worker("c1", log)
                    ChildSpec.worker("c2", log, options: .trapping)
                }
            ])
            let inner = try #require(node.whereis("inner", as: Supervisor.self))
            let pids = try await inner.pids(of: ["c1", "c2"])
            node.kill(inner.pid)
            for pid in pids { await node.waitForEnd(of: pid) }
            let elements = await log.wait(for: 6)
            #expect(
                Set(elements) == ["+c1", "+c2", "-c1 killed", "-c2 killed"] && elements.count == 6)
            let next = try await tree.pid(of: "inner")
            #expect(next != inner.pid && node.isAlive(next))
        }
    }

    @Test("SUP-63 children die with their supervisor; it is only told when they die")
    func asymmetry() async throws {
        try await withNode { node in
            let tree = try await node.supervise([
                .worker("c1", restart: .temporary), .worker("c2"),
                ChildSpec("c3") { _ = try await $0.receive() },
            ])
            try await node.end(tree.pid(of: "c1"), .custom("bad"))
            #expect(node.isAlive(tree.pid))
            let pids = try await tree.pids(of: ["c2", "c3"])
            node.kill(tree.pid)
            for pid in pids { await node.waitForEnd(of: pid) }
            #expect(node.count == 0)
        }
    }

    @Test("TASK-20 a task that a supervisor starts again: permanent always, transient on failure")
    func task() async throws {
        try await withNode { node in
            for (restart, reason) in [
                (Restart.permanent, ExitReason.normal), (.permanent, .custom("bad")),
                (.transient, .normal), (.transient, .custom("bad")), (.temporary, .custom("bad")),
            ] {
                let (runs, go) = (Log<Pid>(), Gate())
                let tree = try await node.supervise([
                    ChildSpec("task", restart: restart) { process in
                        runs.append(process.pid)
                        if runs.elements.count > 1 { _ = try await process.receive() }
                        await go.wait()
                        if reason != .normal { throw reason }
                    }
                ])
                let first = await runs.wait(for: 1)[0]
                await node.waitForEnd(of: first) { go.open() }
                let children = try await tree.whichChildren()
                switch (restart, reason.isClean) {
                case (.permanent, _), (.transient, false):
                    let pids = await runs.wait(for: 2)
                    #expect(children.map(\.pid) == [pids[1]] && pids[1] != first)
                case (.transient, true): #expect(children.map(\.status) == [.stopped])
                case (.temporary, _): #expect(children == [])
                }
                try await tree.stop()
            }
        }
    }
}

extension Node {
    /// A supervisor whose child `c1` has failed and cannot be started again, and how often it was
    /// tried.
    fileprivate func supervisorInLoop() async throws -> (ServerRef<Supervisor>, Count) {
        let attempts = Count()
        let tree = try await supervise(
            limit: RestartLimit(.max, within: .seconds(1000)),
            [
                .worker("c1") { _ in if attempts.add() > 0 { throw TestError(32) } },
                .worker("c2"),
            ])
        try await end(tree.pid(of: "c1"))
        return (tree, attempts)
    }
}
