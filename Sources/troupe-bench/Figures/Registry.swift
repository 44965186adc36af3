//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// 10,000 names are registered, looked up a million times in random order, and given back. Then
    /// the same number of keys: in the twin in a table (`registry_ets_`), here as the names of
    /// processes that have one already; and in a registry that processes enter themselves, like
    /// Elixir's. There is no twin of Erlang's `global`, whose names hold for many nodes.
    static let registry: [Figure] = [
        Figure("registry") { process in
            let count = 10_000
            let lookups = 1_000_000
            let node = process.node
            let pids = try await process.spawnIdle(count)
            let names = (1...count).map { "bench_name_\($0)" }
            try await process.settle()
            let registering = try await timed {
                for (name, pid) in zip(names, pids) { try node.register(name, pid) }
            }
            let shuffled = names.shuffled()
            try node.lookUp(10_000, of: shuffled)
            let looking = try await timed { try node.lookUp(lookups, of: shuffled) }
            let unregistering = try await timed {
                for name in names { try node.unregister(name) }
            }
            try check(node.registered.isEmpty, "names are left")
            let keys = (1...count).map { "user:\($0)" }
            let inserting = try await timed {
                for (key, pid) in zip(keys, pids) { try node.register(key, pid) }
            }
            let shuffledKeys = keys.shuffled()
            try node.lookUp(10_000, of: shuffledKeys)
            let finding = try await timed { try node.lookUp(lookups, of: shuffledKeys) }
            let (entering, asking) = try await process.enterRegistry(keys, lookups: lookups)
            return [
                .nanoseconds("registry_register", registering, each: count),
                .nanoseconds("registry_whereis", looking, each: lookups),
                .nanoseconds("registry_unregister", unregistering, each: count),
                .nanoseconds("registry_ets_insert", inserting, each: count),
                .nanoseconds("registry_ets_lookup", finding, each: lookups),
                .nanoseconds("registry_elixir_register", entering, each: count),
                .nanoseconds("registry_elixir_whereis", asking, each: lookups),
            ]
        }
    ]
}

extension Node {
    fileprivate func lookUp(_ count: Int, of names: [String]) throws {
        for index in 0..<count where whereis(names[index % names.count]) == nil {
            throw FigureError.wrong("a registered name was not found")
        }
    }
}

extension Process {
    /// Each process enters one key when it is told to, and tells so.
    fileprivate func enterRegistry(
        _ keys: [String], lookups: Int
    ) async throws -> (entering: Duration, asking: Duration) {
        let registry = KeyRegistry<String, Void>(on: node)
        let sink = try spawn(Sink.self, ())
        let entrants = try keys.map { key in
            try spawn(Entrant.self, Entrant.Argument(key: key, registry: registry, sink: sink))
        }
        let entering = try await timed {
            for entrant in entrants { try entrant.cast(.enter) }
            try await sink.wait(until: keys.count)
        }
        let shuffled = keys.shuffled()
        for key in shuffled { try check(registry.whereis(key) != nil, "a key was not found") }
        let asking = try await timed {
            for index in 0..<lookups where registry.whereis(shuffled[index % keys.count]) == nil {
                throw FigureError.wrong("a key was not found")
            }
        }
        return (entering, asking)
    }
}

/// Enters a registry.
private struct Entrant: GenServer {
    struct Argument: Sendable {
        let key: String
        let registry: KeyRegistry<String, Void>
        let sink: ServerRef<Sink>
    }

    enum Cast: Sendable { case enter }

    private let argument: Argument

    init(_ argument: Argument, process: ServerProcess) {
        self.argument = argument
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        try process.register(argument.key, in: argument.registry)
        try argument.sink.cast(.up)
    }
}
