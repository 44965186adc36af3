//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

struct Counter: GenServer {
    enum Call: Sendable { case value }
    enum Cast: Sendable { case increment(by: Int), crash }
    struct Accident: Error {}
    var count: Int

    init(_ start: Int, process: ServerProcess) { count = start }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> { .reply(count) }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .increment(let amount): count += amount
        case .crash: throw Accident()
        }
    }
}

@main
struct Hello {
    static func main() async throws {
        let node = try Node(name: "hello")
        // Starts the counter, and starts it again whenever it dies.
        let tree = SupervisorSpec {
            ChildSpec(Counter.self, 40, name: "counter")
        }
        _ = try await node.spawn(Supervisor.self, tree)

        // Whichever counter holds the name, now or later.
        let counter = node.server(Counter.self, named: "counter")
        try counter.cast(.increment(by: 2))
        print("the counter says", try await counter.call(.value))
        let first = counter.current
        try counter.cast(.crash)
        // Nobody answers for the dead; its successor has the name.
        let second = try await counter.instance(after: first)
        print("it died, and its successor says", try await second.call(.value))
        await node.stop()
    }
}
