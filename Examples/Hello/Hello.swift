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
        // A keeper that is linked with its counter, traps exits, and starts a new one when it dies.
        let keeper = try node.spawn(options: .init(trapsExits: true)) { process in
            for start in [40, 0] {
                let counter = try process.spawnLinked(Counter.self, start)
                try counter.cast(.increment(by: 2))
                print("counter \(counter.pid) says", try await counter.call(.value))
                try counter.cast(start == 40 ? .crash : .increment(by: 1))
                if start == 40, let exit = try await process.receive() as? MessageExit {
                    print("it died: \(exit.reason); here comes another")
                }
            }
        }
        try await keeper.value
        await node.stop()
    }
}
