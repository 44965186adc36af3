//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// What a message and a call cost on an empty node, and on one with 1,000,000 other processes,
    /// as many registered names, 100,000 armed timers and 100,000 monitors.
    static let crowded = Figure("crowded", hasPeer: false) { process in
        let server = try process.spawn(Bystander.self, ())
        try process.node.register("bystander", server.pid)
        let empty = try await process.measureTraffic(to: server)
        try await process.makeCrowd(1_000_000, watched: 100_000)
        let crowded = try await process.measureTraffic(to: server)
        return zip(empty, crowded).flatMap { empty, crowded in
            [
                Row(empty.name + "_empty", empty.value, empty.unit), crowded,
                Row(empty.name + "_ratio", crowded.value / empty.value, "times"),
            ]
        }
    }.onlyWhenNamed()
}

extension Process {
    /// The cost of a message by pid, of one by name, and of a call: the least of ten rounds, because
    /// the ratio of two single times would tell more about the machine's other work.
    fileprivate func measureTraffic(to server: ServerRef<Bystander>) async throws -> [Row] {
        let count = 100_000
        try await settle()
        var least = try await traffic(count, to: server)
        for _ in 1..<10 { least = zip(least, try await traffic(count, to: server)).map(min) }
        return zip(["crowded_send", "crowded_send_name", "crowded_call"], least).map {
            .nanoseconds($0, $1, each: count)
        }
    }

    private func traffic(
        _ count: Int, to server: ServerRef<Bystander>
    ) async throws -> [Duration] {
        let pid = server.pid
        return [
            try await timed {
                try await send(count, to: server) { try send(Signal.go, to: pid) }
            },
            try await timed {
                try await send(count, to: server) { try send(Signal.go, to: .name("bystander")) }
            },
            try await timed {
                for _ in 0..<count { _ = try await server.call(.sync) }
            },
        ]
    }

    /// Waits after every 500 messages until all have come.
    private func send(
        _ count: Int, to server: ServerRef<Bystander>, _ send: () throws -> Void
    ) async throws {
        for index in 1...count {
            try send()
            if index % 500 == 0 { _ = try await server.call(.sync) }
        }
    }

    fileprivate func makeCrowd(_ count: Int, watched: Int) async throws {
        for (index, pid) in try await spawnIdle(count).enumerated() {
            try node.register("bystander \(index)", pid)
            guard index < watched else { continue }
            _ = monitor(pid)
            _ = try send(Signal.go, after: .seconds(3600))
        }
    }
}
