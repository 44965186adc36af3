//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Supervisor", .timeLimit(.minutes(4)))
struct SupervisorTests {
    typealias Tree = ServerRef<Supervisor>

    // MARK: - Specifications

    private enum Mode { case small, large }

    private static func spec(_ mode: Mode, extra: Bool, workers: Int) -> SupervisorSpec {
        SupervisorSpec {
            ChildSpec.worker("first")
            if extra { ChildSpec.worker("extra") }
            for number in 0..<workers { ChildSpec.worker("worker \(number)") }
            switch mode {
            case .small: ChildSpec.worker("small")
            case .large:
                ChildSpec.worker("large")
                ChildSpec.worker("larger")
            }
            if workers == 0 { ChildSpec.worker("nobody") } else { ChildSpec.worker("some") }
            [ChildSpec.worker("of an array")]
        }
    }

    @Test("children are written with if, for and switch, and as arrays")
    func builder() {
        #expect(
            Self.spec(.small, extra: true, workers: 2).children.map(\.id) == [
                "first", "extra", "worker 0", "worker 1", "small", "some", "of an array",
            ])
        #expect(
            Self.spec(.large, extra: false, workers: 0).children.map(\.id) == [
                "first", "large", "larger", "nobody", "of an array",
            ])
        #expect(SupervisorSpec {}.children.isEmpty)
    }

    @Test("what a child is: both servers, closures, supervisors; their ids by default")
    func kinds() async throws {
        try await withNode { node in
            let tree = try await node.spawn(
                Supervisor.self,
                SupervisorSpec {
                    ChildSpec(Counter.self, 1, name: "counter")
                    ChildSpec(AsyncCounter.self, 2)
                    ChildSpec("clock", name: "clock") { process in
                        while true { try await process.sleep(for: .seconds(1)) }
                    }
                    ChildSpec.supervisor("inner", strategy: .oneForAll) {
                        ChildSpec(Counter.self, 3, id: "third", name: "deep")
                        ChildSpec.supervisor("innermost") {
                            ChildSpec(Counter.self, 4, name: "deepest")
                        }
                    }
                })
            #expect(try await tree.ids == ["counter", "AsyncCounter", "clock", "inner"])
            #expect(
                try await tree.whichChildren().reversed().map(\.behaviour) == [
                    "Counter", "AsyncCounter", "closure", "Supervisor",
                ])
            #expect(node.whereis("clock") == (try await tree.pid(of: "clock")))
            let deepest = try #require(node.whereis("deepest", as: Counter.self))
            #expect(try await deepest.call(.value) == 4)
            // A name finds whichever instance runs.
            node.kill(deepest.pid)
            await waitWhile { [nil, deepest].contains(node.whereis("deepest", as: Counter.self)) }
            let next = try #require(node.whereis("deepest", as: Counter.self))
            #expect(try await next.call(.value) == 4)
        }
    }

    @Test("the state of a child begins anew, and its parent and links are those of a child")
    func newInstance() async throws {
        try await withNode { node in
            let tree = try await node.supervise([ChildSpec(Counter.self, 1, name: "counter")])
            let old = try #require(node.whereis("counter", as: Counter.self))
            try old.cast(.increment(by: 5))
            #expect(try await old.call(.value) == 6)
            try old.cast(.fail(1))
            #expect(try await old.exitReason == .error(TestError(1)))
            _ = try await tree.whichChildren()
            let new = try #require(node.whereis("counter", as: Counter.self))
            #expect(try await new.call(.value) == 1)
            #expect(new.info?.parent == tree.pid && new.info?.links == [tree.pid])
            #expect(tree.info?.links == [new.pid])
        }
    }

    // MARK: - Start functions

    @Test("a closure that does nothing but throw is a process that fails, and not a start function")
    func onlyThrows() async throws {
        try await withNode { node in
            let tree = try await node.supervise(
                limit: RestartLimit(2, within: .seconds(1000)),
                [ChildSpec("c1") { _ in throw TestError(1) }])
            #expect(try await tree.exitReason == .shutdown)
        }
    }

    @Test("a start function may return a process that is not linked: it is linked and supervised")
    func unlinked() async throws {
        try await withNode { node in
            let starts = Log<Pid>()
            let tree = try await node.supervise([
                .startFunction("c1") { _ in
                    let process = try node.idle()
                    starts.append(process.pid)
                    return StartedChild(process.pid)
                }
            ])
            let first = try await tree.pid(of: "c1")
            #expect(tree.info?.links == [first])
            await node.waitForEnd(of: first) { node.kill(first) }
            let second = try await tree.pid(of: "c1")
            #expect(starts.elements == [first, second])
            try await tree.stop()
            #expect(node.count == 0)
        }
    }

    @Test("a start function that returns a dead process: that counts as a failure")
    func dead() async throws {
        try await withNode { node in
            let starts = Count()
            let tree = try await node.supervise(
                limit: RestartLimit(3, within: .seconds(1000)),
                [
                    .startFunction("c1") { _ in
                        starts.add()
                        let process = try node.spawn { _ in }
                        _ = try await process.exitReason
                        return StartedChild(process.pid)
                    }
                ])
            #expect(try await tree.exitReason == .shutdown)
            #expect(starts.value == 4)
        }
    }

    @Test("a linked child of a start function that ends at once: its own reason counts")
    func endsAtOnce() async throws {
        try await withNode { node in
            for _ in 0..<300 {
                let starts = Count()
                let tree = try await node.supervise([
                    .startFunction("c1", restart: .transient) { starter in
                        starts.add()
                        return StartedChild(try starter.spawnLinked { _ in }.pid)
                    }
                ])
                // The process is not found any more shortly before the supervisor is told.
                while try await tree.status(of: "c1") != .stopped { await Task.yield() }
                #expect(starts.value == 1)
                try await tree.stop()
            }
        }
    }

    @Test("a linked child that has ended before its start function returns has its own reason")
    func endsBeforeReturn() async throws {
        let reason = ExitReason.shutdown("held")
        let (hasEnded, release) = (Gate(), Gate())
        // It is not found any more, and the supervisor has not been told.
        let sink = EventHandler(.exited) { event in
            guard case .exited(_, reason) = event else { return }
            hasEnded.open()
            release.waitBlocking()
        }
        try await withNode(NodeOptions(events: sink)) { node in
            defer { release.open() }
            let starts = Count()
            let tree = try await node.supervise([
                .startFunction("c1", restart: .transient) { starter in
                    starts.add()
                    let child = try starter.spawnLinked(options: .init(ownThread: true)) {
                        _ -> Void in throw reason
                    }
                    await hasEnded.wait()
                    return StartedChild(child.pid)
                }
            ])
            let pid = try await tree.pid(of: "c1")
            #expect(!node.isAlive(pid))
            #expect(try await tree.pid(of: "c1") == pid)
            release.open()
            while try await tree.status(of: "c1") != .stopped { await Task.yield() }
            #expect(starts.value == 1)
        }
    }

    // MARK: - Back-off and budget

    private static let longBackoff = ChildRecovery(
        backoff: RestartBackoff(from: .seconds(3600), upTo: .seconds(7200)))

    @Test("a child with a back-off waits; terminating it ends the wait")
    func backoffWaits() async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise([
                .worker("c1", log, recovery: Self.longBackoff), .worker("c2", log),
            ])
            try await node.end(tree.pid(of: "c1"))
            #expect(try await tree.status(of: "c1") == .restarting)
            let refusal = await tree.refusal { (tree: Tree) async throws(SupervisorError) in
                try await tree.restartChild("c1")
            }
            #expect(refusal == .restarting("c1"))
            try await tree.terminateChild("c1")
            #expect(try await tree.status(of: "c1") == .stopped)
            try await tree.restartChild("c1")
            #expect(node.isAlive(try await tree.pid(of: "c1")))
            #expect(log.elements == ["+c1", "+c2", "-c1 crash", "+c1"])
            // A supervisor that ends does not wait either.
            try await node.end(tree.pid(of: "c1"))
            try await tree.stop()
            #expect(log.elements.suffix(2) == ["-c1 crash", "-c2 shutdown"])
        }
    }

    @Test("after a short back-off the child is started again, without anybody asking")
    func backoffRestarts() async throws {
        try await withNode { node in
            let log = Log<String>()
            let backoff = RestartBackoff(
                from: .milliseconds(20), upTo: .milliseconds(40), jitter: 0)
            let attempts = Count()
            let tree = try await node.supervise([
                .worker("c1", log, recovery: .init(backoff: backoff)) { _ in
                    if (1...2).contains(attempts.add()) { throw TestError(1) }
                }
            ])
            let begin = node.clock.now
            try await node.end(tree.pid(of: "c1"))
            _ = await log.wait(for: 3)
            // After 20, 40 and 40 milliseconds.
            #expect(begin.duration(to: node.clock.now) >= .milliseconds(100))
            #expect(attempts.value == 4 && log.elements == ["+c1", "-c1 crash", "+c1"])
            #expect(node.isAlive(try await tree.pid(of: "c1")))
        }
    }

    @Test(
        "a group with a back-off is ended at once and started together, later",
        arguments: [SupervisorStrategy.oneForAll, .restForOne])
    func groupBackoff(strategy: SupervisorStrategy) async throws {
        try await withNode { node in
            let log = Log<String>()
            let backoff = RestartBackoff(from: .milliseconds(5), upTo: .milliseconds(5))
            let tree = try await node.supervise(
                strategy,
                [
                    .worker("c1", log), .worker("c2", log, recovery: .init(backoff: backoff)),
                    .worker("c3", log),
                ])
            try await node.end(tree.pid(of: "c2"))
            let count = strategy == .oneForAll ? 9 : 7
            let elements = await log.wait(for: count)
            #expect(
                elements.dropFirst(3)
                    == (strategy == .oneForAll
                        ? ["-c2 crash", "-c3 shutdown", "-c1 shutdown", "+c1", "+c2", "+c3"]
                        : ["-c2 crash", "-c3 shutdown", "+c2", "+c3"]))
            #expect(try await tree.countChildren().active == 3)
        }
    }

    @Test("while a group waits for its back-off, its members are stopped and can be started")
    func groupWaits() async throws {
        try await withNode { node in
            let tree = try await node.supervise(
                .oneForAll, [.worker("c1"), .worker("c2", recovery: Self.longBackoff)])
            try await node.end(tree.pid(of: "c2"))
            #expect(try await tree.status(of: "c1") == .stopped)
            #expect(try await tree.status(of: "c2") == .restarting)
            try await tree.restartChild("c1")
            #expect(node.isAlive(try await tree.pid(of: "c1")))
        }
    }

    @Test(
        "members of a group that wait are started when nobody is left to wait for",
        arguments: [false, true])
    func groupWaitsForNobody(isChanged: Bool) async throws {
        try await withNode { node in
            let children: [ChildSpec] = [.worker("c1"), .worker("c2", recovery: Self.longBackoff)]
            let tree = try await node.supervise(.oneForAll, children)
            try await node.end(tree.pid(of: "c2"))
            #expect(try await tree.status(of: "c1") == .stopped)
            if isChanged {
                try await tree.change(to: SupervisorSpec(strategy: .oneForOne, children: children))
            } else {
                try await tree.terminateChild("c2")
            }
            // By the time of the answer, and not only of the next one.
            #expect(tree.info?.links.count == 1)
            #expect(node.isAlive(try await tree.pid(of: "c1")))
            #expect(try await tree.status(of: "c2") == (isChanged ? .restarting : .stopped))
        }
    }

    @Test("a child that has used up its budget is given up; its siblings and supervisor live")
    func budget() async throws {
        let reports = Log<SupervisorReport>()
        try await withNode(supervisorReports(.supervisorReport, in: reports)) { node in
            let budget = RestartLimit(2, within: .seconds(1000))
            let tree = try await node.supervise(
                limit: RestartLimit(0),
                [.worker("c1", recovery: .init(budget: budget)), .worker("c2")])
            let sibling = try await tree.pid(of: "c2")
            for _ in 0..<3 { try await node.end(tree.pid(of: "c1")) }
            #expect(try await tree.status(of: "c1") == .stopped)
            #expect(try await tree.pid(of: "c2") == sibling)
            #expect(
                reports.elements.map(\.occurrence) == [
                    .terminated(.custom("crash")), .terminated(.custom("crash")),
                    .terminated(.custom("crash")), .childGivenUp,
                ])
            // It can be started by hand, and is given up again at once.
            try await tree.restartChild("c1")
            try await node.end(tree.pid(of: "c1"))
            #expect(try await tree.status(of: "c1") == .stopped)
            #expect(node.isAlive(tree.pid))
        }
    }

    @Test("a budget also counts attempts that fail")
    func budgetOfAttempts() async throws {
        try await withNode { node in
            let attempts = Count()
            let recovery = ChildRecovery(budget: RestartLimit(3, within: .seconds(1000)))
            let tree = try await node.supervise([
                .worker("c1", recovery: recovery) { _ in
                    if attempts.add() > 0 { throw TestError(1) }
                },
                .worker("c2"),
            ])
            try await node.end(tree.pid(of: "c1"))
            for _ in 0..<5 { _ = try await tree.whichChildren() }
            #expect(try await tree.status(of: "c1") == .stopped)
            #expect(attempts.value == 4)
            #expect(node.isAlive(try await tree.pid(of: "c2")))
        }
    }

    @Test(
        "siblings that were ended with a child that is given up are started without it",
        arguments: [SupervisorStrategy.oneForAll, .restForOne])
    func budgetOfAGroup(_ strategy: SupervisorStrategy) async throws {
        try await withNode { node in
            let attempts = Count()
            let recovery = ChildRecovery(budget: RestartLimit(1, within: .seconds(1000)))
            let tree = try await node.supervise(
                strategy, limit: RestartLimit(0),
                [
                    .worker("c1", recovery: recovery) { _ in
                        if attempts.add() > 0 { throw TestError(1) }
                    },
                    .worker("c2"),
                ])
            let old = try await tree.pid(of: "c2")
            try await node.end(tree.pid(of: "c1"))
            for _ in 0..<5 { _ = try await tree.whichChildren() }
            #expect(attempts.value == 2)
            #expect(try await tree.status(of: "c1") == .stopped)
            let next = try await tree.pid(of: "c2")
            #expect(next != old && node.isAlive(next))
        }
    }

    // MARK: - Reports

    @Test("a supervisor reports what becomes of its children")
    func reports() async throws {
        let reports = Log<SupervisorReport>()
        let kinds = Log<EventKind>()
        let sink = EventHandler([.supervisorReport, .progress]) { event in
            guard case .supervisor(let report) = event else { return }
            kinds.append(event.kind)
            reports.append(report)
        }
        try await withNode(NodeOptions(events: sink)) { node in
            let attempts = Count()
            let tree = try await node.spawn(
                Supervisor.self,
                SupervisorSpec(limit: RestartLimit(2, within: .seconds(1000))) {
                    ChildSpec.worker("c1") { _ in if attempts.add() == 2 { throw TestError(1) } }
                }, options: .init(name: "tree"))
            let first = try await tree.pid(of: "c1")
            try await node.end(first)
            let second = try await tree.pid(of: "c1")
            try await node.end(second, .normal)
            #expect(try await tree.exitReason == .shutdown)
            let cause = SpawnError.initFailed(.error(TestError(1)))
            #expect(
                reports.elements.map(\.occurrence) == [
                    .started, .terminated(.custom("crash")), .restarted, .terminated(.normal),
                    .startFailed(ChildStartFailure(id: "c1", error: cause)), .givenUp,
                ])
            #expect(
                kinds.elements == [
                    .progress, .supervisorReport, .progress, .supervisorReport, .supervisorReport,
                    .supervisorReport,
                ])
            #expect(
                reports.elements.map(\.pid) == [first, first, second, second, nil, nil])
            for report in reports.elements {
                #expect(report.supervisor == tree.pid && report.child == "c1")
                #expect(report.names == ["tree"])
            }
        }
    }

    @Test("a clean end of a transient or temporary child is no trouble, an unclean one is")
    func reportsOfEnds() async throws {
        let reports = Log<SupervisorReport>()
        try await withNode(supervisorReports(.supervisorReport, in: reports)) { node in
            let tree = try await node.supervise([
                .worker("c1", restart: .transient), .worker("c2", restart: .temporary),
                .worker("c3", restart: .temporary),
            ])
            for id in ["c1", "c2"] { try await node.end(tree.pid(of: id), .normal) }
            try await node.end(tree.pid(of: "c3"), .custom("bad"))
            _ = try await tree.whichChildren()
            #expect(reports.elements.map(\.occurrence) == [.terminated(.custom("bad"))])
            #expect(reports.elements.map(\.child) == ["c3"])
        }
    }

    @Test("a permanent child that ends otherwise than with shutdown when told to is reported")
    func reportsOfShutdown() async throws {
        for (restart, reason, isReported) in [
            (Restart.permanent, ExitReason.normal, true), (.permanent, .shutdown("x"), true),
            (.permanent, .shutdown, false), (.permanent, .custom("x"), true),
            (.transient, .normal, false), (.transient, .shutdown("x"), false),
            (.transient, .custom("x"), true), (.temporary, .normal, false),
        ] {
            let reports = Log<SupervisorReport>()
            try await withNode(supervisorReports(.supervisorReport, in: reports)) { node in
                let tree = try await node.supervise([
                    .worker("c1", restart: restart, onEnd: { _ in throw reason })
                ])
                try await tree.terminateChild("c1")
                #expect(
                    reports.elements.map(\.occurrence)
                        == (isReported ? [.shutdownFailed(reason)] : []), "\(restart) \(reason)")
            }
        }
    }
}
