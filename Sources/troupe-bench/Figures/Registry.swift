//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// Names: 10,000 are registered, looked up a million times in random order, and given back.
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
            return [
                .nanoseconds("registry_register", registering, each: count),
                .nanoseconds("registry_whereis", looking, each: lookups),
                .nanoseconds("registry_unregister", unregistering, each: count),
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
