//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import TroupeTesting

@testable import Troupe

@Suite("A virtual clock on real threads", .timeLimit(.minutes(1)))
struct VirtualClockTests {
    private static let minutes5 = Duration.seconds(300)

    /// Notes when timers fire whose message reaches nobody: that event is sent while they do.
    private final class Moments: EventSink {
        let kinds: EventKind = .undelivered
        private let time: VirtualClock
        private let moments = Lock<[(type: String, at: Duration)]>([])

        init(_ time: VirtualClock) { self.time = time }

        func receive(_ event: Event) {
            guard case .undelivered(_, let type) = event else { return }
            let now = time.now
            moments.withLock { $0.append((type, now)) }
        }

        var all: [(type: String, at: Duration)] { moments.withLock { $0 } }
    }

    @Test("timers fire in the order of their deadlines, each at its own moment")
    func order() async throws {
        let time = VirtualClock()
        let moments = Moments(time)
        try await withNode(options: NodeOptions(events: moments), clock: time) { node in
            try node.send(3, to: "nobody", after: .seconds(30))
            try node.send("1", to: "nobody", after: .seconds(10))
            try node.send(2.0, to: "nobody", after: .seconds(20))
            try node.send(true, to: "nobody", after: .seconds(61))
            #expect(time.nextTimer == .seconds(10))
            time.advance(by: .seconds(60))
            #expect(moments.all.map(\.type) == ["String", "Double", "Int"])
            #expect(moments.all.map(\.at) == [.seconds(10), .seconds(20), .seconds(30)])
            #expect(time.now == .seconds(60))
            #expect(time.nextTimer == .seconds(61))
            time.advance(by: .seconds(-1))
            #expect(time.now == .seconds(60))
        }
    }

    @Test("what a timer arms when it fires comes due on the way")
    func repeats() async throws {
        let time = VirtualClock()
        let moments = Moments(time)
        try await withNode(options: NodeOptions(events: moments), clock: time) { node in
            try node.spawn { process in
                try process.send(1, to: "nobody", every: .seconds(7))
                _ = try await process.receive()
            }
            await time.settle()
            time.advance(by: .seconds(30))
            #expect(moments.all.map(\.at) == [7, 14, 21, 28].map { .seconds($0) })
        }
    }

    @Test("a timer whose moment has passed fires at once")
    func late() async throws {
        let time = VirtualClock()
        let moments = Moments(time)
        try await withNode(options: NodeOptions(events: moments), clock: time) { node in
            time.advance(by: .seconds(1))
            try node.send(1, to: "nobody", after: .zero)
            #expect(moments.all.map(\.at) == [.seconds(1)])
            try await node.clock.sleep(until: node.clock.now)
            #expect(time.now == .seconds(1))
        }
    }

    @Test("without being moved it stands still, however much happens")
    func standsStill() async throws {
        let time = VirtualClock()
        try await withNode(options: quiet, clock: time) { node in
            let subject = try node.spawn(Subject.self)
            let before = node.clock.now
            for _ in 1...100 { #expect(try await subject.call(.ping) == 1) }
            #expect(time.now == .zero && node.clock.now == before)
            #expect(node.info(subject.pid)?.uptime == .zero)
            time.advance(by: Self.minutes5)
            #expect(node.info(subject.pid)?.uptime == Self.minutes5)
            #expect(before.duration(to: node.clock.now) == Self.minutes5)
        }
    }

    @Test("tasks that move it at once move it one after the other")
    func concurrent() async throws {
        let time = VirtualClock()
        let moments = Moments(time)
        try await withNode(options: NodeOptions(events: moments), clock: time) { node in
            for second in 1...80 {
                try node.send(1, to: "nobody", after: .seconds(second))
            }
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { time.advance(by: .seconds(10)) } }
            }
            #expect(time.now == .seconds(80))
            #expect(moments.all.map(\.at) == (1...80).map { .seconds($0) })
        }
    }

    // MARK: - What goes by it

    /// Tells a probe when nothing has come for five minutes.
    private struct Sleepy: GenServer {
        let probe: Pid

        init(_ probe: Pid, process: ServerProcess) {
            self.probe = probe
            process.setIdleTimeout(after: VirtualClockTests.minutes5)
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {}

        mutating func handleTimeout(process: ServerProcess) throws {
            try process.send(Note.hello, to: probe)
            throw ExitReason.shutdown
        }
    }

    @Test("the idle timeout of a server: five minutes after the last message")
    func idleTimeout() async throws {
        let time = VirtualClock()
        try await withNode(options: quiet, clock: time) { node in
            let probe = try TestProbe(on: node)
            let sleepy = try node.spawn(Sleepy.self, probe.pid)
            await time.run(for: .seconds(200))
            try sleepy.send("wake up")
            await time.run(for: .seconds(299))
            try await probe.expectNoMessage(for: .zero)
            #expect(node.isAlive(sleepy.pid))
            let reason = try await expectExit(of: sleepy.pid, on: node) {
                await time.run(for: .seconds(1))
            }
            #expect(reason == .shutdown)
            #expect(try await probe.next(Note.self, within: .zero) == .hello)
            #expect(time.now == .seconds(500))
        }
    }

    @Test("the restart window of a supervisor", arguments: [4, 6])
    func restartWindow(secondsBetween: Int) async throws {
        let time = VirtualClock()
        try await withNode(options: quiet, clock: time) { node in
            let tree = SupervisorSpec(limit: RestartLimit(1, within: .seconds(5))) {
                ChildSpec(Subject.self, (), name: "child")
            }
            let supervisor = try await node.spawn(Supervisor.self, tree)
            func crashChild() async throws {
                let child = try #require(node.whereis("child"))
                let server = node.server(Subject.self, named: "child")
                try await expectExit(of: child, on: node) { try server.cast(.crash) }
                await time.settle()
            }
            try await crashChild()
            #expect(node.whereis("child") != nil)
            await time.run(for: .seconds(secondsBetween))
            try await crashChild()
            #expect(node.isAlive(supervisor.pid) == (secondsBetween > 5))
            #expect((node.whereis("child") != nil) == (secondsBetween > 5))
        }
    }

    @Test("a process that sleeps for a second, 300 times", arguments: [false, true])
    func sleep(onOwnThread: Bool) async throws {
        let time = VirtualClock()
        try await withNode(options: quiet, clock: time) { node in
            let probe = try TestProbe(on: node)
            let pid = probe.pid
            try node.spawn(options: ProcessOptions(ownThread: onOwnThread)) { process in
                while true {
                    try await process.sleep(for: .seconds(1))
                    try process.send(Note.at(time.now), to: pid)
                }
            }
            await time.run(for: Self.minutes5)
            let notes = probe.received.compactMap { $0 as? Note }
            #expect(notes == (1...300).map { .at(.seconds($0)) })
            #expect(time.now == Self.minutes5)
        }
    }

    @Test("the timeout of a call, of a process and of a test")
    func callTimeout() async throws {
        let time = VirtualClock()
        try await withNode(options: quiet, clock: time) { node in
            let probe = try TestProbe(on: node)
            let subject = try node.spawn(Subject.self)
            let caller = try node.spawn { process in
                do {
                    _ = try await subject.call(.hold(tell: nil), timeout: .seconds(60))
                } catch CallError.timeout { return time.now }
                return .zero
            }
            let outcome = Task {
                try await subject.call(.hold(tell: probe.pid), timeout: .seconds(90))
            }
            // The call has come, and the clock it goes by has been read.
            try await probe.next(Note.self)
            await time.run(for: .seconds(59))
            #expect(node.isAlive(caller.pid))
            await time.run(for: .seconds(31))
            #expect(!node.isAlive(caller.pid))
            #expect(try await caller.value == .seconds(60))
            await #expect(throws: CallError.timeout(subject.pid)) { try await outcome.value }
        }
    }

    @Test("the timeout of a call that blocks its thread")
    func blockingCall() async throws {
        let time = VirtualClock()
        try await withNode(options: quiet, clock: time) { node in
            let probe = try TestProbe(on: node)
            let subject = try node.spawn(Subject.self)
            let pid = probe.pid
            Platform.startThread(name: "caller") {
                let result = Result<Int, any Error> {
                    try subject.directBlocking(.hold(tell: pid), timeout: .seconds(60))
                }
                guard case .failure(let error) = result, let error = error as? CallError else {
                    return
                }
                try? node.send(error, to: pid)
            }
            try await probe.next(Note.self)
            time.advance(by: .seconds(60))
            #expect(try await probe.next(CallError.self) == .timeout(subject.pid))
        }
    }

    // MARK: - Settling

    @Test("settling waits for what is handled, and not longer than one likes")
    func settles() async throws {
        let time = VirtualClock()
        try await withNode(options: quiet, clock: time) { node in
            let probe = try TestProbe(on: node)
            let subjects = try (0..<50).map { _ in try node.spawn(Subject.self) }
            for round in 1...20 {
                for subject in subjects { try subject.cast(.tell(probe.pid, .number(round))) }
                #expect(await time.settle())
                #expect(probe.received.count == 50 * round)
            }
            let parker = Parker()
            try subjects[0].cast(.run { parker.park() })
            #expect(await !time.settle(within: .milliseconds(10)))
            #expect(await !time.run(for: .seconds(1), settlingWithin: .milliseconds(10)))
            #expect(time.now == .seconds(1))
            let settled = Task { await time.settle() }
            parker.unpark()
            #expect(await settled.value)
            #expect(node.info(subjects[0].pid)?.activity == .waiting)
        }
    }

    @Test("settling sees what passes between own threads and the others")
    func settlesOwnThreads() async throws {
        let time = VirtualClock()
        try await withNode(options: quiet, clock: time) { node in
            let probe = try TestProbe(on: node)
            // A message goes around among processes with and without threads of their own.
            var next = probe.pid
            for index in 0..<6 {
                let target = next
                let own = ProcessOptions(ownThread: index % 2 == 0)
                next = try node.spawn(options: own) { process in
                    while true { try process.send(await process.receive(Int.self), to: target) }
                }.pid
            }
            for round in 1...200 {
                try node.send(round, to: next)
                #expect(await time.settle())
                #expect(probe.received.count == round)
            }
        }
    }

    @Test("a node is stopped by the clock's own time: five minutes of grace take none")
    func stops() async throws {
        let time = VirtualClock()
        /// Takes a minute to end.
        struct Slow: AsyncGenServer {
            init(_: Void, process: ServerProcess) async {}
            mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
                try await process.node.clock.sleep(for: .seconds(60))
            }
        }
        let events = EventRecorder(.killedAtStop)
        try await withNode(
            options: NodeOptions(events: events), clock: time, grace: Self.minutes5
        ) { node in
            _ = try await node.spawn(Slow.self)
        }
        #expect(time.now == .seconds(60))
        #expect(events.events.isEmpty)
    }
}
