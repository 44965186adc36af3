//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// Messages that wake another process each: nothing can be done in batches.
    static let tokens: [Figure] = [
        ring(.direct), ring(.async), ring(.closure),
        pingPong(.direct), pingPong(.async), pingPong(.closure),
        fanOut(.direct), fanOut(.async), fanOut(.closure),
    ]

    /// A token goes 1,000 times around a ring of 1,000 processes.
    private static func ring(_ kind: ProcessKind) -> Figure {
        let name = "ring_1000x1000" + kind.suffix
        return Figure(name, hasPeer: kind == .direct) { process in
            let hops = 1000 * 1000
            let send = try await process.makeRing(1000, kind)
            try send(20 * 1000)
            try await process.wait(for: .done)
            try await process.settle()
            let time = try await timed {
                try send(hops)
                try await process.wait(for: .done)
            }
            return [.nanoseconds(name, time, each: hops)]
        }
    }

    /// Two processes that answer each other; the time is that of a round trip.
    private static func pingPong(_ kind: ProcessKind) -> Figure {
        let name = "pingpong" + kind.suffix
        return Figure(name, hasPeer: kind == .direct) { process in
            let count = 1_000_000
            let play = try await process.makePingPong(kind)
            try play(20_000)
            try await process.wait(for: .done)
            try await process.settle()
            let time = try await timed {
                try play(count)
                try await process.wait(for: .done)
            }
            return [.nanoseconds(name, time, each: count)]
        }
    }

    /// One process sends to 10,000 others and waits for their answers; 50 rounds.
    private static func fanOut(_ kind: ProcessKind) -> Figure {
        Figure("fanout_1_to_10k" + kind.suffix, hasPeer: kind == .direct) { process in
            let count = 10_000
            let rounds = 50
            let run = try await process.makeFanOut(count, kind)
            try run(2)
            try await process.wait(for: .done)
            try await process.settle()
            let time = try await timed {
                try run(rounds)
                try await process.wait(for: .done)
            }
            return [
                .nanoseconds("fanout_1_to_10k" + kind.suffix, time, each: count * rounds),
                .microseconds("fanout_1_to_10k_round" + kind.suffix, time, each: rounds),
            ]
        }
    }
}
