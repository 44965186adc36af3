//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// Servers that fetch pages over connections that break. They do nothing about it: they crash, and
// their supervisor starts them again, later and later while the other side is down. Requests that
// wait survive the crash. One whose budget is used up is given up, and the other one works on.
import Troupe

// MARK: - The other side

struct ConnectionLost: Error {}
struct HostDown: Error {}

/// A host that is flaky, as its script says. There is no network in this example.
actor Host {
    nonisolated let name: String
    /// For each connection how many pages it lasts; nil when the host is down. The last one holds
    /// for all that follow.
    private var script: [Int?]
    private var pagesLeft = 0

    init(_ name: String, script: [Int?]) {
        self.name = name
        self.script = script
    }

    func connect() throws {
        let next = script.count > 1 ? script.removeFirst() : script[0]
        guard let next else { throw HostDown() }
        pagesLeft = next
    }

    func page(_ number: Int) throws -> String {
        guard pagesLeft > 0 else { throw ConnectionLost() }
        pagesLeft -= 1
        return "page \(number) of \(name)"
    }
}

// MARK: - This side

/// Has one connection, which it opens when it starts, and fetches one page after the other.
struct Fetcher: AsyncGenServer {
    enum Cast: Sendable { case fetch(Int) }

    private let host: Host

    init(_ host: Host, process: ServerProcess) async throws {
        self.host = host
        try await host.connect()
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        guard case .fetch(let number) = message else { return }
        do {
            let page = try await host.page(number)
            try process.send(page, to: "reader")
        } catch let error as ConnectionLost {
            // The message that a server crashes on is not kept: it may be the reason. This one is
            // not, so it goes to the end of the queue.
            try process.ref.cast(message)
            throw error
        }
    }
}

extension ChildSpec {
    /// A fetcher with all that makes it heal. Without `recovery` it would be restarted at once, lose
    /// its mailbox, and take its siblings along when it fails too often, as in OTP.
    static func fetcher(_ host: Host) -> ChildSpec {
        ChildSpec(
            Fetcher.self, host, name: host.name,
            recovery: ChildRecovery(
                backoff: RestartBackoff(from: .milliseconds(20), upTo: .milliseconds(200)),
                budget: RestartLimit(5, within: .seconds(60)),
                mailbox: .keep))
    }
}

/// What the supervisor reports, in order.
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

    /// Prints what is reported until this has happened so often.
    func print(until occurrence: SupervisorReport.Occurrence, count: Int = 1) async {
        var seenCount = 0
        for await report in stream {
            Swift.print("   ", report)
            if report.occurrence == occurrence { seenCount += 1 }
            if seenCount == count { break }
        }
    }
}

@main
enum Main {
    static func main() async throws {
        let reports = Reports()
        let node = try Node(name: "fetcher", options: .init(events: reports.sink))
        let tree = try await node.spawn(Supervisor.self, SupervisorSpec(children: []))

        print("six pages, over connections that last for two, with the host down in between")
        try await tree.startChild(.fetcher(Host("flaky", script: [2, nil, nil, 2, 9])))
        let flaky = node.server(Fetcher.self, named: "flaky")
        var reader = try node.spawn(options: .init(name: "reader")) { try await read(6, $0) }
        // All six are to wait before the first is fetched.
        try await flaky.current?.suspend()
        for number in 1...6 { try flaky.cast(.fetch(number)) }
        try await flaky.current?.resume()
        await reports.print(until: .restarted, count: 2)
        for page in try await reader.value { print("   ", page) }

        print("two pages from a host that goes down for good after one")
        try await tree.startChild(.fetcher(Host("lost", script: [1, nil])))
        let lost = node.server(Fetcher.self, named: "lost")
        reader = try node.spawn(options: .init(name: "reader")) { try await read(1, $0) }
        for number in 1...2 { try lost.cast(.fetch(number)) }
        await reports.print(until: .childGivenUp)
        for page in try await reader.value { print("   ", page) }

        print("the other fetcher lives on; nobody takes requests for this one:")
        reader = try node.spawn(options: .init(name: "reader")) { try await read(1, $0) }
        try flaky.cast(.fetch(7))
        for page in try await reader.value { print("   ", page) }
        do {
            try lost.cast(.fetch(3))
        } catch {
            print("   ", error)
        }
        await node.stop()
    }

    /// Takes so many pages.
    @Sendable
    static func read(_ count: Int, _ process: Process) async throws -> [String] {
        var pages: [String] = []
        while pages.count < count {
            if let page = try await process.receive() as? String { pages.append(page) }
        }
        return pages
    }
}
