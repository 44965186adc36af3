//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Merges what the workers have counted.
struct Collector: GenServer {
    enum Cast: Sendable {
        case add([String: Int], byteCount: Int)
        case top(Int, ReplyTo<[Line]>)
        case progress(ReplyTo<Int>)
    }

    private var totals: [String: Int] = [:]
    private var byteCount = 0

    init(_: Void, process: ServerProcess) {}

    mutating func handleCast(_ message: Cast, process: ServerProcess) {
        switch message {
        case .add(let counts, let byteCount):
            totals.merge(counts, uniquingKeysWith: +)
            self.byteCount += byteCount
        case .top(let count, let replyTo):
            let lines = totals.map { Line(count: $0.value, word: $0.key) }.sorted()
            replyTo.reply(Array(lines.prefix(count)))
        case .progress(let replyTo): replyTo.reply(byteCount)
        }
    }
}

/// One line of the result; sorted by count descending, then by word ascending.
struct Line: Sendable, Comparable, CustomStringConvertible {
    let count: Int
    let word: String

    static func < (left: Line, right: Line) -> Bool {
        left.count != right.count ? left.count > right.count : left.word < right.word
    }

    var description: String { "\(count) \(word)" }
}
