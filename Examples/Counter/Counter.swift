//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// A GenServer: state, calls and casts, and what a crash does and does not do.
import Troupe

struct Counter: GenServer {
    enum Call: Sendable { case value, divide(by: Int) }
    enum Cast: Sendable { case increment(by: Int) }
    struct DivisionByZero: Error {}

    var count: Int

    init(_ start: Int, process: ServerProcess) {
        count = start
    }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) throws -> CallResult<Int> {
        switch request {
        case .value: return .reply(count)
        case .divide(0): throw DivisionByZero()
        case .divide(let divisor): return .reply(count / divisor)
        }
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) {
        switch message {
        case .increment(let amount): count += amount
        }
    }
}

@main
enum Main {
    static func main() async throws {
        let node = try Node(name: "counter")
        let counter = try node.spawn(Counter.self, 40, options: .init(name: "counter"))
        try counter.cast(.increment(by: 2))
        print("value:", try await counter.call(.value))
        print("half: ", try await counter.call(.divide(by: 2)))
        do {
            _ = try await counter.call(.divide(by: 0))
        } catch {
            print("error:", error)
        }
        print("alive:", node.isAlive(counter.pid))
        await node.stop()
    }
}
