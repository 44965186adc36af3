//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// A tree of supervisors that is shot at and heals. It is printed before and after, and in between
// what the supervisors report of each shot.
import Troupe

// MARK: - The tree

/// What the tree is: all that there is to say of who is started, in which order, and what is started
/// again with whom.
let tree = SupervisorSpec(limit: RestartLimit(5, within: .seconds(1))) {
    ChildSpec(Counter.self, 100, name: "counter")

    // What comes later in the line cannot go on without what comes before it.
    ChildSpec.supervisor("line", name: "line", strategy: .restForOne) {
        ChildSpec(Stage.self, id: "source")
        ChildSpec(Stage.self, id: "filter")
        ChildSpec(Stage.self, id: "sink")
    }

    // Sessions come and go. One that has logged out is not started again.
    ChildSpec(
        DynamicSupervisor<String>.self,
        DynamicSupervisorSpec { user in
            ChildSpec(Session.self, user, name: "session of \(user)", restart: .transient)
        },
        id: "sessions", name: "sessions")
}

struct Counter: GenServer {
    enum Call: Sendable { case next, fail }
    struct Failure: Error {}
    private var count: Int

    init(_ start: Int, process: ServerProcess) { count = start }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) throws -> CallResult<Int> {
        if case .fail = request { throw Failure() }
        count += 1
        return .reply(count)
    }
}

struct Stage: GenServer {
    init(_: Void, process: ServerProcess) {}
}

struct Session: GenServer {
    enum Call: Sendable { case user }
    enum Cast: Sendable { case logOut }
    private let user: String

    init(_ user: String, process: ServerProcess) { self.user = user }

    mutating func handleCall(
        _ request: Call, from: From<String>, process: ServerProcess
    ) -> CallResult<String> { .reply(user) }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        throw ExitReason.normal
    }
}

// MARK: - What can be seen of it

/// Prints the children of a supervisor, and the children of those that are supervisors themselves.
func printTree(_ children: [ChildInfo], on node: Node, depth: Int = 0) async throws {
    // The newest comes first.
    for child in children.reversed() {
        let snapshot = child.pid.flatMap { node.info($0) }
        let name = child.id ?? snapshot?.names.first ?? "?"
        let process = child.pid.map { "\($0)" } ?? "\(child.status)"
        print(String(repeating: "    ", count: depth) + "\(name): \(child.behaviour) \(process)")
        guard child.type == .supervisor, let name = snapshot?.names.first else { continue }
        if let supervisor = node.whereis(name, as: Supervisor.self) {
            try await printTree(supervisor.whichChildren(), on: node, depth: depth + 1)
        }
        if let supervisor = node.whereis(name, as: DynamicSupervisor<String>.self) {
            try await printTree(supervisor.whichChildren(), on: node, depth: depth + 1)
        }
    }
}

/// What the supervisors of a node report, in order.
struct Reports {
    let sink: EventHandler
    private let stream: AsyncStream<SupervisorReport>

    init() {
        let (stream, continuation) = AsyncStream.makeStream(
            of: SupervisorReport.self, bufferingPolicy: .bufferingNewest(1000))
        self.stream = stream
        sink = EventHandler([.supervisorReport, .progress]) { event in
            if case .supervisor(let report) = event { continuation.yield(report) }
        }
    }

    /// Prints what is reported until so many children have been started again.
    func printUntil(restarts: Int) async {
        var restartCount = 0
        for await report in stream {
            if case .started = report.occurrence { continue }
            print("   ", report)
            if case .restarted = report.occurrence { restartCount += 1 }
            if restartCount == restarts { break }
        }
    }
}

// MARK: - The shooting

@main
enum Main {
    static func main() async throws {
        let reports = Reports()
        let node = try Node(name: "supervised", options: .init(events: reports.sink))
        let root = try await node.spawn(Supervisor.self, tree, options: .init(name: "root"))
        // These references are made once, and work for as long as the program runs.
        let counter = node.server(Counter.self, named: "counter")
        let ada = node.server(Session.self, named: "session of Ada")

        let sessions = node.whereis("sessions", as: DynamicSupervisor<String>.self)
        for user in ["Ada", "Bob", "Eve"] { try await sessions?.startChild(user) }
        print("BEFORE")
        try await printTree(root.whichChildren(), on: node)
        print("the counter says", try await counter.call(.next))

        print("\nthe counter fails while it handles a call")
        do {
            _ = try await counter.call(.fail)
        } catch {
            print("    its caller gets: \(error)")
        }
        await reports.printUntil(restarts: 1)
        print("    the new counter says", try await counter.call(.next))

        print("\nthe filter is killed: the sink goes with it, the source stays")
        if let line = node.whereis("line", as: Supervisor.self),
            let filter = try await line.whichChild("filter").pid
        {
            node.kill(filter)
        }
        await reports.printUntil(restarts: 2)

        print("\na session is killed, another logs out")
        if let pid = ada.pid { node.kill(pid) }
        await reports.printUntil(restarts: 1)
        print("    Ada's next session knows its user:", try await ada.call(.user))
        try node.server(Session.self, named: "session of Eve").cast(.logOut)

        print("\nthe supervisor of the line is killed, with all that it has started")
        if let line = node.whereis("line") { node.kill(line) }
        await reports.printUntil(restarts: 1)

        print("\nAFTER")
        try await printTree(root.whichChildren(), on: node)
        let count = try await root.countChildren()
        print("\(count.active) of \(count.specs) children of the root run")
        await node.stop()
    }
}
