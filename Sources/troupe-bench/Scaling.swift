//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// Measures figures with one thread, two, four and so on, and compares.
struct Scaling {
    let figures: [Figure]
    let samples: Int

    /// What is measured when no figures are named.
    static let defaultNames = [
        "pairs_8", "skynet", "send_8p1c", "ring_1000x1000", "pingpong", "call_roundtrip",
    ]

    /// - Returns: whether all samples could be taken.
    func run() throws -> Bool {
        let counts = Self.threadCounts(processors: ProcessInfo.processInfo.activeProcessorCount)
        var results = [Samples](repeating: Samples(), count: counts.count)
        var allRan = true
        for pass in 1...samples {
            note("pass \(pass) of \(samples)")
            for figure in figures {
                for (index, threads) in counts.enumerated() {
                    let sample = Sample(figure: figure, threads: threads)
                    allRan = results[index].add(try sample.runApart(), pass: pass) && allRan
                }
            }
        }
        print(Self.table(results, counts).text)
        return allRan
    }

    /// 1, 2, and doubled until all processors are used.
    static func threadCounts(processors: Int) -> [Int] {
        var counts = [1, 2]
        while let last = counts.last, last < processors { counts.append(min(2 * last, processors)) }
        return counts
    }

    private static func table(_ results: [Samples], _ counts: [Int]) -> Table {
        let more = counts.dropFirst().flatMap { ["\($0) threads", "speed-up"] }
        var table = Table(header: ["figure", "1 thread"] + more)
        for name in results[0].names {
            let cells = results.dropFirst().flatMap { more in
                [more.summary(of: name), results[0].ratios(of: name, to: name, in: more)]
            }
            let row = [results[0].summary(of: name)] + cells
            table.rows.append([name] + row.map { $0?.cell ?? "-" })
        }
        return table
    }
}
