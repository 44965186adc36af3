//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// Producers that send to consumers as fast as they can.
    ///
    /// Without `_window` only the mailbox limits them: where it is full, they wait for room. With
    /// it they send a sync after every 500 messages, of which two may be unanswered.
    static let messages: [Figure] = [
        stream("send_1p1c", producers: 1, each: 2_000_000),
        stream("send_1p1c", producers: 1, each: 2_000_000, kind: .async),
        stream("send_1p1c", producers: 1, each: 2_000_000, kind: .closure),
        stream("send_1p1c_window", producers: 1, each: 2_000_000, isWindowed: true),
        stream("send_1p1c_window", producers: 1, each: 2_000_000, isWindowed: true, kind: .async),
        stream("send_1p1c_window", producers: 1, each: 2_000_000, isWindowed: true, kind: .closure),
        // The twin keeps the consumer's queue outside of its heap, as mailboxes are here anyway.
        stream("send_1p1c_offheap", producers: 1, each: 2_000_000),
        stream("send_8p1c", producers: 8, each: 250_000),
        stream("send_8p1c", producers: 8, each: 250_000, kind: .async),
        stream("send_8p1c", producers: 8, each: 250_000, kind: .closure),
        stream("send_8p1c_window", producers: 8, each: 250_000, isWindowed: true),
        stream("send_8p1c_window", producers: 8, each: 250_000, isWindowed: true, kind: .async),
        stream("send_8p1c_window", producers: 8, each: 250_000, isWindowed: true, kind: .closure),
        stream("pairs_8", pairs: 8, producers: 1, each: 500_000),
        stream("pairs_8", pairs: 8, producers: 1, each: 500_000, kind: .async),
        stream("pairs_8", pairs: 8, producers: 1, each: 500_000, kind: .closure),
        pairsWithWindow(.direct), pairsWithWindow(.async), pairsWithWindow(.closure),
        // The twin sends plain messages above, and casts here. In Troupe casts are the messages.
        stream("cast_1p1c", producers: 1, each: 1_000_000),
        stream("cast_1p1c_window", producers: 1, each: 1_000_000, isWindowed: true),
    ]

    private static func pairsWithWindow(_ kind: ProcessKind) -> Figure {
        stream(
            "pairs_8_window", pairs: 8, producers: 1, each: 500_000, isWindowed: true, kind: kind)
    }

    /// - Parameters:
    ///   - pairs: how many consumers there are.
    ///   - producers: how many producers each consumer has.
    ///   - each: how many messages each producer sends.
    ///   - kind: what the consumers are. The producers are closures.
    private static func stream(
        _ name: String, pairs: Int = 1, producers: Int, each: Int, isWindowed: Bool = false,
        kind: ProcessKind = .direct
    ) -> Figure {
        let name = name + kind.suffix
        let stream = Stream(
            consumers: pairs, producers: producers, isWindowed: isWindowed, kind: kind)
        return Figure(name, hasPeer: kind == .direct) { process in
            _ = try await stream.run(1000, in: process)
            try await process.settle()
            let time = try await stream.run(each, in: process)
            return [.nanoseconds(name, time, each: pairs * producers * each)]
        }
    }
}

/// Producers and consumers of one figure.
private struct Stream: Sendable {
    let consumers: Int
    /// Of each consumer.
    let producers: Int
    let isWindowed: Bool
    let kind: ProcessKind

    /// How long it takes from the start signal until all consumers have counted everything.
    func run(_ each: Int, in process: Process) async throws -> Duration {
        let order = Order(count: producers * each, driver: process.pid)
        switch kind {
        case .direct:
            return try await run(each, in: process) {
                try process.spawn(Consumer.self, order)
            }
        case .async:
            return try await run(each, in: process) {
                try await process.spawn(AsyncConsumer.self, order)
            }
        case .closure:
            return try await run(each, in: process) {
                try ClosureInbox(order, driver: process)
            }
        }
    }

    private func run(
        _ each: Int, in process: Process, _ spawnConsumer: () async throws -> some Inbox
    ) async throws -> Duration {
        var started: [ProcessRef<Void>] = []
        for _ in 0..<consumers {
            let inbox = try await spawnConsumer()
            for _ in 0..<producers { started.append(try spawnProducer(each, inbox, in: process)) }
        }
        // Until all wait for the start signal.
        try await process.sleep(for: .milliseconds(20))
        return try await timed {
            for producer in started { try producer.send(Signal.go) }
            for _ in 0..<consumers { try await process.wait(for: .done) }
        }
    }

    private func spawnProducer(
        _ count: Int, _ inbox: some Inbox, in process: Process
    ) throws -> ProcessRef<Void> {
        let isWindowed = isWindowed
        return try process.spawn { process in
            try await process.wait(for: .go)
            if isWindowed {
                try await process.produceInWindow(count, for: inbox)
            } else {
                try await process.produce(count, for: inbox)
            }
        }
    }
}

extension Process {
    /// Sends until the mailbox is full, and then waits for room.
    fileprivate func produce(_ count: Int, for inbox: some Inbox) async throws {
        for index in 0..<count {
            do {
                try inbox.put(.increment(index))
            } catch {
                guard case .mailboxFull = error.failure else { throw error }
                try await inbox.putWaiting(error.message)
            }
        }
    }

    /// Sends a sync after every 500 messages and waits unless it is the only one without answer.
    fileprivate func produceInWindow(_ count: Int, for inbox: some Inbox) async throws {
        var isSyncOpen = false
        for index in 0..<count {
            if index > 0, index % 500 == 0 {
                try inbox.put(.sync(pid))
                if isSyncOpen { try await wait(for: .acknowledged) }
                isSyncOpen = true
            }
            try inbox.put(.increment(index))
        }
    }
}
