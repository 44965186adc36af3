//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

private enum Colour: EnvironmentKey { typealias Value = String }
private enum Size: EnvironmentKey { typealias Value = Int }
private enum Shape: EnvironmentKey { typealias Value = String }

/// Cannot be compared.
private enum Secret: EnvironmentKey {
    struct Value: Sendable { let text: String }
}

@Suite("Conformance: loading and configuring applications", .timeLimit(.minutes(4)))
struct ApplicationConfigurationConformanceTests {
    private func application(
        _ name: String, _ environment: Environment = Environment(),
        including included: [any Application] = [], phases: [String] = [], log: Log<String> = Log()
    ) -> TestApplication {
        var application = TestApplication(name, log: log)
        application.spec.environment = environment
        application.spec.includedApplications = included
        application.spec.startPhases = phases
        return application
    }

    @Test("APP-16 an application that runs is not unloaded; once it is, its environment is gone")
    func unload() async throws {
        try await withNode { node in
            let apps = node.applications
            try await apps.load(application("a", Environment().setting(Colour.self, to: "red")))
            #expect(apps.environment(Colour.self, of: "a") == "red")
            try await apps.start("a")
            let running = await ApplicationError.thrown { () throws(ApplicationError) in
                try await apps.unload("a")
            }
            #expect(running == .running("a"))
            try await apps.stop("a")
            try await apps.unload("a")
            #expect(apps.environment(Colour.self, of: "a") == nil)
            let loaded = try await apps.loaded().map(\.name)
            #expect(loaded == [])
            let gone = await ApplicationError.thrown { () throws(ApplicationError) in
                try await apps.unload("a")
            }
            #expect(gone == .notLoaded("a"))
        }
    }

    @Test("APP-17 a value set before the load yields to the specification, unless it is persistent")
    func persistence() async throws {
        try await withNode { node in
            let apps = node.applications
            let spec = Environment().setting(Colour.self, to: "spec").setting(Size.self, to: 1)
            apps.setEnvironment(Colour.self, to: "early", of: "a")
            apps.setEnvironment(Size.self, to: 2, of: "a", persistently: true)
            apps.setEnvironment(Shape.self, to: "early", of: "a")
            for _ in 0..<2 {
                try await apps.load(application("a", spec))
                #expect(apps.environment(Colour.self, of: "a") == "spec")
                #expect(apps.environment(Size.self, of: "a") == 2)
                apps.setEnvironment(Colour.self, to: "late", of: "a")
                #expect(apps.environment(Colour.self, of: "a") == "late")
                try await apps.unload("a")
                #expect(apps.environment(Colour.self, of: "a") == nil)
                #expect(apps.environment(Shape.self, of: "a") == nil)
                #expect(apps.environment(Size.self, of: "a") == 2)
            }
            // Removed for now only, and then for good.
            apps.setEnvironment(Size.self, to: nil, of: "a")
            #expect(apps.environment(Size.self, of: "a") == nil)
            try await apps.load(application("a", spec))
            #expect(apps.environment(Size.self, of: "a") == 2)
            apps.setEnvironment(Size.self, to: nil, of: "a", persistently: true)
            try await apps.unload("a")
            try await apps.load(application("a", spec))
            #expect(apps.environment(Size.self, of: "a") == 1)
        }
    }

    @Test("APP-18 a key that has no value, and an application that is not there: nothing, no error")
    func missing() async throws {
        try await withNode { node in
            let apps = node.applications
            #expect(apps.environment(Size.self, of: "a") == nil)
            #expect(apps.environment(of: "a").isEmpty)
            try await apps.load(application("a", Environment().setting(Colour.self, to: "red")))
            #expect(apps.environment(Size.self, of: "a") == nil)
            #expect((apps.environment(Size.self, of: "a") ?? 7) == 7)
            #expect(apps.environment(Colour.self, of: "b") == nil)
        }
    }

    @Test("APP-19 a configuration change is told: what has changed, what is new, what is gone")
    func change() async throws {
        try await withNode { node in
            let apps = node.applications
            let log = Log<ApplicationConfigurationChange>()
            var application = application(
                "a",
                Environment().setting(Colour.self, to: "red").setting(Size.self, to: 1)
                    .setting(Secret.self, to: .init(text: "x")))
            application.onChange = { log.append($0) }
            try await apps.load(application)
            let secret = Environment().setting(Secret.self, to: .init(text: "y"))
            // One that does not run is not told.
            try await apps.changeConfiguration(
                of: "a", to: secret.setting(Colour.self, to: "red").setting(Size.self, to: 1))
            #expect(log.elements.isEmpty)
            try await apps.start("a")
            try await apps.changeConfiguration(
                of: "a",
                to: secret.setting(Colour.self, to: "blue").setting(Shape.self, to: "round"))
            let change = try #require(log.elements.first)
            #expect(change.changed.count == 2 && change.changed[Colour.self] == "blue")
            #expect(change.changed[Secret.self]?.text == "y")
            #expect(change.new.count == 1 && change.new[Shape.self] == "round")
            #expect(change.removed.count == 1 && change.removed[Size.self] == 1)
            #expect(apps.environment(of: "a").count == 3)
            // Persistent values stay, and without a change nobody is told.
            apps.setEnvironment(Colour.self, to: "green", of: "a", persistently: true)
            try await apps.changeConfiguration(of: "a", to: Environment())
            #expect(log.elements.count == 2 && log.elements[1].changed.isEmpty)
            #expect(log.elements[1].removed.count == 2)
            try await apps.changeConfiguration(of: "a", to: Environment())
            #expect(log.elements.count == 2)
            #expect(apps.environment(of: "a").count == 1)
            let unknown = await ApplicationError.thrown { () throws(ApplicationError) in
                try await apps.changeConfiguration(of: "b", to: Environment())
            }
            #expect(unknown == .notLoaded("b"))
        }
    }

    @Test("a configuration change that nobody is left to take note of does not hold up its caller")
    func changeUnread() async throws {
        try await withNode { node in
            let gate = Gate()
            defer { gate.open() }
            let isTold = Gate()
            var application = application("a")
            application.onChange = { _ in
                isTold.open()
                await gate.wait()
            }
            let master = try await start(application, on: node)
            let starter = try #require(
                node.members(of: master.pid).first {
                    node.info($0.pid)?.label == "starter of application a"
                })
            async let first: Void = change(1, on: node)
            await isTold.wait()
            async let second: Void = change(2, on: node)
            await waitWhile { starter.queueLength == 0 && node.isAlive(starter.pid) }
            // Who has passed it on cannot answer, either.
            try await master.suspend()
            node.exit(starter.pid, .kill)
            gate.open()
            try await second
            try await master.resume()
            try await first
            #expect(node.applications.environment(Size.self, of: "a") == 2)
        }
    }

    @Test("a configuration change that the master has not read does not hold up its caller")
    func changeUnreadByMaster() async throws {
        try await withNode { node in
            let master = try await start(application("a"), on: node)
            try await master.suspend()
            async let change: Void = change(1, on: node)
            await waitWhile { master.cell.queueLength == 0 && node.isAlive(master.pid) }
            node.exit(master.pid, .kill)
            try await change
            #expect(node.applications.environment(Size.self, of: "a") == 1)
        }
    }

    @Test("a configuration change for which an application has no room is not said to be told")
    func changeWithoutRoom() async throws {
        try await withNode(NodeOptions(events: NoEvents())) { node in
            let master = try await start(application("a"), on: node)
            try await master.suspend()
            let capacity = master.cell.traits.mailbox.capacity
            for number in 0..<capacity { try master.send(number) }
            let error = await ApplicationError.thrown { () throws(ApplicationError) in
                try await change(1, on: node)
            }
            #expect(error == .unavailable(.mailboxFull(master.pid, capacity: capacity)))
            #expect(node.applications.environment(Size.self, of: "a") == 1)
            try await master.resume()
        }
    }

    private func start(
        _ application: TestApplication, on node: Node
    ) async throws -> ServerRef<ApplicationMaster> {
        try await node.applications.load(application)
        try await node.applications.start(application.spec.name)
        let master = try #require(try await node.applications.loaded().first?.master)
        guard case .process(let cell) = node.locate(master) else { throw ExitReason.noProcess }
        return ServerRef(cell)
    }

    private func change(_ size: Int, on node: Node) async throws(ApplicationError) {
        try await node.applications.changeConfiguration(
            of: "a", to: Environment().setting(Size.self, to: size), timeout: .seconds(20))
    }

    @Test("APP-20 start phases run when the tree is up, in their order, top-down")
    func phases() async throws {
        try await withNode { node in
            let apps = node.applications
            let log = Log<String>()
            let leaf = application("leaf", phases: ["go", "init", "other"], log: log)
            let part = application("part", including: [leaf], phases: ["go"], log: log)
            let last = application("last", phases: ["init", "go"], log: log)
            var top = application(
                "top", including: [part, last], phases: ["init", "admit", "go"], log: log)
            top.onStart = { process in
                try await process.spawnLinked(Tree.self, .init(children: ["x"], log: log)).pid
            }
            try await apps.load(top)
            try await apps.start("top")
            #expect(
                log.elements == [
                    "start top", "phase init top", "phase init leaf", "phase init last",
                    "phase admit top", "phase go top", "phase go part", "phase go leaf",
                    "phase go last",
                ])
            let state = try await apps.snapshot("top")?.state
            #expect(state == .running)
        }
    }

    @Test("APP-21 included applications are loaded once, and by one application only")
    func included() async throws {
        try await withNode { node in
            let apps = node.applications
            let (leaf, alone) = (application("leaf"), application("alone"))
            try await apps.load(alone)
            let part = application("part", including: [leaf, alone])
            try await apps.load(application("top", including: [part]))
            let loaded = try await apps.loaded()
            #expect(loaded.map(\.name) == ["alone", "leaf", "part", "top"])
            #expect(loaded.map(\.includer) == ["top", "top", "top", nil])
            let errors = [
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await apps.load(self.application("other", including: [leaf]))
                },
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await apps.load(leaf)
                },
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await apps.start("leaf")
                },
                await ApplicationError.thrown { () throws(ApplicationError) in
                    try await apps.unload("leaf")
                },
            ]
            #expect(
                errors == [
                    .includedTwice("leaf", by: "top", and: "other"), .included("leaf", in: "top"),
                    .included("leaf", in: "top"), .included("leaf", in: "top"),
                ])
            try await apps.unload("top")
            let rest = try await apps.loaded().map(\.name)
            #expect(rest == [])
            // One that includes itself, or another one twice.
            let mistakes = await ApplicationError.thrown { () throws(ApplicationError) in
                try await apps.load(self.application("leaf", including: [part, leaf]))
            }
            #expect(
                mistakes
                    == .specInvalid("leaf", [.includedTwice("leaf"), .includedTwice("leaf")]))
        }
    }

    @Test("APP-25 members see the environment of their application, at the level of group leaders")
    func members() async throws {
        let options = NodeOptions(
            environment: Environment().setting(Colour.self, to: "node").setting(Size.self, to: 0),
            events: NoEvents())
        try await withNode(options) { node in
            let apps = node.applications
            let part = application("part", Environment().setting(Shape.self, to: "round"))
            var application = application(
                "a", Environment().setting(Colour.self, to: "spec"), including: [part])
            let log = Log<String?>()
            application.onStart = { process in
                log.append(process.environment(Colour.self))
                return try process.spawnLinked { top -> Never in
                    let own = Environment().setting(Colour.self, to: "own")
                    while true {
                        guard let go = try await top.receive() as? Gate else { continue }
                        // Its own, that of a child with another, and of one that was spawned late.
                        log.append(top.environment(Colour.self))
                        let child = try top.spawn(options: .init(environment: own)) { child in
                            child.environment(Colour.self)
                        }
                        log.append(try await child.value)
                        log.append(
                            try await top.spawn { "\($0.environment(Size.self) ?? -1)" }.value)
                        log.append(top.environment(Shape.self))
                        go.open()
                    }
                }.pid
            }
            try await apps.load(application)
            try await apps.start("a")
            let top = try #require(try await apps.snapshot("a")?.top)
            func ask() async throws {
                let gate = Gate()
                try node.send(gate, to: top)
                await gate.wait()
            }
            try await ask()
            #expect(log.elements == ["spec", "spec", "own", "0", "round"])
            apps.setEnvironment(Colour.self, to: "later", of: "a")
            apps.setEnvironment(Size.self, to: 3, of: "a")
            apps.setEnvironment(Shape.self, to: "square", of: "part")
            try await ask()
            #expect(log.elements.suffix(4) == ["later", "own", "3", "square"])
            // Strangers do not see it.
            #expect(try await node.spawn { $0.environment(Colour.self) }.value == "node")
        }
    }
}
