//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// The code of the article of this name, so that it is compiled; see `ArticleTests`.
enum ProcessesAndMailboxesSnippets {
    struct Question: Sendable {
        let from: Pid
        let ref: Reference
    }

    struct Answer: Sendable {
        let ref: Reference
    }

    struct Counter: GenServer {
        enum Cast: Sendable { case increment(by: Int) }
        var count: Int

        init(_ start: Int, process: ServerProcess) { count = start }

        mutating func handleCast(_ message: Cast, process: ServerProcess) {
            switch message {
            case .increment(let amount): count += amount
            }
        }
    }

    static func part1(node: Node) async throws {
        let summer = try node.spawn { process in
            var sum = 0
            while let number = try await process.receive(timeout: .seconds(1)) as? Int {
                sum += number
            }
            return sum
        }
        try summer.send(20)
        try summer.send(22)
        let sum = try await summer.value  // 42, a second after the last number
        _ = sum
    }

    static func part2(node: Node, summer: ProcessRef<Int>, alias: Alias) async throws {
        try node.send("hello", to: summer.pid)
        try node.send("hello", to: "greeter")
        try node.send("hello", to: .alias(alias))
    }

    static func part3(node: Node) async throws {
        do {
            try node.send("hello", to: "greeter")
        } catch {
            print(error.failure, error.message)
        }
        try? node.send("bye", to: "greeter")
    }

    static func part4(node: Node) async throws {
        let worker = try node.spawn { process in
            let number = try await process.receive(Int.self)
            let large = try await process.receive(Int.self, timeout: .seconds(1)) { $0 > number }
            let rest = try await process.flush()
            return (large ?? 0) + rest.count
        }
        _ = worker
    }

    static func part5(process: Process) async throws {
        let ref = process.makeReference()
        try process.send(Question(from: process.pid, ref: ref), to: "oracle")
        let answer = try await process.receive(Answer.self, answering: ref) { $0.ref == ref }
        _ = answer
    }

    static func part6() async throws {
        let options = ProcessOptions(
            name: "greeter", mailbox: MailboxOptions(capacity: 100, overflow: .dropOldest))
        _ = options
    }

    static func part7(node: Node, counter: ServerRef<Counter>) async throws {
        try await node.send("hello", to: "greeter", waitingUpTo: .seconds(1))
        try await counter.cast(.increment(by: 1), waitingUpTo: .seconds(1))
    }

    static func part8(node: Node) async throws {
        let disk = try node.spawn(Counter.self, 0, options: .init(ownThread: true))
        _ = disk
    }
}
