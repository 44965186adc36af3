//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Applications: what else happens", .timeLimit(.minutes(4)))
struct ApplicationTests {
    @Test("all mistakes of a specification are named at once")
    func mistakes() async throws {
        try await withNode { node in
            var part = TestApplication("part")
            part.spec.startPhases = ["x", "y", "x"]
            var application = TestApplication("", needs: ["", "part", "z", "z"])
            application.spec.includedApplications = [part]
            let error = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.load(application)
            }
            #expect(
                error
                    == .specInvalid(
                        "",
                        [
                            .nameInvalid(""), .dependencyTwice("z", of: ""),
                            .phaseTwice("x", of: "part"), .dependsOnItself(""),
                            .dependsOnIncluded("part", of: ""),
                        ]))
            #expect(node.count == 0, "nothing was asked of a controller")
        }
    }

    @Test("a stop during the start interrupts the callback; what it has started is gone")
    func stopDuringStart() async throws {
        try await withNode { node in
            let log = Log<String>()
            let isStarting = Gate()
            var application = TestApplication("a", log: log)
            application.onStart = { process in
                _ = try process.idle(.trapping)
                isStarting.open()
                try await process.sleep(for: .seconds(1000))
                return process.pid
            }
            try await node.applications.load(application)
            async let start = ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.start("a", mode: .permanent)
            }
            await isStarting.wait()
            let state = try await node.applications.snapshot("a")?.state
            #expect(state == .starting)
            try await node.applications.stop("a")
            #expect(await start == .startFailed("a", .shutdown))
            #expect(log.elements == ["start a"] && node.count == 1 && !node.isStopping)
        }
    }

    @Test("a start phase that throws stops the application again")
    func phaseFails() async throws {
        try await withNode { node in
            let log = Log<String>()
            var application = TestApplication("a", log: log)
            application.spec.startPhases = ["one", "two", "three"]
            application.onPhase = { phase, _ in if phase == "two" { throw TestError(2) } }
            try await node.applications.load(application)
            let error = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.start("a")
            }
            #expect(error == .startFailed("a", .error(TestError(2))))
            #expect(
                log.elements == [
                    "start a", "phase one a", "phase two a", "prepareStop a", "stop a",
                ])
            #expect(node.count == 1)
        }
    }

    @Test("the top process ends while a phase runs: the phase is interrupted, the start has failed")
    func topEndsDuringPhase() async throws {
        try await withNode { node in
            var application = TestApplication("a")
            application.spec.startPhases = ["long"]
            application.onStart = { process in
                let top = try process.mortal()
                try process.node.register("top", top)
                return top
            }
            application.onPhase = { _, process in
                try process.send(ExitReason.custom("early"), to: .name("top"))
                try await process.sleep(for: .seconds(1000))
            }
            try await node.applications.load(application)
            let error = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.start("a")
            }
            #expect(error == .startFailed("a", .custom("early")))
            #expect(node.count == 1)
        }
    }

    @Test("whichever process of an application is killed, it ends as a whole and can start again")
    func killed() async throws {
        try await ApplicationEvents.withNode { node, events in
            let log = Log<String>()
            var application = TestApplication("a", log: log)
            application.onStart = { process in
                _ = try process.spawn(options: .trapping) { member in
                    while true { _ = try await member.receive() }
                }
                return try await process.spawnLinked(
                    Tree.self, .init(children: ["x"], log: log)
                ).pid
            }
            try await node.applications.load([application, TestApplication("other")])
            try await node.applications.start("other")
            for round in 0..<3 {
                try await node.applications.start("a")
                let snapshot = try #require(try await node.applications.snapshot("a"))
                let master = try #require(snapshot.master)
                let top = try #require(snapshot.top)
                let starter = try #require(node.info(top)?.parent)
                node.kill([master, starter, top][round])
                _ = await events.wait(for: 3 + 2 * round)
                #expect(events.elements.last == "exited a killed temporary")
                // The members that nobody could wait for are on their way out.
                await waitWhile { !node.members(of: master).isEmpty }
                let running = try await node.applications.runningNames
                #expect(running == ["other"])
            }
        }
    }

    @Test("an application that hangs in its start keeps nobody waiting but those who want it")
    func hangingStart() async throws {
        try await withNode { node in
            let gate = Gate()
            var hanging = TestApplication("hanging")
            hanging.onStart = { process in
                await gate.wait()
                return try process.idle()
            }
            try await node.applications.load([hanging, TestApplication("other")])
            let late = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.start("hanging", timeout: .milliseconds(10))
            }
            #expect(late == .starting("hanging"))
            try await node.applications.start("other")
            let waiting = Task {
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await node.applications.ensureStarted("hanging")
                }
            }
            waiting.cancel()
            #expect(await waiting.value == .cancelled)
            gate.open()
            try await node.applications.ensureStarted("hanging")
        }
    }

    @Test("callbacks may start and stop applications, and what they learn is kept until the stop")
    func callbacks() async throws {
        struct Learning: Application {
            let log: Log<Int>
            var count = 0
            var spec: ApplicationSpec { .init(name: "learning", startPhases: ["a", "b"]) }

            mutating func start(process: ApplicationContext) async throws -> Pid {
                try await process.node.applications.start("other")
                count += 1
                return try process.idle()
            }

            mutating func startPhase(_ phase: String, process: ApplicationContext) async throws {
                count += 1
            }

            mutating func prepareStop(process: ApplicationContext) async { count += 1 }

            mutating func stop(process: ApplicationContext) async {
                try? await process.node.applications.stop("other")
                log.append(count)
            }
        }
        try await withNode { node in
            let log = Log<Int>()
            try await node.applications.load([Learning(log: log), TestApplication("other")])
            for _ in 0..<2 {
                try await node.applications.start("learning")
                try await node.applications.stop("learning")
            }
            #expect(log.elements == [4, 4])
            let running = try await node.applications.runningNames
            #expect(running == [])
        }
    }

    @Test("a node that stops while applications start; starting one afterwards is an error")
    func nodeStopsDuringStart() async throws {
        for isBlocking in [false, true] {
            try await withNode { node in
                let isStarting = Gate()
                var application = TestApplication("b", needs: ["a"])
                application.onStart = { process in
                    isStarting.open()
                    try await process.sleep(for: .seconds(1000))
                    return process.pid
                }
                try await node.applications.load([TestApplication("a"), application])
                async let start = ApplicationError.thrown { () throws(ApplicationError) in
                    try await node.applications.ensureAllStarted("b", mode: .permanent)
                }
                await isStarting.wait()
                if isBlocking {
                    let hasStopped = Gate()
                    Platform.startThread(name: "test-stop") {
                        node.stopBlocking()
                        hasStopped.open()
                    }
                    await hasStopped.wait()
                } else {
                    await node.stop()
                }
                let stopped = ApplicationError.nodeStopped(node: "test")
                #expect(await start == stopped)
                let late = await ApplicationError.thrown { () throws(ApplicationError) in
                    try await node.applications.start("a")
                }
                #expect(late == stopped)
            }
        }
    }

    @Test("many at once share one controller")
    func manyAtOnce() async throws {
        try await withNode { node in
            let errors = await withTaskGroup(of: ApplicationError?.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        await ApplicationError.thrown { () throws(ApplicationError) in
                            try await node.applications.load(TestApplication("a\(number)"))
                            try await node.applications.start("a\(number)")
                        }
                    }
                }
                var errors: [ApplicationError] = []
                for await error in group { if let error { errors.append(error) } }
                return errors
            }
            #expect(errors == [])
            let running = try await node.applications.running()
            #expect(running.count == 100)
            #expect(Set(running.compactMap(\.master)).count == 100)
            #expect(node.count == 301)
        }
    }

    @Test("a controller that is killed takes its applications with it; the next one begins anew")
    func controllerKilled() async throws {
        try await withNode { node in
            try await node.applications.load(TestApplication("a"))
            try await node.applications.start("a")
            let controller = try #require(node.applicationStore.controller)
            node.kill(controller.pid)
            await waitWhile { node.count > 0 }
            try await node.applications.load(TestApplication("a"))
            try await node.applications.start("a")
        }
    }

    @Test("no process object is left of applications of a node that has stopped")
    func leaks() async throws {
        final class Probe: Sendable {}
        weak var weakNode: Node?
        weak var weakProbe: Probe?
        do {
            let node = try Node(name: "leaks", options: .init(events: NoEvents()))
            let probe = Probe()
            (weakNode, weakProbe) = (node, probe)
            var application = TestApplication("a")
            application.onStart = { process in
                _ = probe
                return try process.idle()
            }
            try await node.applications.load(application)
            for _ in 0..<10 {
                try await node.applications.start("a")
                try await node.applications.stop("a")
                #expect(node.count == 1)
            }
            try await node.applications.start("a", mode: .permanent)
            await node.stop()
        }
        // The last worker may still be on its way out of the last step.
        while weakNode != nil || weakProbe != nil { await Task.yield() }
    }

    @Test("many processes read an environment while it is changed, and see one value or the other")
    func environmentRace() async throws {
        enum Number: EnvironmentKey { typealias Value = Int }
        try await withNode { node in
            let log = Log<[Int]>()
            var application = TestApplication("a")
            application.spec.environment[Number.self] = 0
            application.onStart = { process in
                for _ in 0..<4 {
                    _ = try process.spawn { member in
                        var seen: [Int] = []
                        while (seen.last ?? 0) < 1000 {
                            seen.append(member.environment(Number.self) ?? -1)
                            await Task.yield()
                        }
                        log.append(seen)
                    }
                }
                return try process.idle()
            }
            try await node.applications.load(application)
            try await node.applications.start("a")
            for number in 1...1000 {
                node.applications.setEnvironment(Number.self, to: number, of: "a")
            }
            for seen in await log.wait(for: 4) { #expect(seen == seen.sorted()) }
        }
    }

    @Test("errors say what to do")
    func descriptions() {
        let errors: [ApplicationError] = [
            .alreadyLoaded("a"), .notLoaded("a"), .specInvalid("a", [.includedTwice("b")]),
            .includedTwice("a", by: "b", and: "c"), .included("a", in: "b"), .alreadyStarted("a"),
            .notStarted("a"), .dependencyNotStarted("b", of: "a"),
            .dependencyNotRunning("b", of: "a"), .dependencyCycle(["a", "b"]), .running("a"),
            .starting("a"), .stopping("a"), .startFailed("a", .killed), .nodeStopped(node: "a"),
        ]
        for error in errors { #expect("\(error)".contains("\"a\"") || "\(error)".contains("a →")) }
    }

    @Test("RACE-25 applications and the node start and stop in any order, and nothing is left")
    func race() async throws {
        var old: Pid?
        for seed in 0..<20 {
            try await withNode { node in
                if let old {
                    #expect(throws: SendError<Int>.self) { try node.send(1, to: old) }
                    #expect(!node.isAlive(old))
                }
                let names = ["a", "b", "c"]
                for (index, name) in names.enumerated() {
                    var application = TestApplication(name, needs: Array(names[..<index]))
                    application.onStart = { process in
                        // Members that are named, send, set timers and spawn as the node stops.
                        let top = try process.idle(.init(name: "top \(name)"))
                        _ = try process.spawn { member in
                            while true {
                                let child = try member.spawn { $0.makeAlias() }
                                try member.send("tick", after: .milliseconds(1))
                                _ = try? member.send("hello", to: .name("top \(name)"))
                                _ = try await member.receive()
                                _ = try? await child.value
                            }
                        }
                        return top
                    }
                    try await node.applications.load(application)
                }
                await withTaskGroup(of: Void.self) { group in
                    for worker in 0..<4 {
                        group.addTask {
                            var generator = SeededGenerator(seed: UInt64(seed * 10 + worker))
                            for _ in 0..<15 {
                                let name = names.randomElement(using: &generator) ?? "a"
                                switch Int.random(in: 0..<4, using: &generator) {
                                case 0: try? await node.applications.start(name)
                                case 1: _ = try? await node.applications.ensureAllStarted(name)
                                case 2: try? await node.applications.stop(name)
                                default: if let pid = node.whereis("top \(name)") { node.kill(pid) }
                                }
                            }
                        }
                    }
                    if seed.isMultiple(of: 2) { group.addTask { await node.stop() } }
                }
                old = node.processes.first ?? old
            }
        }
    }
}
