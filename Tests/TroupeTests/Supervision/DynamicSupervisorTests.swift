//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Dynamic supervisors", .timeLimit(.minutes(4)))
struct DynamicSupervisorTests {
    private func counters(
        _ restart: Restart = .permanent, limit: RestartLimit = RestartLimit(),
        childLimit: Int? = nil, recovery: ChildRecovery = ChildRecovery()
    ) -> DynamicSupervisorSpec<Int> {
        DynamicSupervisorSpec(limit: limit, childLimit: childLimit) { start in
            ChildSpec(Counter.self, start, restart: restart, recovery: recovery)
        }
    }

    /// OTP: `simple_one_for_one_scale_many_temporary_children`.
    @Test("many thousands of children start, and end with their supervisor")
    func many() async throws {
        let wanted = TestEnvironment.number("TROUPE_STRESS_OPERATIONS") ?? 100_000
        let count = min(wanted / 10, 100_000)
        try await withNode { node in
            let supervisor = try await node.spawn(
                DynamicSupervisor<Int>.self, counters(.transient))
            for number in 0..<count { try await supervisor.startChild(number) }
            #expect(try await supervisor.countChildren().active == count)
            let children = try await supervisor.whichChildren(timeout: .seconds(60))
            for child in children.prefix(count / 2) {
                try await supervisor.terminateChild(try #require(child.pid))
            }
            #expect(try await supervisor.countChildren().active == count - count / 2)
            try await supervisor.stop()
            #expect(node.count == 0)
        }
    }

    /// OTP: `simple_one_for_one_shutdown`, `sup_stop_timeout_dynamic`.
    @Test("when the supervisor ends its children end at the same time")
    func endTogether() async throws {
        try await withReports { node, reports in
            let count = 30
            let (ending, mayEnd) = (Shared(0), Gate())
            let spec = DynamicSupervisorSpec { (_: Int) in
                ChildSpec(
                    SlowChild.self,
                    .init(
                        isEnding: { if ending.increment() == count { mayEnd.open() } },
                        mayEnd: mayEnd))
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            for number in 0..<count { try await supervisor.startChild(number) }
            try await supervisor.stop()
            #expect(ending.value == count)
            #expect(reports.elements.allSatisfy { $0.occurrence == .started })
        }
    }

    /// OTP: `sup_stop_brutal_kill_dynamic`, `sup_stop_timeout_dynamic`.
    @Test("a child whose time is over is killed, however long another may take")
    func ownDeadlines() async throws {
        try await withReports { node, reports in
            let mayEnd = Gate()
            let supervisor = try await node.spawn(DynamicSupervisor<ChildSpec>.self, .init())
            let slow = ChildSpec(
                SlowChild.self, .init(mayEnd: mayEnd), shutdown: .infinity)
            try await supervisor.startChild(slow)
            var deaf: [Pid] = []
            for shutdown in [Shutdown.timeout(.milliseconds(5)), .timeout(.zero), .brutalKill] {
                let child = ChildSpec("deaf", options: .trapping, shutdown: shutdown) { process in
                    while true { _ = try await process.receive() }
                }
                deaf.append(try await supervisor.startPid(child))
            }
            let late = ChildSpec(SlowChild.self, .init(mayEnd: mayEnd), shutdown: .infinity)
            try await supervisor.startChild(late)
            async let stop: Void = supervisor.stop()
            await waitWhile { [deaf] in deaf.contains { node.isAlive($0) } }
            #expect(node.isAlive(supervisor.pid))
            mayEnd.open()
            try await stop
            // A brutal kill is what was asked for.
            let failures = reports.elements.filter { $0.occurrence == .shutdownFailed(.killed) }
            #expect(failures.compactMap(\.pid) == Array(deaf.prefix(2)))
            #expect(reports.elements.count == 5 + 2)
        }
    }

    @Test("children that do not even end after a kill are left behind, all within one grace")
    func stuck() async throws {
        try await withReports { node, reports in
            let (count, grace, gate) = (8, Duration.milliseconds(500), Gate())
            let spec = DynamicSupervisorSpec(killGrace: grace) { (number: Int) in
                ChildSpec(
                    Recorder.self, .init(Log()), options: .init(ownThread: true),
                    shutdown: number % 2 == 0 ? .brutalKill : .timeout(.milliseconds(1)))
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            var pids: [Pid] = []
            for number in 0..<count {
                let pid = try await supervisor.startPid(number)
                pids.append(pid)
                guard case .process(let cell) = node.locate(pid) else { continue }
                let isBlocked = Gate()
                try ServerRef<Recorder>(cell).cast { _ in
                    isBlocked.open()
                    gate.waitBlocking()
                }
                await isBlocked.wait()
            }
            let begin = node.clock.now
            try await supervisor.stop()
            #expect(begin.duration(to: node.clock.now) < grace * (count - 1))
            let stuck = reports.elements.dropFirst(count)
            #expect(Set(stuck.compactMap(\.pid)) == Set(pids) && stuck.count == count)
            for report in stuck {
                guard case .stuck(let child) = report.occurrence, child.behaviour == "Recorder",
                    child.message == .cast, child.messageType == "Recorder.Cast"
                else {
                    Issue.record("\(report)")
                    continue
                }
                // It is gone from the tables all the same.
                #expect(report.pid.map { node.isAlive($0) } == false)
            }
            gate.open()
            await waitWhile { node.count > 0 }
        }
    }

    @Test("a child that is stuck in a message is reported, once, and the others are served")
    func stuckWatch() async throws {
        try await withReports { node, reports in
            let gate = Gate()
            let spec = DynamicSupervisorSpec(stuckAfter: .milliseconds(20)) { (_: Int) in
                ChildSpec(
                    Recorder.self, .init(Log()), options: .init(ownThread: true),
                    restart: .temporary)
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            let pid = try await supervisor.startPid(1)
            guard case .process(let cell) = node.locate(pid) else { return }
            try ServerRef<Recorder>(cell).cast { _ in gate.waitBlocking() }
            let report = try #require(await reports.wait(for: 2).last)
            guard case .stuck(let child) = report.occurrence, child.behaviour == "Recorder",
                child.message == .cast, child.messageType == "Recorder.Cast"
            else {
                Issue.record("\(report)")
                return
            }
            #expect(report.pid == pid && child.duration >= .milliseconds(20))
            let other = try await supervisor.startPid(2)
            #expect(try await supervisor.whichChildren().map(\.pid) == [other, pid])
            gate.open()
            try await supervisor.terminateChild(pid)
            #expect(reports.elements.count == 3)
        }
    }

    @Test("of many starts at once as many succeed as there may be children")
    func concurrentStarts() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(
                DynamicSupervisor<Int>.self, counters(childLimit: 10))
            let outcomes = await withTaskGroup(of: SupervisorError?.self) { group in
                for number in 0..<50 {
                    group.addTask { await supervisor.startFailure(number) }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count { $0 == nil } == 10)
            #expect(outcomes.count { $0 == .tooManyChildren(limit: 10) } == 40)
            let pids = try await supervisor.whichChildren().compactMap(\.pid)
            #expect(Set(pids).count == 10 && node.count == 11)
            try await supervisor.terminateChild(pids[3])
            #expect(await supervisor.startFailure(1) == nil)
            #expect(await supervisor.startFailure(1) == .tooManyChildren(limit: 10))
        }
    }

    @Test("children of one supervisor are started and killed from everywhere; it loses none")
    func hammered() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(
                DynamicSupervisor<Int>.self,
                counters(.permanent, limit: RestartLimit(1_000_000_000)))
            await withTaskGroup { group in
                for seed in 0..<4 as Range<UInt64> {
                    group.addTask {
                        var random = SeededGenerator(seed: seed)
                        for number in 0..<100 {
                            guard let pid = try? await supervisor.startPid(number) else { continue }
                            guard Bool.random(using: &random) else { continue }
                            let server = node.server(Counter.self, at: pid)
                            node.kill(pid)
                            // The supervisor has been told then, before it is asked below.
                            _ = try? await server?.exitReason
                        }
                    }
                }
            }
            let children = try await supervisor.whichChildren()
            #expect(Set(children.compactMap(\.pid)).count == 400)
            await waitWhile { node.count > 401 }
            #expect(Set(node.processes).subtracting(children.compactMap(\.pid)) == [supervisor.pid])
        }
    }

    @Test("a back-off delays the restart; the child is shown as restarting until then")
    func backoff() async throws {
        try await withReports { node, reports in
            let hour = Duration.seconds(3600)
            let backoff = RestartBackoff(from: .milliseconds(30), upTo: hour, jitter: 0)
            let supervisor = try await node.spawn(
                DynamicSupervisor<Int>.self,
                counters(limit: RestartLimit(10), recovery: ChildRecovery(backoff: backoff)))
            var pid = try await supervisor.startPid(1)
            for delay in [30, 60] {
                let begin = node.clock.now
                let seen = reports.elements.count
                node.kill(pid)
                let report = try #require(await reports.wait(for: seen + 2).last)
                #expect(report.occurrence == .restarted)
                #expect(begin.duration(to: node.clock.now) >= .milliseconds(delay))
                pid = try #require(report.pid)
            }
            let patient = try await node.spawn(
                DynamicSupervisor<Int>.self,
                counters(recovery: ChildRecovery(backoff: RestartBackoff(from: hour, upTo: hour))))
            pid = try await patient.startPid(1)
            node.kill(pid)
            while try await patient.countChildren().active > 0 { await Task.yield() }
            #expect(try await patient.whichChildren().map(\.status) == [.restarting])
            try await patient.terminateChild(pid)
            #expect(try await patient.whichChildren() == [])
        }
    }

    @Test("a child with a budget of its own is given up when that is used up, and it alone")
    func budget() async throws {
        try await withReports { node, reports in
            let supervisor = try await node.spawn(
                DynamicSupervisor<Int>.self,
                counters(
                    limit: RestartLimit(0), recovery: ChildRecovery(budget: RestartLimit(1))))
            let sibling = try await supervisor.startPid(2)
            let first = try await supervisor.startPid(1)
            node.kill(first)
            let second = try #require(await reports.wait(for: 4).last?.pid)
            node.kill(second)
            let last = await reports.wait(for: 6).suffix(2)
            #expect(last.map(\.occurrence) == [.terminated(.killed), .childGivenUp])
            #expect(last.map(\.pid) == [second, second])
            #expect(try await supervisor.whichChildren().map(\.pid) == [sibling])
        }
    }

    @Test("a supervisor that is killed takes its children along, also the one that starts")
    func killed() async throws {
        try await withNode { node in
            let (begun, never) = (Gate(), Gate())
            let spec = DynamicSupervisorSpec { (isSlow: Bool) in
                isSlow
                    ? ChildSpec(WaitingServer.self, Script(initWaits: (begun, never)))
                    : ChildSpec(WaitingServer.self, Script())
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Bool>.self, spec)
            for _ in 0..<10 { try await supervisor.startChild(false) }
            async let failure = supervisor.startFailure(true)
            await begun.wait()
            node.kill(supervisor.pid)
            // An init that does not heed its cancellation holds the end up.
            never.open()
            #expect(await failure == .call(.exited(.killed)))
            await waitWhile { node.count > 0 }
            #expect(await supervisor.startFailure(false) == .call(.noProcess(supervisor.pid)))
            #expect(
                await supervisor.terminateFailure(supervisor.pid)
                    == .call(.noProcess(supervisor.pid)))
        }
    }

    @Test("whoever does not wait long enough finds the child started all the same")
    func callerGivesUp() async throws {
        try await withNode { node in
            let (begun, until) = (Gate(), Gate())
            let spec = DynamicSupervisorSpec { (_: Int) in
                ChildSpec(WaitingServer.self, Script(initWaits: (begun, until)))
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, spec)
            await #expect(throws: SupervisorError.call(.timeout(supervisor.pid))) {
                try await supervisor.startChild(1, timeout: .milliseconds(10))
            }
            await begun.wait()
            until.open()
            #expect(try await supervisor.countChildren().active == 1)
        }
    }

    @Test("every mistake of a specification is named, before anything starts")
    func mistakes() async throws {
        try await withNode { node in
            var spec = DynamicSupervisorSpec<ChildSpec>(
                limit: RestartLimit(-1), childLimit: -3, stuckAfter: .zero,
                killGrace: .milliseconds(-1))
            let expected: [SpecMistake.Kind] = [
                .limitInvalid(RestartLimit(-1)), .durationNegative(.zero),
                .durationNegative(.milliseconds(-1)), .childCountInvalid(-3),
            ]
            #expect(spec.mistakes.map(\.kind) == expected)
            let invalid = SpecInvalid(mistakes: spec.mistakes)
            #expect(throws: invalid) { try spec.check() }
            let failure = await spawnFailure { () async throws(SpawnError) in
                try await node.spawn(DynamicSupervisor<ChildSpec>.self, spec)
            }
            #expect(failure?.initReason == .error(invalid))

            spec = DynamicSupervisorSpec(childLimit: 1)
            #expect(spec.mistakes == [])
            let supervisor = try await node.spawn(DynamicSupervisor<ChildSpec>.self, spec)
            let child = ChildSpec(
                "", name: "", options: .init(mailbox: .init(capacity: 0)),
                shutdown: .timeout(.seconds(-1)), isSignificant: true,
                recovery: ChildRecovery(budget: RestartLimit(1, within: .zero))
            ) { _ in Issue.record("must not run") }
            guard case .specInvalid(let error) = await supervisor.startFailure(child) else {
                Issue.record("the child was started")
                return
            }
            #expect(
                error.mistakes.map(\.kind) == [
                    .idEmpty, .durationNegative(.seconds(-1)), .significantPermanent,
                    .significantWithoutAutoShutdown, .limitInvalid(RestartLimit(1, within: .zero)),
                    .mailboxCapacityInvalid(0), .nameInvalid(""),
                ])
            #expect(try await supervisor.whichChildren() == [])
        }
    }

    @Test("start functions that return a process twice, or one that has ended")
    func strangeStarts() async throws {
        try await withNode { node in
            let child = try node.idle()
            let spec = DynamicSupervisorSpec { (pid: Pid) in
                .startFunction("child", restart: .temporary) { _ in StartedChild(pid) }
            }
            let supervisor = try await node.spawn(DynamicSupervisor<Pid>.self, spec)
            for _ in 0..<2 { #expect(try await supervisor.startPid(child.pid) == child.pid) }
            #expect(try await supervisor.whichChildren().map(\.pid) == [child.pid])
            #expect(node.info(child.pid)?.links == [supervisor.pid])
            try await supervisor.terminateChild(child.pid)
            #expect(!node.isAlive(child.pid))
            #expect(try await supervisor.startPid(child.pid) == child.pid)
            while try await supervisor.whichChildren() != [] { await Task.yield() }
            #expect(node.processes == [supervisor.pid])
        }
    }

    @Test("it is a supervisor itself, and its children may be")
    func nested() async throws {
        try await withNode { node in
            let child = ChildSpec(DynamicSupervisor<Int>.self, counters(), name: "inner")
            #expect(child.type == .supervisor && child.shutdown == .infinity)
            let outer = try await node.spawn(DynamicSupervisor<ChildSpec>.self, .init())
            let first = try await outer.startPid(child)
            #expect(
                try await outer.countChildren()
                    == ChildCount(specs: 1, active: 1, supervisors: 1, workers: 0))
            let inner = try #require(node.whereis("inner", as: DynamicSupervisor<Int>.self))
            #expect(inner.pid == first)
            let grandchild = try await inner.startPid(1)
            node.kill(first)
            await waitWhile {
                node.isAlive(grandchild)
                    || (node.whereis("inner", as: DynamicSupervisor<Int>.self)?.pid ?? first)
                        == first
            }
            let again = try #require(node.whereis("inner", as: DynamicSupervisor<Int>.self))
            #expect(try await again.whichChildren() == [])
            try await again.startChild(2)
            #expect(node.count == 3)
        }
    }

    @Test("messages that mean nothing to it are reported, and it goes on")
    func strangeMessages() async throws {
        let events = Log<Event>()
        try await withNode(problemsLogged(in: events)) { node in
            let supervisor = try await node.spawn(DynamicSupervisor<Int>.self, counters())
            let child = try await supervisor.startPid(1)
            try supervisor.send("what?")
            let stranger = try await node.partner(of: supervisor.pid)
            node.kill(stranger.pid)
            await waitWhile { node.count > 2 }
            #expect(try await supervisor.whichChildren().map(\.pid) == [child])
            // The crash of the stranger may be reported before the message is handled.
            let reports = events.elements.filter { event in
                if case .unhandledMessage(supervisor.pid, _, "String") = event {
                    true
                } else {
                    false
                }
            }
            #expect(reports.count == 1, "\(events.elements)")
        }
    }
}
