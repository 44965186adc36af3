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

private struct Question: Sendable {
    let text: String
    let replyTo: Alias
}

/// The code of the article of this name, so that it is compiled; see `ArticleTests`.
enum LinksAndMonitorsSnippets {
    fileprivate static func part1(node: Node, counter: ServerRef<Counter>) throws {
        let parent = try node.spawn { process in
            try process.link(to: counter.pid)
            let child = try process.spawnLinked { _ in throw ExitReason.custom("boom") }
            process.unlink(from: child.pid)
            _ = try await process.receive()
        }
        _ = parent
    }

    fileprivate static func part2(node: Node, counter: ServerRef<Counter>) throws {
        let watcher = try node.spawn { process in
            let ref = process.monitor(counter.pid)
            guard let down = try await process.receive() as? MessageDown, down.ref == ref else {
                return
            }
            print(down.object, "ended:", down.reason)
        }
        _ = watcher
    }

    fileprivate static func part3(node: Node) throws {
        let parent = try node.spawn(options: .init(trapsExits: true)) { process in
            let (child, ref) = try process.spawnMonitored(linked: true) { _ in 42 }
            for _ in 0..<2 {
                switch try await process.receive() {
                case let down as MessageDown where down.ref == ref:
                    print("it returned", down.result as Any)
                case let exit as MessageExit where exit.from == child.pid:
                    print("it ended:", exit.reason)
                default: break
                }
            }
        }
        _ = parent
    }

    fileprivate static func part4(node: Node, workers: [String: ServerRef<Counter>]) throws {
        let watcher = try node.spawn { process in
            for (job, worker) in workers { _ = process.monitor(worker.pid, tag: job) }
            while let down = try await process.receive() as? MessageDown {
                print("job", down.tag as? String ?? "?", "ended:", down.reason)
            }
        }
        _ = watcher
    }

    fileprivate static func part5(node: Node, service: ServerRef<Counter>) throws {
        let asker = try node.spawn { process in
            let (ref, alias) = process.monitor(service.pid, alias: .replyDemonitor)
            try service.send(Question(text: "how many?", replyTo: alias))
            switch try await process.receive(timeout: .seconds(1)) {
            case let answer as Int: print(answer)  // No DOWN follows.
            case let down as MessageDown: print(down.reason)  // No answer follows.
            default: process.demonitor(ref)  // Neither follows.
            }
        }
        _ = asker
    }
}
