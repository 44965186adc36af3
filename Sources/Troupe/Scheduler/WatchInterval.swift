//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How long the watcher of a ``WorkerPool`` naps until it looks again whether a worker is stuck.
///
/// A nap that ends takes time from the other workers, too, when processors share a core. So while all
/// of them have short turns, as most have for ever, each nap is twice as long as the one before; with
/// the first look that finds longer turns the naps are short again.
struct WatchInterval: Sendable, Hashable {
    /// In nanoseconds.
    private(set) var length = least

    static let least: UInt64 = 50_000
    /// What waits behind a first long turn waits for up to twice as long: a worker is found to be stuck
    /// when it has not moved between two looks.
    static let most: UInt64 = 400_000
    /// Turns of this length are short. Not less, as who calls idle servers does so for some 30 µs in
    /// one turn.
    private static let shortTurn: UInt64 = 64_000

    /// Whether the turns of a worker were short that has begun so many in a time.
    ///
    /// - Parameter time: in nanoseconds; a nap may have been longer than it was to be.
    static func areShort(turns: UInt64, in time: UInt64) -> Bool {
        turns >= max(1, time / shortTurn)
    }

    /// The watcher has looked.
    ///
    /// - Parameter allAreQuick: whether all workers that are awake have had short turns.
    mutating func adapt(allAreQuick: Bool) {
        length = allAreQuick ? min(length * 2, Self.most) : Self.least
    }
}
