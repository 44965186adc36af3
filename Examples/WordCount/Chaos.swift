//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Kills a worker for about every third chunk, some time within the next 3 ms.
///
/// Give it a thread of its own, so that the workers do not keep it waiting.
struct Chaos: AsyncGenServer {
    struct Argument: Sendable {
        let seed: UInt64
        /// The name of the pool.
        let pool: String
    }

    enum Cast: Sendable {
        case chunkSent
        /// Answered when all that are to die because of earlier chunks are dead.
        case finish(ReplyTo<Void>)
    }

    private let pool: String
    private var random: SeededGenerator

    init(_ argument: Argument, process: ServerProcess) async {
        pool = argument.pool
        random = SeededGenerator(seed: argument.seed)
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .chunkSent:
            guard random.next() % 3 == 0 else { return }
            try await process.sleep(for: .microseconds(Int64(random.next() % 3000)))
            guard let victim = victim(on: process.node) else { return }
            _ = try await process.shutDown(victim, by: .brutalKill)
        case .finish(let replyTo): replyTo.reply(())
        }
    }
}

extension Chaos {
    /// A worker in the middle of a chunk; if there is none, any.
    ///
    /// It looks from outside, and so needs no answer of a pool that may be busy itself.
    private mutating func victim(on node: Node) -> Pid? {
        guard let pool = node.whereis(pool, as: Pool<Worker>.self) else { return nil }
        let workers = (node.info(pool.pid)?.links ?? []).compactMap { node.info($0) }
            .filter { $0.behaviour == "\(Worker.self)" }
        let busy = workers.filter { $0.activity == .handling(.continue) }
        return (busy.isEmpty ? workers : busy).randomElement(using: &random)?.pid
    }
}

/// SplitMix64: the same numbers for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
