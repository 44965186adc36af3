//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Bad input gets an error, never a trap", .timeLimit(.minutes(5)))
struct BadInputTests {
    static let negative: [Duration] = [
        .nanoseconds(-1), .seconds(-1), .seconds(Int64.min), .seconds(Int64.min) * 2,
    ]
    static let enormous: [Duration] = [
        .seconds(Int64.max), .seconds(Int64.max) * 2,
        .seconds(200 * 366 * 86_400),
    ]

    @Test("a negative delay or interval is an error", arguments: negative)
    func negativeTimers(duration: Duration) async throws {
        try await withNode { node in
            #expect(throws: TimerError.tooShort(duration)) {
                try node.send(1, to: "x", after: duration)
            }
            let result = try node.spawn { process in
                #expect(throws: TimerError.tooShort(duration)) {
                    try process.send(1, after: duration)
                }
                #expect(throws: TimerError.tooShort(duration)) {
                    try process.send(1, every: duration)
                }
                // An instant that has passed is due at once.
                try process.send("due", at: node.clock.now.advanced(by: duration))
                return try await process.receive() as? String
            }
            #expect(try await result.value == "due")
        }
    }

    @Test("an enormous delay or interval is an error", arguments: enormous)
    func enormousTimers(duration: Duration) async throws {
        try await withNode { node in
            #expect(throws: TimerError.tooLong(duration)) {
                try node.send(1, to: "x", after: duration)
            }
            let result = try node.spawn { process in
                #expect(throws: TimerError.tooLong(duration)) {
                    try process.send(1, every: duration)
                }
                #expect(throws: TimerError.self) {
                    try process.send(1, at: node.clock.now.advanced(by: duration))
                }
                return true
            }
            #expect(try await result.value)
            #expect(node.timers.count == 0 || node.scheduler === TestSlots.scheduler)
        }
    }

    @Test("a negative timeout is none: what is there is taken, nothing is waited for")
    func negativeTimeouts() async throws {
        try await withNode { node in
            for duration in Self.negative {
                let counter = try node.spawn(Counter.self, 1)
                // One that is held up by the system for some milliseconds is late.
                var value: Int?
                for _ in 0..<100 where value == nil {
                    do {
                        value = try await counter.call(.value, timeout: duration)
                    } catch CallError.timeout(counter.pid) {}
                }
                #expect(value == 1)
                await #expect(throws: CallError.timeout(counter.pid)) {
                    try await counter.call(.silent, timeout: duration)
                }
                let request = counter.sendRequest(.silent)
                #expect(try await request.wait(upTo: duration) == nil)
                await #expect(throws: CallError.timeout(counter.pid)) {
                    try await request.receive(timeout: duration)
                }
                let slow = try await node.spawn(AsyncCounter.self, 1)
                let (gate, started) = (Gate(), Gate())
                try slow.cast(.wait(gate, started: started))
                await started.wait()
                await #expect(throws: CallError.timeout(slow.pid)) {
                    try await slow.call(.value, timeout: duration)
                }
                await #expect(throws: CallError.timeout(slow.pid)) {
                    try await slow.stop(timeout: duration)
                }
                gate.open()
                let closure = try node.spawn { process in
                    try await process.sleep(for: duration)
                    return try await process.receive(timeout: duration) == nil
                }
                #expect(try await closure.value)
                await #expect(throws: SpawnError.self) {
                    let options = ProcessOptions(startTimeout: duration)
                    return try await node.spawn(SlowStart.self, options: options)
                }
            }
        }
    }

    struct SlowStart: AsyncGenServer {
        init(_: Void, process: ServerProcess) async throws {
            try await process.sleep(for: .seconds(60))
        }
    }

    @Test("an enormous timeout is as good as none")
    func enormousTimeouts() async throws {
        try await withNode { node in
            for duration in Self.enormous {
                let counter = try node.spawn(Counter.self, 1)
                #expect(try await counter.call(.value, timeout: duration) == 1)
                #expect(try await counter.sendRequest(.value).receive(timeout: duration) == 1)
                #expect(try await counter.state(timeout: duration) { $0.count } == 1)
                let slow = try await node.spawn(
                    AsyncCounter.self, 1, options: .init(startTimeout: duration))
                #expect(try await slow.call(.value, timeout: duration) == 1)
                let options = ProcessOptions(lifetime: .deadline(duration))
                let idle = try node.spawn(Idle.self, duration, options: options)
                #expect(try await idle.state { _ in true })
                let closure = try node.spawn { try await $0.receive(timeout: duration) as? Int }
                try closure.send(5)
                #expect(try await closure.value == 5)
                let sleeper = try node.spawn { try await $0.sleep(for: duration) }
                node.exit(sleeper.pid, .custom("woken"))
                #expect(try await sleeper.exitReason == .custom("woken"))
                try await slow.stop(timeout: duration)
            }
        }
    }

    struct Idle: GenServer {
        init(_ timeout: Duration, process: ServerProcess) {
            process.setIdleTimeout(after: timeout)
        }
    }

    @Test("instants of the clock stay within it")
    func instants() async throws {
        try await withNode { node in
            let now = node.clock.now
            for duration in Self.enormous {
                let far = now.advanced(by: duration)
                #expect(far > now)
                #expect(now.duration(to: far) > .zero && far.duration(to: now) < .zero)
            }
            for duration in Self.negative {
                let past = now.advanced(by: duration)
                #expect(past < now)
                try await node.clock.sleep(until: past)
            }
        }
    }

    @Test("an empty name, and one of 10 MB, are errors everywhere")
    func names() async throws {
        try await withNode { node in
            for name in ["", String(repeating: "x", count: 10_000_000)] {
                #expect(throws: NodeError.nameInvalid(name)) { try Node(name: name) }
                #expect(throws: SpawnError.self) {
                    try node.spawn(Counter.self, 0, options: .init(name: name))
                }
                let counter = try node.spawn(Counter.self, 0)
                #expect(throws: RegistryError.nameInvalid(name)) {
                    try node.register(name, counter.pid)
                }
                #expect(throws: RegistryError.nameUnknown(name)) { try node.unregister(name) }
                #expect(node.whereis(name) == nil)
                #expect(throws: SendError<Int>.self) { try node.send(1, to: .name(name)) }
                let down = try node.spawn { process in
                    _ = process.monitor(name: name)
                    return (try await process.receive() as? MessageDown)?.reason
                }
                #expect(try await down.value == .noProcess)
                // The message is to be read by somebody: it must not repeat all of the name.
                #expect(RegistryError.nameInvalid(name).description.utf8.count < 200)
            }
            #expect(node.registered.isEmpty)
        }
    }

    @Test("pids of other nodes and of other lives of this one reach nobody, and say so")
    func strangers() async throws {
        try await withNode { node in
            let local = try node.spawn(Counter.self, 0)
            let old = Pid(node: node.name, id: local.pid.id, creation: node.creation &+ 1)
            let away = Pid(node: "elsewhere", id: local.pid.id, creation: node.creation)
            let unknown = Pid(node: node.name, id: 1 << 62, creation: node.creation)
            for (pid, failure) in [
                (old, SendFailure.incarnation(old)),
                (away, .noConnection(node: "elsewhere")),
                (unknown, .processUnknown(unknown)),
            ] {
                let error = #expect(throws: SendError<String>.self) {
                    try node.send("m", to: pid)
                }
                #expect(error?.failure == failure && error?.message == "m")
                #expect(throws: RegistryError.self) { try node.register("n", pid) }
                #expect(node.info(pid) == nil && !node.isAlive(pid))
                node.exit(pid, .kill)
                let result = try node.spawn { process in
                    process.exit(pid, .kill)
                    process.unlink(from: pid)
                    _ = process.monitor(pid)
                    return (try await process.receive() as? MessageDown)?.reason
                }
                #expect(try await result.value == (pid == away ? .noConnection : .noProcess))
            }
            #expect(node.isAlive(local.pid))
            let ref = MonitorRef(reference: Reference(nodeName: .init("x"), creation: 1, id: 1))
            let removed = try await node.spawn { $0.demonitor(ref) }.value
            #expect(removed == false)
        }
    }

    @Test(
        "a mailbox holds at least one message and at most 2³¹ − 1",
        arguments: [0, -1, .min, .max, 1 << 31])
    func capacities(capacity: Int) async throws {
        try await withNode { node in
            let options = ProcessOptions(mailbox: .init(capacity: capacity))
            let errors = [
                #expect(throws: SpawnError.self) {
                    try node.spawn(Counter.self, 0, options: options)
                },
                #expect(throws: SpawnError.self) { try node.spawn(options: options) { _ in } },
            ]
            for error in errors {
                guard case .mailboxCapacityInvalid(capacity)? = error else {
                    Issue.record("\(capacity): \(String(describing: error))")
                    continue
                }
            }
        }
    }

    @Test("very many links to one process, a million in CI, which ends")
    func links() async throws {
        try await withNode { node in
            let count = TestEnvironment.number("TROUPE_STRESS_OPERATIONS") ?? 100_000
            let hub = try node.spawn { _ = try await $0.receive() }
            for number in 0..<count {
                _ = try node.spawn(Leaf.self, hub.pid)
                // Other tests run on this thread, too.
                if number % 1000 == 0 { await Task.yield() }
            }
            #expect(hub.info?.links.count == count)
            #expect(node.count == count + 1)
            try hub.send("end")
            #expect(try await hub.exitReason == .normal)
            // Its partners live on: the end was normal, and nothing of the links is left.
            #expect(node.count == count)
            #expect(node.processes.prefix(100).allSatisfy { node.info($0)?.links == [] })
            // A million ends may take longer than the usual grace.
            await node.stop(grace: .seconds(300))
        }
    }

    struct Leaf: GenServer {
        init(_ hub: Pid, process: ServerProcess) throws { try process.link(to: hub) }
    }
}
