//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: starting and stopping applications", .timeLimit(.minutes(4)))
struct ApplicationConformanceTests {
    @Test("APP-01 an application whose dependencies do not run is not started")
    func dependencyNotStarted() async throws {
        try await withNode { node in
            let apps = node.applications
            let log = Log<String>()
            try await apps.load([
                TestApplication("a", log: log), TestApplication("b", needs: ["a"], log: log),
                TestApplication("c", needs: ["missing"], log: log),
            ])
            let errors = [
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await apps.start("b")
                },
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await apps.ensureStarted("b")
                },
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await apps.start("c")
                },
            ]
            #expect(
                errors == [
                    .dependencyNotStarted("a", of: "b"), .dependencyNotStarted("a", of: "b"),
                    .dependencyNotStarted("missing", of: "c"),
                ])
            #expect(log.elements == [])
            let running = try await apps.runningNames
            #expect(running == [])
        }
    }

    @Test("APP-02 a dependency that has crashed is not running")
    func dependencyCrashed() async throws {
        try await ApplicationEvents.withNode { node, events in
            let apps = node.applications
            try await apps.load([TestApplication("a"), TestApplication("b", needs: ["a"])])
            try await apps.start("a")
            let top = try #require(try await apps.snapshot("a")?.top)
            node.kill(top)
            #expect(await events.wait(for: 2) == ["started a", "exited a killed temporary"])
            let error = await ApplicationError.thrown { () throws(ApplicationError) in
                try await apps.start("b")
            }
            #expect(error == .dependencyNotRunning("a", of: "b"))
            // As if it had been stopped, but that is known.
            let state = try await apps.snapshot("a")?.state
            #expect(state == .ended)
            try await apps.start("a")
            try await apps.start("b")
        }
    }

    @Test("APP-03 ensure all: dependencies first, and only what is new is listed")
    func ensureAll() async throws {
        try await withNode { node in
            let apps = node.applications
            let log = Log<String>()
            try await apps.load([
                TestApplication("d", needs: ["b", "c"], log: log),
                TestApplication("c", needs: ["a", "b"], log: log),
                TestApplication("b", needs: ["a"], log: log), TestApplication("a", log: log),
                TestApplication("e", needs: ["c", "d"], log: log),
            ])
            #expect(try await apps.ensureAllStarted("c") == ["a", "b", "c"])
            #expect(try await apps.ensureAllStarted("c") == [])
            #expect(try await apps.ensureAllStarted("e") == ["d", "e"])
            #expect(log.elements == ["start a", "start b", "start c", "start d", "start e"])
        }
    }

    @Test("APP-04 ensure all: when one fails, what this call has started is stopped again")
    func rollBack() async throws {
        try await withNode { node in
            let apps = node.applications
            let log = Log<String>()
            var failing = TestApplication("d", needs: ["c"], log: log)
            failing.onStart = { _ in throw TestError(4) }
            try await apps.load([
                TestApplication("a", log: log), TestApplication("b", needs: ["a"], log: log),
                TestApplication("c", needs: ["b"], log: log), failing,
                TestApplication("e", needs: ["d"], log: log),
            ])
            try await apps.start("a")
            let error = await ApplicationError.thrown { () throws(ApplicationError) in
                try await apps.ensureAllStarted("e")
            }
            #expect(error == .startFailed("d", .error(TestError(4))))
            #expect(
                log.elements == [
                    "start a", "start b", "start c", "start d", "prepareStop c", "stop c",
                    "prepareStop b", "stop b",
                ])
            let running = try await apps.runningNames
            #expect(running == ["a"])
        }
    }

    @Test("APP-05 to ensure that one has started is right twice, to start it is not")
    func ensureTwice() async throws {
        try await withNode { node in
            let apps = node.applications
            let log = Log<String>()
            try await apps.load(TestApplication("a", log: log))
            try await apps.ensureStarted("a")
            try await apps.ensureStarted("a")
            let error = await ApplicationError.thrown { () throws(ApplicationError) in
                try await apps.start("a")
            }
            #expect(error == .alreadyStarted("a"))
            #expect(log.elements == ["start a"])
        }
    }

    @Test("APP-07 a start callback that throws, exits or returns no process of its own")
    func startFails() async throws {
        try await withNode { node in
            let dead = try node.spawn { _ in }
            _ = try await dead.exitReason
            let cases: [(@Sendable (ApplicationContext) async throws -> Pid, ExitReason)] = [
                ({ _ in throw TestError(7) }, .error(TestError(7))),
                ({ _ in throw ExitReason.custom("no") }, .custom("no")),
                ({ _ in throw ExitReason.normal }, .normal),
                ({ _ in dead.pid }, .noProcess),
                ({ $0.pid }, .noProcess),
                ({ $0.groupLeader ?? $0.pid }, .noProcess),
                // It is linked, so its real reason is known.
                (
                    { process in
                        let top = try process.spawnLinked { _ in throw TestError(70) }
                        _ = try await top.exitReason
                        return top.pid
                    }, .error(TestError(70))
                ),
            ]
            for (number, (start, reason)) in cases.enumerated() {
                var application = TestApplication("a\(number)")
                application.onStart = start
                // Members that were started before it has failed are ended.
                application.onStart = { process in
                    try process.spawn(options: .init(name: "member", trapsExits: true)) { member in
                        while true { _ = try await member.receive() }
                    }
                    return try await start(process)
                }
                try await node.applications.load(application)
                let error = await ApplicationError.thrown { () throws(ApplicationError) in
                    try await node.applications.start("a\(number)")
                }
                #expect(error == .startFailed("a\(number)", reason))
                #expect(node.whereis("member") == nil)
                #expect(node.count == 1, "only the controller is left")
                let state = try await node.applications.snapshot("a\(number)")?.state
                #expect(state == .loaded)
            }
        }
    }

    @Test("APP-08 the failure of the top process names the child and why")
    func topFails() async throws {
        try await withNode { node in
            let log = Log<String>()
            var application = TestApplication("a", log: log)
            application.onStart = { process in
                try await process.spawnLinked(
                    Tree.self, .init(children: ["one", "two"], log: log, failing: "two")
                ).pid
            }
            try await node.applications.load(application)
            let error = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.start("a")
            }
            let failure = Tree.FailedToStartChild(id: "two", why: TestError(8))
            #expect(
                error
                    == .startFailed("a", .error(SpawnError.initFailed(.shutdown(failure)))))
            // Nothing was there to be stopped.
            #expect(log.elements == ["start a", "end one"])
            let running = try await node.applications.runningNames
            #expect(running == [])
        }
    }

    @Test("APP-09 a transient application that does not start: the node stops unless it was normal")
    func transientStart() async throws {
        try await ApplicationEvents.withNode { node, events in
            var normal = TestApplication("normal")
            normal.onStart = { _ in throw ExitReason.normal }
            var abnormal = TestApplication("abnormal")
            abnormal.onStart = { _ in throw ExitReason.shutdown }
            try await node.applications.load([normal, abnormal, TestApplication("other")])
            try await node.applications.start("other")
            let first = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.start("normal", mode: .transient)
            }
            #expect(first == .startFailed("normal", .normal))
            let running = try await node.applications.runningNames
            #expect(running == ["other"] && !node.isStopping)
            let second = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.start("abnormal", mode: .transient)
            }
            #expect(second == .startFailed("abnormal", .shutdown))
            try await node.run()
            #expect(events.elements == ["started other", "stopped other shutdown temporary"])
        }
    }

    /// Starts `others`, and an application in a mode whose top process ends with `reason`.
    private func run(
        _ mode: ApplicationMode, endingWith reason: ExitReason,
        _ check: (Node, Log<String>) async throws -> Void
    ) async throws {
        try await ApplicationEvents.withNode { node, events in
            var application = TestApplication("mortal")
            application.onStart = { try $0.mortal() }
            try await node.applications.load([
                TestApplication("first"), TestApplication("second"), application,
            ])
            for name in ["first", "second"] { try await node.applications.start(name) }
            try await node.applications.start("mortal", mode: mode)
            let top = try #require(try await node.applications.snapshot("mortal")?.top)
            try node.send(reason, to: top)
            try await check(node, events)
        }
    }

    private static let starts = ["started first", "started second", "started mortal"]
    private static let stops = [
        "stopped second shutdown temporary", "stopped first shutdown temporary",
    ]

    @Test(
        "APP-10 a permanent application ends: the others are stopped, and the node",
        arguments: ExitReason.examples)
    func permanent(reason: ExitReason) async throws {
        try await run(.permanent, endingWith: reason) { node, events in
            try await node.run()
            #expect(
                events.elements
                    == Self.starts + ["exited mortal \(reason) permanent"] + Self.stops)
        }
    }

    @Test(
        "APP-11 a transient application ends: any reason but normal stops the node",
        arguments: ExitReason.examples)
    func transient(reason: ExitReason) async throws {
        try await run(.transient, endingWith: reason) { node, events in
            let exit = "exited mortal \(reason) transient"
            if reason == .normal {
                #expect(await events.wait(for: 4) == Self.starts + [exit])
                let running = try await node.applications.runningNames
                #expect(running == ["first", "second"] && !node.isStopping)
            } else {
                try await node.run()
                #expect(events.elements == Self.starts + [exit] + Self.stops)
            }
        }
    }

    @Test(
        "APP-12 a temporary application ends: that is only reported",
        arguments: ExitReason.examples)
    func temporary(reason: ExitReason) async throws {
        try await run(.temporary, endingWith: reason) { node, events in
            let exit = "exited mortal \(reason) temporary"
            #expect(await events.wait(for: 4) == Self.starts + [exit])
            let running = try await node.applications.runningNames
            #expect(running == ["first", "second"] && !node.isStopping)
        }
    }

    @Test("APP-13 to stop an application never stops the node", arguments: ApplicationMode.allCases)
    func explicitStop(mode: ApplicationMode) async throws {
        try await ApplicationEvents.withNode { node, events in
            try await node.applications.load([TestApplication("a"), TestApplication("other")])
            try await node.applications.start("other", mode: mode)
            try await node.applications.start("a", mode: mode)
            try await node.applications.stop("a")
            #expect(
                events.elements == [
                    "started other", "started a", "stopped a shutdown \(mode)",
                ])
            let running = try await node.applications.runningNames
            #expect(running == ["other"] && !node.isStopping)
            try await node.applications.start("a", mode: mode)
        }
    }

    @Test("APP-14 a stop: prepareStop, the tree in reverse order, what is left, stop")
    func stopOrder() async throws {
        try await withNode { node in
            let log = Log<String>()
            var application = TestApplication("a", log: log)
            let sink = Log<Pid>()
            application.onStart = { process in
                let tree = try await process.spawnLinked(
                    Tree.self, .init(children: ["one", "two", "three"], log: log))
                // Members that belong to no tree; one of them spawned by another.
                let stray = try process.spawn(options: .trapping) { member in
                    let child = try member.spawn(options: .trapping) { child in
                        while true { _ = try await child.receive() }
                    }
                    sink.append(child.pid)
                    while true { _ = try await member.receive() }
                }
                sink.append(stray.pid)
                return tree.pid
            }
            @Sendable func noteStrays(_ process: ApplicationContext) {
                log.append("strays \(sink.elements.count { process.node.isAlive($0) })")
            }
            application.onPrepareStop = { noteStrays($0) }
            application.onStop = { noteStrays($0) }
            try await node.applications.load(application)
            try await node.applications.start("a")
            let snapshot = try #require(try await node.applications.snapshot("a"))
            let members = await sink.wait(for: 2)
            for pid in members + [try #require(snapshot.top)] {
                #expect(node.info(pid)?.groupLeader == snapshot.master)
                #expect(node.applications.application(of: pid) == "a")
            }
            // Who does not belong to it is left alone.
            let stranger = try node.idle()
            #expect(node.applications.application(of: stranger.pid) == nil)
            try await node.applications.stop("a")
            #expect(
                log.elements == [
                    "start a", "prepareStop a", "strays 2", "end three", "end two", "end one",
                    "end tree", "stop a", "strays 0",
                ])
            #expect(stranger.isWell && node.count == 2)
        }
    }

    @Test("APP-15 a second stop finds nothing to stop")
    func stopTwice() async throws {
        try await withNode { node in
            try await node.applications.load(TestApplication("a"))
            try await node.applications.start("a")
            try await node.applications.stop("a")
            let errors = [
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await node.applications.stop("a")
                },
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await node.applications.stop("b")
                },
            ]
            #expect(errors == [.notStarted("a"), .notLoaded("b")])
        }
    }

    @Test(
        "APP-22 a node that stops: applications in reverse order, and one that hangs is abandoned")
    func nodeStop() async throws {
        try await ApplicationEvents.withNode { node, events in
            let log = Log<String>()
            var hanging = TestApplication("hanging", log: log)
            hanging.onPrepareStop = { process in
                while (try? await process.sleep(for: .seconds(1000))) != nil {}
            }
            try await node.applications.load([
                TestApplication("a", log: log), hanging, TestApplication("b", log: log),
                TestApplication("c", log: log),
            ])
            for name in ["a", "hanging", "b", "c"] { try await node.applications.start(name) }
            await node.stop(grace: .seconds(6))
            #expect(
                log.elements.prefix(10) == [
                    "start a", "start hanging", "start b", "start c", "prepareStop c", "stop c",
                    "prepareStop b", "stop b", "prepareStop hanging", "prepareStop a",
                ])
            #expect(
                events.elements.prefix(6).suffix(2) == [
                    "stopped c shutdown temporary", "stopped b shutdown temporary",
                ])
            #expect(node.hasStopped)
        }
    }

    @Test("APP-23 while an application hangs as it stops, others are listed, started and stopped")
    func answersMeanwhile() async throws {
        try await withNode { node in
            let gate = Gate()
            var hanging = TestApplication("hanging")
            hanging.onPrepareStop = { _ in await gate.wait() }
            try await node.applications.load([hanging, TestApplication("other")])
            try await node.applications.start("hanging")
            let late = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.stop("hanging", timeout: .milliseconds(20))
            }
            #expect(late == .stopping("hanging"))
            let states = try await node.applications.loaded().map(\.state)
            #expect(states == [.stopping, .loaded])
            try await node.applications.start("other")
            let running = try await node.applications.runningNames
            #expect(running == ["other"])
            let again = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.start("hanging")
            }
            #expect(again == .stopping("hanging"))
            try await node.applications.stop("other")
            gate.open()
            // It joins the stop that is under way, or comes after it.
            let joined = await ApplicationError.thrown { () throws(ApplicationError) in
                try await node.applications.stop("hanging")
            }
            #expect(joined == nil || joined == .notStarted("hanging"))
            try await node.applications.start("hanging")
        }
    }
}
