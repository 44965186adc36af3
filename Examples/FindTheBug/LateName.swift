//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe
import TroupeTesting

extension Bug {
    /// The price list takes its name when it has been read, so as not to hold up its supervisor. The
    /// shop looks the name up when the first customer comes, long after.
    static let lateName = Bug(
        name: "late-name",
        story: "the price list takes its name after init, the first customer comes much later",
        options: SimulationOptions(strategy: .priorities(changes: 2, steps: 150))
    ) { node in
        let supervisor = try await node.spawn(
            Supervisor.self,
            SupervisorSpec {
                ChildSpec(PriceList.self)
                ChildSpec(Shop.self, name: "shop")
            })
        try await Clerk.passTime(on: node)
        let shop = node.whereis("shop", as: Shop.self)
        if try await shop?.call(.price) == nil { throw BugFound("the shop has no price list") }
        try await supervisor.stop()
    }
}

private struct PriceList: GenServer {
    enum Call: Sendable { case price }
    typealias Reply = Int
    enum Continue: Sendable { case read }
    private var price = 0

    init(_: Void, process: ServerProcess) { process.continue(with: .read) }

    mutating func handleContinue(_ message: Continue, process: ServerProcess) throws {
        price = 42
        // What finds the name finds the prices. But who looks for it now?
        try process.register("prices")
    }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> { .reply(price) }
}

private struct Shop: AsyncGenServer {
    enum Call: Sendable { case price }
    typealias Reply = Int?

    init(_: Void, process: ServerProcess) async {}

    mutating func handleCall(
        _ request: Call, from: From<Int?>, process: ServerProcess
    ) async throws -> CallResult<Int?> {
        let prices = process.node.whereis("prices", as: PriceList.self)
        return .reply(try await prices?.call(.price))
    }
}

/// Somebody to talk to while time goes by.
struct Clerk: AsyncGenServer {
    enum Call: Sendable { case greet }
    typealias Reply = Bool

    init(_: Void, process: ServerProcess) async {}

    mutating func handleCall(
        _ request: Call, from: From<Bool>, process: ServerProcess
    ) async -> CallResult<Bool> { .reply(true) }

    /// Enough for everything else that goes on to be over: one would think so.
    static func passTime(on node: Node) async throws {
        let clerk = try await node.spawn(Clerk.self)
        for _ in 0..<30 { _ = try await clerk.call(.greet) }
        try await clerk.stop()
    }
}
