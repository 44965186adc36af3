//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// An ordinary synchronous program, without `async`, that uses processes through direct calls.
import Troupe

/// A cache that remembers what was computed and how often it was asked.
struct SquareCache: GenServer {
    enum Call: Sendable { case square(Int), hits }

    private var squares: [Int: Int] = [:]
    private var hits = 0

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        switch request {
        case .hits:
            return .reply(hits)
        case .square(let number):
            if let known = squares[number] {
                hits += 1
                return .reply(known)
            }
            squares[number] = number * number
            return .reply(number * number)
        }
    }
}

@main
enum Main {
    static func main() throws {
        let node = try Node(name: "embedding")
        let cache = try node.spawn(SquareCache.self)
        for number in [3, 4, 3, 5, 4, 3] {
            let square = try cache.directBlocking(.square(number))
            print("\(number)² = \(square)")
        }
        print("hits:", try cache.directBlocking(.hits))
        node.stopBlocking()
    }
}
