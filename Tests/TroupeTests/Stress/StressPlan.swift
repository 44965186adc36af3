//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// One random operation on a crowd of processes that are named by their places.
enum StressOperation: Sendable {
    case spawn(Int, traps: Bool)
    case kill(Int)
    /// The rest is done by the first process to itself or to the second.
    case link(Int, Int)
    case unlink(Int, Int)
    case monitor(Int, Int)
    case demonitor(Int)
    case exit(Int, Int, Reason)
    case register(Int, name: Int)
    case unregister(Int, name: Int)
    case trap(Int, Bool)
    case send(Int, Int)

    enum Reason: Int, Sendable, CaseIterable { case normal, shutdown, custom }

    static let placeCount = 200
    static let nameCount = 20
}

/// The operations that a seed stands for.
struct StressPlan: Sendable {
    let seed: UInt64

    subscript(index: Int) -> StressOperation {
        var random = SeededGenerator(seed: seed &+ UInt64(index) &* 0x2545_F491_4F6C_DD1D)
        return Self.operation(&random)
    }

    /// About as many starts as ends, many ties, and now and then a chain reaction.
    private static func operation(_ random: inout SeededGenerator) -> StressOperation {
        let one = Int.random(in: 0..<StressOperation.placeCount, using: &random)
        let two = Int.random(in: 0..<StressOperation.placeCount, using: &random)
        let name = Int.random(in: 0..<StressOperation.nameCount, using: &random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<16: return .spawn(one, traps: Bool.random(using: &random))
        case 16..<17: return .kill(one)
        case 17..<29: return .link(one, two)
        case 29..<37: return .unlink(one, two)
        case 37..<52: return .monitor(one, two)
        case 52..<62: return .demonitor(one)
        case 62..<66:
            let reason = StressOperation.Reason.allCases.randomElement(using: &random)
            return .exit(one, two, reason ?? .normal)
        case 66..<72: return .register(one, name: name)
        case 72..<76: return .unregister(one, name: name)
        case 76..<82: return .trap(one, Bool.random(using: &random))
        default: return .send(one, two)
        }
    }
}

/// Looks for the shortest prefix of a list that still fails, by halving what is left.
///
/// What runs on real threads does not fail each time, so this may find a prefix that is longer than
/// it need be, never one that was not seen to fail.
///
/// - Parameters:
///   - count: a length that has failed.
///   - attempts: how often a length is tried before it counts as one that does not fail.
func shortestFailingPrefix(
    of count: Int, attempts: Int = 3, fails: (Int) async throws -> Bool
) async rethrows -> Int {
    var (passing, failing) = (0, count)
    while failing - passing > max(1, count / 10_000) {
        let middle = (passing + failing) / 2
        var hasFailed = false
        for _ in 0..<attempts where !hasFailed { hasFailed = try await fails(middle) }
        if hasFailed { failing = middle } else { passing = middle }
    }
    return failing
}
