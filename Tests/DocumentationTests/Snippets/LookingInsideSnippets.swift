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

/// The code of the article of this name, so that it is compiled; see `ArticleTests`.
enum LookingInsideSnippets {
    fileprivate static func part1(node: Node) {
        for pid in node.processes {
            guard let info = node.info(pid), info.mailboxCount > 100 else { continue }
            print(
                pid, info.behaviour, "has", info.mailboxCount, "messages of", info.mailboxCapacity)
        }
    }

    fileprivate static func part2(node: Node) throws {
        let download = try node.spawn { process in
            process.setLabel("download 17")
            _ = try await process.receive()
        }
        _ = download
    }

    func holdup(of pid: Pid, on node: Node) -> Pid {
        guard case .reply(let next)? = node.info(pid)?.waitsOn.first else { return pid }
        return holdup(of: next, on: node)
    }

    fileprivate static func part4(counter: ServerRef<Counter>) async throws {
        try await counter.suspend()
        print(try await counter.state { $0.count })
        try await counter.resume()
    }

    fileprivate static func part5(counter: ServerRef<Counter>) async throws {
        let count = try await counter.state { $0.count }
        let before = try await counter.replaceState { counter in
            defer { counter.count = 0 }
            return counter.count
        }
        _ = (count, before)
    }

    struct Vault: GenServer {
        let password: String
        var openings = 0

        init(_ password: String, process: ServerProcess) { self.password = password }

        func formatStatus() -> String? { "opened \(openings) times" }
    }

    fileprivate static func part7(node: Node) async throws {
        let vault = try node.spawn(Vault.self, "swordfish")
        print(try await vault.status().state)  // opened 0 times
    }

    fileprivate static func part8(counter: ServerRef<Counter>) throws {
        let before = try counter.statistics()
        try counter.cast(.increment(by: 1))
        let after = try counter.statistics()
        print(
            "got", after.messagesIn - before.messagesIn, "messages in", after.uptime - before.uptime
        )
    }

    fileprivate static func part9(counter: ServerRef<Counter>) throws {
        try counter.installHook("first 100 casts", state: 0) { count, event in
            guard event.action == .received(.cast) else { return .keep }
            count += 1
            print(count, event.type)
            return count < 100 ? .keep : .remove
        }
    }

    fileprivate static func part10(counter: ServerRef<Counter>) throws {
        try counter.trace { line in print(line) }  // <0.7.0> got call Call.value
        try counter.trace(nil)

        try counter.keepLog(ofLast: 100)
        for event in try counter.log { print(event) }
        try counter.stopWatching()
    }
}
