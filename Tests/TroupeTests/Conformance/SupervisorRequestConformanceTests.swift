//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: what a supervisor is asked for", .timeLimit(.minutes(4)))
struct SupervisorRequestConformanceTests {
    typealias Tree = ServerRef<Supervisor>

    /// - Source: `extra_return`, `child_adm`.
    @Test("SUP-35 a new child comes after the others; what its start function says is returned")
    func startChild() async throws {
        try await withNode { node in
            let tree = try await node.supervise([.worker("c1")])
            let plain = try await tree.startChild(.worker("c2"))
            #expect(plain?.info == nil)
            let extra = try await tree.startChild(
                .startFunction("c3") { starter in
                    let worker = try starter.spawnLinked { _ = try await $0.receive() }
                    return StartedChild(worker.pid, info: "port 80")
                })
            #expect(extra?.info as? String == "port 80")
            #expect(try await tree.ids == ["c1", "c2", "c3"])
            #expect(try await tree.pids(of: ["c2", "c3"]) == [plain?.pid, extra?.pid])
        }
    }

    /// - Source: `child_adm`.
    @Test("SUP-36 an id that is known cannot be added, whether its child runs or not")
    func startKnown() async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise([.worker("c1")])
            let pid = try await tree.pid(of: "c1")
            let running = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.startChild(.worker("c1", log))
            }
            #expect(running == .alreadyStarted("c1", pid))
            try await tree.terminateChild("c1")
            let stopped = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.startChild(.worker("c1", log))
            }
            #expect(stopped == .alreadyPresent("c1"))
            #expect(log.elements.isEmpty)
        }
    }

    /// - Source: `child_start_fail`-like cases of `child_adm`.
    @Test("SUP-37 a new child that cannot be started is not kept")
    func startFails() async throws {
        try await withNode { node in
            let tree = try await node.supervise([])
            let failing: [(ChildSpec, any Error)] = [
                (
                    .worker("c1") { _ in throw TestError(37) },
                    SpawnError.initFailed(.error(TestError(37)))
                ),
                (.worker("c1") { _ in throw ExitReason.normal }, SpawnError.initFailed(.normal)),
                (.startFunction("c1") { _ in throw TestError(37) }, TestError(37)),
            ]
            for (child, error) in failing {
                let refusal = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.startChild(child)
                }
                #expect(refusal == .startFailed(ChildStartFailure(id: "c1", error: error)))
                #expect(try await tree.whichChildren() == [])
            }
        }
    }

    @Test("SUP-38 a child whose name is taken is not kept, and who has the name is told")
    func nameTaken() async throws {
        try await withNode { node in
            let holder = try node.idle(.init(name: "taken"))
            let tree = try await node.supervise([])
            let refusal = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.startChild(.worker("c1", options: .init(name: "taken")))
            }
            let error = SpawnError.nameTaken("taken", by: holder.pid)
            #expect(refusal == .startFailed(ChildStartFailure(id: "c1", error: error)))
            #expect(try await tree.whichChildren() == [])
            #expect(node.whereis("taken") == holder.pid)
        }
    }

    /// - Source: `child_adm`, `temporary_normal`.
    @Test("SUP-39 a child that is terminated is dead and stays so; a temporary one is forgotten")
    func terminateChild() async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise([
                .worker("c1", log), .worker("c2", log, restart: .temporary),
                .worker("c3", log, restart: .transient),
            ])
            for id in ["c1", "c3"] {
                let pid = try await tree.pid(of: id)
                try await tree.terminateChild(id)
                #expect(!node.isAlive(pid))
                #expect(try await tree.status(of: id) == .stopped)
                try await tree.terminateChild(id)
            }
            try await tree.terminateChild("c2")
            #expect(try await tree.ids == ["c1", "c3"])
            #expect(
                log.elements.dropFirst(3) == ["-c1 shutdown", "-c3 shutdown", "-c2 shutdown"])
        }
    }

    /// - Source: `child_adm`, `child_unlink`.
    @Test("SUP-40 nothing can be done to a child that is not known")
    func unknown() async throws {
        try await withNode { node in
            let tree = try await node.supervise([.worker("c1")])
            let refusals = [
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.terminateChild("x")
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.restartChild("x")
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.deleteChild("x")
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.childSpec("x")
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.whichChild("x")
                },
            ]
            #expect(refusals == Array(repeating: .notFound("x"), count: 5))
            #expect(try await tree.ids == ["c1"])
        }
    }

    /// - Source: `child_adm`.
    @Test("SUP-41 a child that runs can be neither started nor deleted")
    func running() async throws {
        try await withNode { node in
            let tree = try await node.supervise([.worker("c1")])
            let pid = try await tree.pid(of: "c1")
            let restart = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.restartChild("c1")
            }
            let delete = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.deleteChild("c1")
            }
            #expect(restart == .running("c1", pid) && delete == .running("c1", pid))
            #expect(try await tree.pid(of: "c1") == pid)
        }
    }

    /// - Source: `child_adm`, `extra_return`.
    @Test("SUP-42 a stopped child is started anew; if that fails it stays stopped")
    func restartChild() async throws {
        try await withNode { node in
            let attempts = Count()
            let tree = try await node.supervise([
                .worker("c1") { _ in if attempts.add() == 1 { throw TestError(42) } },
                .startFunction("c2") { starter in
                    let child = try starter.spawnLinked { _ = try await $0.receive() }
                    return StartedChild(child.pid, info: 42)
                },
            ])
            let old = try await tree.pids(of: ["c1", "c2"])
            for id in ["c1", "c2"] { try await tree.terminateChild(id) }
            let failure = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.restartChild("c1")
            }
            let cause = SpawnError.initFailed(.error(TestError(42)))
            #expect(failure == .startFailed(ChildStartFailure(id: "c1", error: cause)))
            #expect(try await tree.status(of: "c1") == .stopped)
            let first = try await tree.restartChild("c1")
            let second = try await tree.restartChild("c2")
            #expect(first?.info == nil && second?.info as? Int == 42)
            let new = try await tree.pids(of: ["c1", "c2"])
            #expect(new == [first?.pid, second?.pid] && Set(new).isDisjoint(with: old))
            // It is supervised as before.
            try await node.end(new[0])
            #expect(try await tree.pid(of: "c1") != new[0])
        }
    }

    /// - Source: `child_adm`.
    @Test("SUP-43 a stopped child can be deleted, and is not known any more")
    func deleteChild() async throws {
        try await withNode { node in
            let tree = try await node.supervise([.worker("c1"), .worker("c2")])
            try await tree.terminateChild("c1")
            try await tree.deleteChild("c1")
            #expect(try await tree.ids == ["c2"])
            let restart = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.restartChild("c1")
            }
            #expect(restart == .notFound("c1"))
            try await tree.startChild(.worker("c1"))
            #expect(try await tree.ids == ["c2", "c1"])
        }
    }

    /// - Source: `which_children`, `which_child`.
    @Test("SUP-44 children are listed the newest first, with what they are")
    func whichChildren() async throws {
        try await withNode { node in
            let tree = try await node.supervise([
                .worker("c1"), .supervisor("c2") {}, ChildSpec("c3") { _ = try await $0.receive() },
                .worker("c4") { _ in throw IgnoreStart() },
            ])
            let pids = try await tree.pids(of: ["c1", "c2", "c3"])
            #expect(
                try await tree.whichChildren() == [
                    ChildInfo(id: "c4", status: .stopped, type: .worker, behaviour: "Worker"),
                    ChildInfo(
                        id: "c3", status: .running(pids[2]), type: .worker, behaviour: "closure"),
                    ChildInfo(
                        id: "c2", status: .running(pids[1]), type: .supervisor,
                        behaviour: "Supervisor"),
                    ChildInfo(
                        id: "c1", status: .running(pids[0]), type: .worker, behaviour: "Worker"),
                ])
        }
    }

    /// - Source: `count_children`, `count_children_supervisor`, `count_restarting_children`.
    @Test("SUP-45 children are counted by type whether they run or not")
    func countChildren() async throws {
        try await withNode { node in
            let tree = try await node.supervise([
                .worker("w1"), .worker("w2"), .supervisor("s1") {}, .supervisor("s2") {},
                .startFunction("s3", type: .supervisor) { _ in throw IgnoreStart() },
            ])
            try await tree.terminateChild("w1")
            try await tree.terminateChild("s1")
            let count = try await tree.countChildren()
            #expect(count == ChildCount(specs: 5, active: 2, supervisors: 3, workers: 2))
        }
    }

    @Test("SUP-46 a static child is not found by what its pid looks like")
    func pidAsID() async throws {
        try await withNode { node in
            let tree = try await node.supervise([.worker("c1")])
            let pid = try await tree.pid(of: "c1")
            let refusal = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.terminateChild("\(pid)")
            }
            #expect(refusal == .notFound("\(pid)") && node.isAlive(pid))
        }
    }

    @Test("SUP-47 every request to a supervisor that has ended fails with noProcess")
    func dead() async throws {
        try await withNode { node in
            let tree = try await node.supervise([.worker("c1")])
            try await tree.stop()
            let refusals = [
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.whichChildren()
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.countChildren()
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.startChild(.worker("c2"))
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.terminateChild("c1")
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.restartChild("c1")
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.deleteChild("c1")
                },
                await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                    try await tree.change(to: SupervisorSpec(children: []))
                },
            ]
            #expect(
                refusals == Array(repeating: .call(.noProcess(tree.pid)), count: refusals.count))
        }
    }

    /// - Source: `unexpected messages` of `supervisor:handle_info/2`.
    @Test("SUP-50 plain messages are reported, exits of strangers ignored; nobody is harmed")
    func strangers() async throws {
        let events = Log<Event>()
        try await withNode(problemsLogged(in: events)) { node in
            let tree = try await node.supervise([.worker("c1")])
            let before = try await tree.pid(of: "c1")
            try tree.send("hello")
            node.exit(tree.pid, .custom("you too"))
            node.exit(tree.pid, .normal)
            let stranger = try await node.partner(of: tree.pid)
            node.exit(stranger.pid, .custom("gone"))
            _ = try await stranger.exitReason
            #expect(try await tree.pid(of: "c1") == before)
            let unhandled = events.elements.compactMap { event -> String? in
                if case .unhandledMessage(tree.pid, "Supervisor", let type) = event {
                    type
                } else {
                    nil
                }
            }
            #expect(unhandled == ["String"])
        }
    }

    /// - Source: `sup_stop`, gen_server's rule for the exit of its parent.
    @Test(
        "SUP-51 the exit of its parent ends a supervisor, with that reason, after its children",
        arguments: [ExitReason.shutdown, .custom("R"), .normal])
    func parentExits(reason: ExitReason) async throws {
        try await withNode { node in
            let log = Log<String>()
            let (exit, left) = try await node.runProcess { process in
                let tree = try await process.spawnLinked(
                    Supervisor.self,
                    SupervisorSpec(children: ["c1", "c2"].map { .worker($0, log) }))
                process.exit(tree.pid, reason)
                return try await process.receiveExit()?.reason
            }
            #expect(exit == reason && left == [])
            #expect(log.elements == ["+c1", "+c2", "-c2 shutdown", "-c1 shutdown"])
        }
    }

    /// - Source: `code_change`, `code_change_map`.
    @Test("SUP-61 flags and specifications change in place; running children are untouched")
    func change() async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise([.worker("c1", log), .worker("c2", log)])
            let before = try await tree.pids(of: ["c1", "c2"])
            let wrong = SupervisorSpec(limit: RestartLimit(-1), children: [.worker("", log)])
            let refusal = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.change(to: wrong)
            }
            #expect(refusal == .specInvalid(SpecInvalid(mistakes: wrong.mistakes)))
            #expect(wrong.mistakes.count == 2)
            #expect(try await tree.ids == ["c1", "c2"])

            try await tree.change(
                to: SupervisorSpec(
                    strategy: .oneForAll, limit: RestartLimit(1, within: .seconds(1000)),
                    children: [.worker("c1", log, restart: .transient), .worker("c3", log)]))
            #expect(try await tree.pids(of: ["c1", "c2"]) == before)
            #expect(try await tree.status(of: "c3") == .stopped)
            #expect(try await tree.childSpec("c1").restart == .transient)
            #expect(Set(try await tree.ids) == ["c1", "c2", "c3"])
            #expect(log.elements == ["+c1", "+c2"])
            try await tree.restartChild("c3")
            // The new strategy, restart type and limit hold.
            try await node.end(before[0])
            let after = try await tree.pids(of: ["c1", "c2"])
            #expect(Set(after).isDisjoint(with: before))
            try await node.end(after[0], .normal)
            #expect(try await tree.status(of: "c1") == .stopped)
            try await node.end(after[1])
            #expect(try await tree.exitReason == .shutdown)
        }
    }
}
