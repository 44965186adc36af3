//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe
import TroupeTesting

extension Bug {
    /// A till asks for the balance, adds to it and books the sum: two calls where one would do. The
    /// night's batch does the same, but long after the till has closed.
    static let lostUpdate = Bug(
        name: "lost-update",
        story: "the till books by two calls, the night's batch begins 100 ms later",
        options: SimulationOptions(
            faults: [.hang(probability: 0.05, for: .milliseconds(200))])
    ) { node in
        let account = try node.spawn(Account.self)
        let till = try node.spawn { _ in try await book(1, into: account) }
        let batch = try node.spawn { process in
            try await process.sleep(for: .milliseconds(100))
            try await book(1, into: account)
        }
        try await till.value
        try await batch.value
        let balance = try await account.call(.balance)
        if balance != 2 { throw BugFound("2 was booked, the balance is \(balance)") }
    }

    private static func book(_ amount: Int, into account: ServerRef<Account>) async throws {
        let balance = try await account.call(.balance)
        _ = try await account.call(.setBalance(balance + amount))
    }
}

/// An account that lets others count.
private struct Account: GenServer {
    enum Call: Sendable { case balance, setBalance(Int) }
    private var balance = 0

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        if case .setBalance(let new) = request { balance = new }
        return .reply(balance)
    }
}
