//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

private func parse(_ text: String) throws -> [Substring] { text.split(separator: " ") }
private func use(_ tree: [Substring]) {}
private func load(_ path: String) async throws -> String { path }
private func sendMail() async throws {}

/// The code of the article of this name, so that it is compiled; see `ArticleTests`.
enum TasksAndAgentsSnippets {
    static func part1(node: Node) async throws {
        let worker = try node.spawn { process in
            let task = try process.async { child in
                try await child.sleep(for: .milliseconds(10))
                return 6 * 7
            }
            return try await task.value()
        }
        _ = worker
    }

    static func part2(process: Process) async throws {
        let tasks = try (1...10).map { number in try process.async { _ in number * number } }
        let squares = try await tasks.values(timeout: .seconds(30))
        _ = squares
    }

    static func part3(process: Process, text: String) async throws {
        let attempt = try process.async(linked: false) { _ in try parse(text) }
        switch try await attempt.yield() {
        case .success(let tree): use(tree)
        case .failure(let reason): print("no tree: \(reason)")
        case nil: try await attempt.shutdown()
        }
    }

    struct Reader: GenServer {
        enum Cast: Sendable { case read(String) }
        var texts: [String] = []
        var requests: Set<RequestID> = []

        init(_: Void, process: ServerProcess) {}

        mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
            guard case .read(let path) = message else { return }
            let task = try process.async(linked: false) { _ in try await load(path) }
            requests.insert(try process.requestOutcome(of: task))
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
            guard let response = message as? MessageResponse,
                requests.remove(response.request) != nil
            else { return process.reportUnhandled(message) }
            if let text = try? response.reply(as: String.self) { texts.append(text) }
        }
    }

    static func part5(process: Process, paths: [String]) async throws {
        let sizes = process.stream(
            over: paths, maxConcurrency: 8, timeout: .seconds(10), linked: false
        ) {
            path in try await load(path).count
        }
        for try await outcome in sizes {
            switch outcome {
            case .success(let size): print(size)
            case .failure(let reason): print("failed: \(reason)")
            }
        }
    }

    static func part6(node: Node) async throws {
        let supervisor = try await node.spawn(
            TaskSupervisor.self, .init(maxChildren: 100), options: .init(name: "tasks"))

        try await supervisor.startChild { _ in try await sendMail() }

        let worker = try node.spawn { process in
            let task = try await process.async(under: supervisor) { _ in try await load("a") }
            return try await task.value()
        }
        _ = worker
    }

    static func part7(node: Node) async throws {
        let counts = try node.spawn(
            Agent<[String: Int]>.self, { [:] }, options: .init(name: "counts"))
        try await counts.update { $0["a", default: 0] += 1 }
        try counts.cast { $0["b"] = 7 }
        let total = try await counts.get { $0.values.reduce(0, +) }
        let old = try await counts.getAndUpdate { state in
            defer { state = [:] }
            return state
        }
        try await counts.stop()
        _ = (total, old)
    }
}
