//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// Where OTP's `supervisor_SUITE` has a test of the same behaviour, it is named above ours.
@Suite("Conformance: dynamic supervisors", .timeLimit(.minutes(4)))
struct DynamicSupervisorConformanceTests {
    private let restarts: [Restart] = [.permanent, .transient, .temporary]

    private func counters(
        _ restart: Restart = .permanent, limit: RestartLimit = RestartLimit(),
        childLimit: Int? = nil
    ) -> DynamicSupervisorSpec<Int> {
        DynamicSupervisorSpec(limit: limit, childLimit: childLimit) { start in
            ChildSpec(Counter.self, start, restart: restart)
        }
    }

    /// OTP: `child_adm_simple`.
    @Test("DSUP-01 it starts without children, with one specification")
    func empty() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, counters())
            #expect(try await supervisor.whichChildren() == [])
            #expect(
                try await supervisor.countChildren()
                    == ChildCount(specs: 1, active: 0, supervisors: 0, workers: 0))
            #expect(node.processes == [supervisor.pid])
        }
    }

    /// OTP: `simple_one_for_one_extra`, `child_adm_simple`, `extra_return`.
    @Test("DSUP-02 a child is started with the argument, and listed without an id")
    func argument() async throws {
        try await withNode { node in
            let spec = DynamicSupervisorSpec { (start: Int) in
                ChildSpec.startFunction("a function", restart: .temporary) { starter in
                    let child = try starter.spawnLinked(Counter.self, start)
                    return StartedChild(child.pid, info: "starts at \(start)")
                }
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            var pids: [Pid] = []
            for start in [7, 8] {
                let child = try #require(try await supervisor.startChild(start))
                #expect(child.info as? String == "starts at \(start)")
                pids.append(child.pid)
            }
            let listed = pids.reversed().map { pid in
                ChildInfo(id: nil, status: .running(pid), type: .worker, behaviour: "function")
            }
            #expect(try await supervisor.whichChildren() == listed)
            for pid in pids { #expect(node.info(pid)?.links == [supervisor.pid]) }

            let templated = try await node.spawn(DynamicSupervisor<Int>.self, counters())
            let pid = try await templated.startPid(9)
            #expect(try await templated.whichChildren().map(\.behaviour) == ["Counter"])
            #expect(try await node.count(of: pid) == 9)
            #expect(
                try await templated.countChildren()
                    == ChildCount(specs: 1, active: 1, supervisors: 0, workers: 1))
        }
    }

    /// OTP: `sup_start_error_return`.
    @Test("DSUP-04 a child whose start refuses: the error as it is, and nothing is kept")
    func refused() async throws {
        try await withNode { node in
            for restart in restarts {
                let supervisor = try await node.spawn(
                    DynamicSupervisor<Int>.self, counters(restart))
                let failure = await supervisor.startFailure(-1)
                let error = SpawnError.initFailed(.error(TestError(-1)))
                #expect(failure == .startFailed(ChildStartFailure(id: "Counter", error: error)))
                guard case .startFailed(let refusal) = failure else { continue }
                #expect(refusal.error as? SpawnError == error)
                #expect(try await supervisor.whichChildren() == [])
                #expect(try await supervisor.countChildren() == ChildCount(specs: 1))
                #expect(node.info(supervisor.pid)?.links == [])
                try await supervisor.stop()
            }
        }
    }

    /// OTP: `sup_start_ignore_temporary_child_start_child_simple`,
    /// `sup_start_ignore_permanent_child_start_child_simple`.
    @Test("DSUP-05 a child whose start ignores: none is returned and nothing is kept")
    func ignored() async throws {
        try await withNode { node in
            for restart in restarts {
                for isFunction in [true, false] {
                    let spec = DynamicSupervisorSpec { (_: Int) in
                        isFunction
                            ? .startFunction("ignored", restart: restart) { _ in throw IgnoreStart()
                            }
                            : ChildSpec(
                                Recorder.self, .init(Log()) { _ in throw IgnoreStart() },
                                restart: restart)
                    }
                    let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
                    let child = try await supervisor.startChild(1)
                    #expect(child == nil)
                    #expect(try await supervisor.whichChildren() == [])
                    #expect(try await supervisor.countChildren() == ChildCount(specs: 1))
                    try await supervisor.stop()
                }
            }
        }
    }

    /// OTP: `child_adm_simple`, `simple_one_for_one`.
    @Test("DSUP-06 a child that is terminated is dead on return; a second time is fine, too")
    func terminate() async throws {
        try await withReports { node, reports in
            for restart in restarts {
                let supervisor = try await node.spawn(
                    DynamicSupervisor<Int>.self, counters(restart))
                let (pid, other) = (
                    try await supervisor.startPid(1), try await supervisor.startPid(2)
                )
                try await supervisor.terminateChild(pid)
                #expect(!node.isAlive(pid))
                #expect(try await supervisor.whichChildren().map(\.pid) == [other])
                try await supervisor.terminateChild(pid)
                #expect(try await supervisor.whichChildren().map(\.pid) == [other])
                try await supervisor.stop()
            }
            // Nothing but the starts was reported: no crash, and no child came back.
            #expect(reports.elements.map(\.occurrence) == Array(repeating: .started, count: 6))
        }
    }

    /// OTP: `child_adm_simple`.
    @Test("DSUP-07 a process that is no child is not terminated")
    func stranger() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, counters())
            let child = try await supervisor.startPid(1)
            let stranger = try node.idle()
            for pid in [stranger.pid, supervisor.pid] {
                #expect(await supervisor.terminateFailure(pid) == .processNotFound(pid))
                #expect(node.isAlive(pid))
            }
            #expect(stranger.isWell)
            #expect(try await supervisor.whichChildren().map(\.pid) == [child])
        }
    }

    /// OTP: `simple_one_for_one`, `simple_one_for_one_extra`,
    /// `dont_save_start_parameters_for_temporary_children`.
    @Test(
        "DSUP-09 a restarted child has a new pid and the same argument; a temporary one's is gone")
    func restart() async throws {
        try await withReports { node, reports in
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, counters())
            let (first, sibling) = (
                try await supervisor.startPid(5), try await supervisor.startPid(6)
            )
            node.kill(first)
            let seen = await reports.wait(for: 4).suffix(2)
            let second = try #require(seen.last?.pid)
            #expect(seen.map(\.occurrence) == [.terminated(.killed), .restarted])
            #expect(seen.first?.pid == first && seen.allSatisfy { $0.child == nil })
            #expect(second != first)
            // It keeps its place among the children.
            #expect(try await supervisor.whichChildren().map(\.pid) == [sibling, second])
            #expect(try await node.count(of: second) == 5)
            try await supervisor.stop()
        }
        try await withNode { node in
            for restart in restarts {
                let spec = DynamicSupervisorSpec { (token: Token) in
                    .startFunction("child", restart: restart) { starter in
                        try StartedChild(token.spawnIdle(starter))
                    }
                }
                let supervisor = try await node.spawn(DynamicSupervisor<Token>.self, spec)
                let (token, pid) = try await start(supervisor)
                if restart == .temporary {
                    await waitWhile { token.isHeld }
                } else {
                    _ = try await supervisor.whichChildren()
                    #expect(token.isHeld)
                    try await supervisor.terminateChild(pid)
                    await waitWhile { token.isHeld }
                }
                try await supervisor.stop()
            }
        }
    }

    private func start(
        _ supervisor: ServerRef<DynamicSupervisor<Token>>
    ) async throws -> (WeakToken, Pid) {
        let token = Token()
        return (WeakToken(token), try await supervisor.startPid(token))
    }

    /// OTP: `simple_one_for_one`, with a child that has nothing to do any more.
    @Test("DSUP-10 a restarted child that has nothing to start any more disappears")
    func restartIgnored() async throws {
        try await withNode { node in
            let starts = Shared(0)
            let spec = DynamicSupervisorSpec { (_: Int) in
                ChildSpec(
                    Recorder.self,
                    .init(Log()) { _ in
                        if starts.increment() > 1 { throw IgnoreStart() }
                    })
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            let pid = try await supervisor.startPid(1)
            node.kill(pid)
            await waitWhile { starts.value < 2 }
            #expect(try await supervisor.whichChildren() == [])
            #expect(try await supervisor.countChildren() == ChildCount(specs: 1))
            #expect(starts.value == 2)
        }
    }

    /// OTP: `count_restarting_children`, `hanging_restart_loop_simple`.
    @Test("DSUP-11 a child that cannot be restarted is listed so, and goes when it is terminated")
    func restarting() async throws {
        try await withNode { node in
            let starts = Shared(0)
            let spec = DynamicSupervisorSpec(limit: RestartLimit(1_000_000_000)) { (_: Int) in
                ChildSpec(
                    Recorder.self,
                    .init(Log()) { _ in
                        if starts.increment() > 1 { throw TestError(11) }
                    })
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            let pid = try await supervisor.startPid(1)
            node.kill(pid)
            // It tries again and again, and answers all the same.
            await waitWhile { starts.value < 10 }
            #expect(
                try await supervisor.whichChildren() == [
                    ChildInfo(
                        id: nil, status: .restarting, type: .worker, behaviour: "Recorder")
                ])
            #expect(
                try await supervisor.countChildren()
                    == ChildCount(specs: 1, active: 0, supervisors: 0, workers: 1))
            try await supervisor.terminateChild(pid)
            let count = starts.value
            #expect(try await supervisor.whichChildren() == [])
            #expect(try await supervisor.countChildren() == ChildCount(specs: 1))
            #expect(starts.value == count)
        }
    }

    @Test("DSUP-13 as many children as may be, with those that wait for their restart")
    func childLimit() async throws {
        try await withNode { node in
            let backoff = RestartBackoff(from: .seconds(3600), upTo: .seconds(3600))
            let spec = DynamicSupervisorSpec(childLimit: 2) { (start: Int) in
                ChildSpec(
                    Counter.self, start, recovery: ChildRecovery(backoff: backoff))
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            let (first, second) = (
                try await supervisor.startPid(1), try await supervisor.startPid(2)
            )
            #expect(await supervisor.startFailure(3) == .tooManyChildren(limit: 2))
            node.kill(first)
            while try await supervisor.countChildren().active == 2 { await Task.yield() }
            #expect(
                try await supervisor.whichChildren().map(\.status)
                    == [.running(second), .restarting])
            #expect(await supervisor.startFailure(3) == .tooManyChildren(limit: 2))
            try await supervisor.terminateChild(first)
            let third = try await supervisor.startPid(3)
            #expect(try await supervisor.whichChildren().map(\.pid) == [third, second])
            #expect(node.count == 3)
        }
    }

    /// OTP: `sup_start_error_return` and the start functions of `supervisor_1`.
    @Test("DSUP-14 a start function that throws, or ends as a process would, harms nobody else")
    func startThrows() async throws {
        try await withNode { node in
            let errors: [any Error] = [
                TestError(14), ExitReason.custom("out"), ExitReason.normal, CancellationError(),
                SpawnError.nameInvalid(""),
            ]
            let spec = DynamicSupervisorSpec { (index: Int) in
                ChildSpec.startFunction("child \(index)") { _ in throw errors[index] }
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            for (index, error) in errors.enumerated() {
                let expected = ChildStartFailure(id: "child \(index)", error: error)
                #expect(await supervisor.startFailure(index) == .startFailed(expected))
            }
            #expect(try await supervisor.whichChildren() == [])
            #expect(node.processes == [supervisor.pid])
        }
    }

    /// OTP: `simple_one_for_one_escalation`.
    @Test("DSUP-15 when the limit is reached because a restart fails the supervisor ends")
    func escalation() async throws {
        try await withReports { node, reports in
            let starts = Shared(0)
            let spec = DynamicSupervisorSpec(limit: RestartLimit(1)) { (id: Int) in
                ChildSpec(
                    Recorder.self,
                    .init(Log()) { _ in
                        if id == 0, starts.increment() > 1 {
                            throw TestError(15)
                        }
                    })
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            let sibling = try await supervisor.startPid(1)
            let pid = try await supervisor.startPid(0)
            node.kill(pid)
            #expect(try await supervisor.exitReason == .shutdown)
            #expect(!node.isAlive(sibling))
            #expect(starts.value == 2)
            let error = SpawnError.initFailed(.error(TestError(15)))
            #expect(
                reports.elements.dropFirst(2).map(\.occurrence) == [
                    .terminated(.killed),
                    .startFailed(ChildStartFailure(id: "Recorder", error: error)), .givenUp,
                ])
        }
    }
}

/// Something whose end of life can be seen.
private final class Token: Sendable {
    /// A process that does not hold the token.
    func spawnIdle(_ starter: ChildStarter) throws -> Pid {
        let child = try starter.spawnLinked { process in
            while true { _ = try await process.receive() }
        }
        return child.pid
    }
}

private final class WeakToken: Sendable {
    private weak let token: Token?

    init(_ token: Token) { self.token = token }

    var isHeld: Bool { token != nil }
}

extension Node {
    /// What a ``Counter`` counts that only its pid is known of.
    fileprivate func count(of pid: Pid) async throws -> Int? {
        guard case .process(let cell) = locate(pid), cell is DirectCell<Counter> else {
            return nil
        }
        return try await ServerRef<Counter>(cell).call(.value)
    }
}
