//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import CountedMalloc
import Troupe

/// Counts the heap allocations of operations and compares them with budgets.
///
/// One thread runs all processes, so that the counts do not depend on who is faster.
enum Budgets {
    /// - Returns: whether no operation takes more than its budget.
    static func run() async throws -> Bool {
        guard counted_malloc_is_available() else {
            print("allocations are not available: they are counted with glibc only")
            return true
        }
        let options = NodeOptions(events: FailureEvents(), scheduler: .threads(1))
        let node = try Node(name: "budgets", options: options)
        let counting = try node.spawn { process in
            var measured: [Double] = []
            for operation in BudgetedOperation.all {
                measured.append(try await operation.measure(process))
            }
            return measured
        }
        var table = Table(header: ["operation", "allocations", "budget"])
        var isWithin = true
        for (operation, measured) in zip(BudgetedOperation.all, try await counting.value) {
            let isOver = measured > operation.budget
            isWithin = isWithin && !isOver
            table.rows.append([
                operation.name, Summary.text(measured), Summary.text(operation.budget),
            ])
            if isOver { note("\(operation.name) is over its budget") }
        }
        print(table.text)
        return isWithin
    }
}

/// An operation and how many heap allocations it may take in the steady state.
struct BudgetedOperation: Sendable {
    /// Prepares an operation and returns what does it that many times.
    typealias Prepare =
        @Sendable (Process) async throws -> (_ count: Int) async throws -> Void

    let name: String
    let budget: Double
    private let prepare: Prepare

    private init(_ name: String, budget: Double, _ prepare: @escaping Prepare) {
        self.name = name
        self.budget = budget
        self.prepare = prepare
    }

    /// The allocations of one operation, rounded to hundredths; 40,000 are done for it, and as many
    /// before. What is left of tables that grow is below that.
    func measure(_ process: Process) async throws -> Double {
        let count = 40_000
        let work = try await prepare(process)
        try await work(count)
        counted_malloc_start()
        try await work(count)
        let allocations = Double(counted_malloc_stop())
        return (allocations / Double(count) * 100).rounded() / 100
    }

    static let all: [BudgetedOperation] = messages + relations + spawning

    private static let messages = [
        // The mailbox keeps its room for one message.
        BudgetedOperation("cast between servers", budget: 0) { process in
            let play = try await process.makePingPong(.direct)
            return { count in
                try play(count / 2)
                try await process.wait(for: .done)
            }
        },
        BudgetedOperation("casts, 100 at a time", budget: 0.06) { process in
            let server = try process.spawn(Bystander.self, ())
            return { count in
                for index in 1...count {
                    try server.cast(.increment(index))
                    if index % 100 == 0 { await Task.yield() }
                }
            }
        },
        BudgetedOperation("send of any Sendable by pid", budget: 0.06) { process in
            let server = try process.spawn(Bystander.self, ()).pid
            return { count in
                for index in 1...count {
                    try process.send(Signal.go, to: server)
                    if index % 100 == 0 { await Task.yield() }
                }
            }
        },
        BudgetedOperation("call of an idle server", budget: 0) { process in
            let server = try process.spawn(PingServer.self, ())
            return { count in for _ in 0..<count { _ = try await server.call(.ping) } }
        },
        BudgetedOperation("call of an async server", budget: 0) { process in
            let server = try await process.spawn(AsyncPingServer.self, ())
            return { count in for _ in 0..<count { _ = try await server.call(.ping) } }
        },
    ]

    private static let relations = [
        BudgetedOperation("monitor, demonitor", budget: 0) { process in
            let server = try process.spawn(Bystander.self, ()).pid
            return { count in
                for _ in 0..<count { process.demonitor(process.monitor(server)) }
            }
        },
        BudgetedOperation("link, unlink", budget: 0) { process in
            let server = try process.spawn(Bystander.self, ()).pid
            return { count in
                for _ in 0..<count {
                    _ = try process.link(to: server)
                    process.unlink(from: server)
                }
            }
        },
        BudgetedOperation("timer set, cancel", budget: 1) { process in
            return { count in
                for _ in 0..<count {
                    _ = try process.send(Signal.go, after: .seconds(60)).cancel()
                }
            }
        },
        BudgetedOperation("register, unregister", budget: 0) { process in
            return { count in
                for _ in 0..<count {
                    try process.register("a name of a process")
                    try process.unregister("a name of a process")
                }
            }
        },
        BudgetedOperation("whereis", budget: 0) { process in
            let server = try process.spawn(Bystander.self, ()).pid
            try process.node.register("a name of a server", server)
            return { count in
                for _ in 0..<count {
                    try check(process.node.whereis("a name of a server") == server, "not found")
                }
            }
        },
    ]

    private static let spawning = [
        BudgetedOperation("spawn of a server", budget: 1) { process in
            return { count in for _ in 0..<count { _ = try process.spawn(Bystander.self, ()) } }
        },
        BudgetedOperation("spawn and end of a server", budget: 4) { process in
            return { count in
                for _ in 0..<count {
                    try process.spawn(IdleServer.self, ()).cast(.stop)
                    await Task.yield()
                }
            }
        },
        BudgetedOperation("spawn of an async server", budget: 7) { process in
            return { count in
                for _ in 0..<count { _ = try await process.spawn(AsyncPingServer.self, ()) }
            }
        },
        BudgetedOperation("spawn and end of a closure", budget: 5) { process in
            return { count in
                for _ in 0..<count {
                    try process.spawn { _ in }
                    await Task.yield()
                }
            }
        },
    ]
}
