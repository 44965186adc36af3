//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// What a producer sends to a consumer.
enum Load: Sendable {
    /// One message to count.
    case increment(Int)
    /// To be answered with `Signal.acknowledged`.
    case sync(Pid)
}

/// What a consumer has to know.
struct Order: Sendable {
    /// How many increments there will be.
    let count: Int
    /// Who is told when they have come.
    let driver: Pid
}

/// The count of a consumer.
struct Tally: Sendable {
    private var order: Order
    private var left: Int

    init(_ order: Order) {
        self.order = order
        self.left = order.count
    }

    /// Takes one message in the name of `process`.
    @inline(__always)
    mutating func take(_ load: Load, _ process: some ProcessContext) throws {
        switch load {
        case .increment:
            left -= 1
            if left == 0 { try process.send(Signal.done, to: order.driver) }
        case .sync(let producer):
            // A producer does not wait for the answer to its last sync, and may have ended.
            try? process.send(Signal.acknowledged, to: producer)
        }
    }
}

/// Counts what producers send.
struct Consumer: GenServer {
    private var tally: Tally

    init(_ order: Order, process: ServerProcess) {
        self.tally = Tally(order)
    }

    mutating func handleCast(_ message: Load, process: ServerProcess) throws {
        try tally.take(message, process)
    }
}

/// The same as an async server.
struct AsyncConsumer: AsyncGenServer {
    private var tally: Tally

    init(_ order: Order, process: ServerProcess) async {
        self.tally = Tally(order)
    }

    mutating func handleCast(_ message: Load, process: ServerProcess) async throws {
        try tally.take(message, process)
    }
}

/// The address of a consumer.
protocol Inbox: Sendable {
    func put(_ load: Load) throws(SendError<Load>)
    func putWaiting(_ load: Load) async throws(SendError<Load>)
}

extension ServerRef: Inbox where Server.Cast == Load {
    func put(_ load: Load) throws(SendError<Load>) { try cast(load) }

    func putWaiting(_ load: Load) async throws(SendError<Load>) {
        try await cast(load, waitingUpTo: .seconds(Sample.timeLimitInSeconds))
    }
}

/// A consumer that is a closure.
struct ClosureInbox: Inbox {
    let process: ProcessRef<Void>
    let node: Node

    /// Starts the consumer as a child of the driver.
    init(_ order: Order, driver: Process) throws {
        self.node = driver.node
        self.process = try driver.spawn { process in
            var tally = Tally(order)
            while true { try tally.take(try await process.receive(Load.self), process) }
        }
    }

    func put(_ load: Load) throws(SendError<Load>) { try process.send(load) }

    func putWaiting(_ load: Load) async throws(SendError<Load>) {
        try await node.send(
            load, to: .pid(process.pid), waitingUpTo: .seconds(Sample.timeLimitInSeconds))
    }
}
