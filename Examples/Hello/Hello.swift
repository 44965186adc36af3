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
        try counter.cast(.crash)
        // Nobody waits for the dead: until there is a new counter, calls fail at once.
        var value: Int?
        while value == nil { value = try? await counter.call(.value) }
        print("it died, and its successor says", value ?? 0)
        await node.stop()
    }
}
