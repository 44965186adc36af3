//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

private struct Counter: GenServer {
    enum Call: Sendable { case value }
    enum Cast: Sendable { case increment(by: Int) }
    var count: Int

    init(_ start: Int, process: ServerProcess) { count = start }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> { .reply(count) }

    mutating func handleCast(_ message: Cast, process: ServerProcess) {
        switch message {
        case .increment(let amount): count += amount
        }
    }
}

private struct Store: GenServer {
    init(_ path: String, process: ServerProcess) {}
}

private struct Worker: GenServer {
    init(_ number: Int, process: ServerProcess) {}
}

private struct Room: GenServer {
    enum Cast: Sendable { case say(String) }
    init(_ topic: String, process: ServerProcess) {}
    mutating func handleCast(_ message: Cast, process: ServerProcess) {}
}

private struct Fetcher: AsyncGenServer {
    init(_ path: String, process: ServerProcess) async throws {}
}

private func runJob(_ process: Process) async throws {}

/// The code of the article of this name, so that it is compiled; see `ArticleTests`.
enum SupervisionSnippets {
    static func part1(node: Node) async throws {
        let tree = SupervisorSpec {
            ChildSpec(Counter.self, 0, name: "counter")
        }
        let root = try await node.spawn(Supervisor.self, tree, options: .init(name: "root"))

        let counter = node.server(Counter.self, named: "counter")
        try counter.cast(.increment(by: 2))
        print(try await counter.call(.value))
        _ = root
    }

    static func part2(path: String, workerCount: Int, isVerbose: Bool) {
        let children = SupervisorSpec(
            strategy: .restForOne, limit: RestartLimit(3, within: .seconds(10))
        ) {
            // A server of either kind.
            ChildSpec(Store.self, path, name: "store", shutdown: .timeout(.seconds(30)))
            // Several, each with an id of its own.
            for number in 1...workerCount {
                ChildSpec(Worker.self, number, id: "worker \(number)", restart: .transient)
            }
            // A closure.
            if isVerbose {
                ChildSpec("clock") { process in
                    while true {
                        try await process.sleep(for: .seconds(60))
                        print("another minute")
                    }
                }
            }
            // A supervisor.
            ChildSpec.supervisor("sessions", strategy: .oneForAll) {
                ChildSpec(Counter.self, 0)
            }
            // What a function of yours starts.
            ChildSpec.startFunction("custom") { supervisor in
                let worker = try supervisor.spawnLinked(Worker.self, 7)
                return StartedChild(worker.pid, info: "number 7")
            }
        }
        _ = children
    }

    static func part3(paths: [String]) {
        let shards = SupervisorSpec(children: paths.map { ChildSpec(Store.self, $0, name: $0) })
        _ = shards
    }

    static func part4(root: ServerRef<Supervisor>, path: String) async throws {
        try await root.startChild(ChildSpec(Store.self, path, name: "store"))
        try await root.terminateChild("store")
        try await root.restartChild("store")
        for child in try await root.whichChildren() { print(child.id ?? "", child.status) }
        print(try await root.countChildren().active)
    }

    static func part5(node: Node) async throws {
        let rooms = KeyRegistry<String, Void>(on: node)
        let starter = try await node.spawn(
            DynamicSupervisor<String>.self,
            DynamicSupervisorSpec(childLimit: 1000) { topic in
                ChildSpec(
                    Room.self, topic, options: .init(registration: rooms.registration(topic)),
                    restart: .temporary)
            })
        try await starter.startChild("swift")
        try rooms.whereis("swift", as: Room.self)?.cast(.say("hello"))
    }

    static func part6(path: String) {
        let fetcher = ChildSpec(
            Fetcher.self, path, name: "fetcher",
            recovery: ChildRecovery(
                backoff: RestartBackoff(from: .milliseconds(100), upTo: .seconds(30)),
                budget: RestartLimit(20, within: .seconds(60)),
                mailbox: .keep))
        _ = fetcher
    }

    static func part7(path: String) {
        let job = SupervisorSpec(autoShutdown: .anySignificant) {
            ChildSpec(Store.self, path, name: "scratch")
            ChildSpec("job", restart: .transient, isSignificant: true) { process in
                try await runJob(process)
            }
        }
        _ = job
    }

    static func part8(path: String) {
        let program = SupervisorSpec(strategy: .restForOne) {
            ChildSpec(Store.self, path, name: "store")
            ChildSpec.supervisor("web", limit: RestartLimit(10, within: .seconds(10))) {
                ChildSpec(Counter.self, 0, name: "hits")
                ChildSpec(
                    DynamicSupervisor<ChildSpec>.self, DynamicSupervisorSpec(), id: "sessions",
                    name: "sessions")
            }
        }
        _ = program
    }

    static func partitions(node: Node) async throws {
        let supervisor = try await node.spawn(
            PartitionSupervisor<Counter>.self,
            PartitionSupervisorSpec(Counter.self, named: "hits", count: 8) { number in 0 })
        let hits = try await supervisor.partitions()
        try hits["/index.html"].cast(.increment(by: 1))
    }

    static func part9() {
        let events = EventHandler([.supervisorReport, .progress]) { event in
            guard case .supervisor(let report) = event else { return }
            switch report.occurrence {
            case .stuck(let child): print(child)
            case .givenUp: print("page somebody:", report)
            default: print(report)
            }
        }
        _ = events
    }

    private struct Understudy: AsyncGenServer {
        private var player: ServerRef<Worker>
        private var number = 1

        init(_: Void, process: ServerProcess) async throws {
            process.setTrapsExits(true)
            player = try process.spawnLinked(Worker.self, 1)
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
            guard let exit = message as? MessageExit, exit.from == player.pid else {
                return process.reportUnhandled(message)
            }
            // Each one is another.
            number += 1
            player = try process.spawnLinked(Worker.self, number)
        }

        mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
            _ = try await process.shutDown(player.pid, by: .timeout(.seconds(5)))
        }
    }
}
