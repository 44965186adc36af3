//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How many tasks of a stream run, and whose outcome comes next, as a pure value.
///
/// Tokens are given in the order of the input. Outcomes are taken in that order; those that are there
/// early wait, and their number is bounded, too.
struct StreamWindow: Sendable {
    /// How many tasks may run at once. Twice as many may have been started whose outcome was not taken.
    let limit: Int
    /// The token whose outcome is taken next.
    private(set) var head = 0
    /// The token of the next task that is started.
    private var next = 0
    /// What has ended and whose outcome was not taken.
    private var waiting: Set<Int> = []

    /// - Parameter limit: less than 1 counts as 1.
    init(limit: Int) {
        self.limit = Swift.min(Swift.max(limit, 1), Int(Int32.max / 2))
    }

    /// How many tasks run.
    var runningCount: Int { next - head - waiting.count }
    /// Whether all outcomes have been taken.
    var isEmpty: Bool { next == head }
    /// Whether one more task may be started.
    var mayStart: Bool { runningCount < limit && next - head < 2 * limit }

    /// A task is started.
    ///
    /// - Returns: its token.
    mutating func started() -> Int {
        assert(mayStart)
        defer { next += 1 }
        return next
    }

    /// A task has ended.
    mutating func ended(_ token: Int) {
        assert(token >= head && token < next)
        waiting.insert(token)
    }

    /// The token whose turn it is, if its task has ended. Its outcome is taken now.
    mutating func takeHead() -> Int? {
        guard waiting.remove(head) != nil else { return nil }
        defer { head += 1 }
        return head
    }
}
