//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// The samples of all rows, in the order in which the rows first came.
struct Samples {
    private(set) var names: [String] = []
    private var rows: [String: [Row]] = [:]

    /// Adds the rows that one sample has printed.
    ///
    /// - Returns: whether the sample was good. One that failed adds nothing.
    mutating func add(_ result: Subprocess.Result) -> Bool {
        guard result.status == 0 else { return false }
        for line in result.output.split(separator: "\n") {
            let parts = line.split(separator: " ")
            guard parts.count == 3, let value = Double(parts[1]) else { return false }
            let row = Row(String(parts[0]), value, String(parts[2]))
            if rows[row.name] == nil { names.append(row.name) }
            rows[row.name, default: []].append(row)
        }
        return true
    }

    /// What is to be told of a row; nil when there is no sample of it.
    func summary(of name: String) -> Summary? {
        guard let rows = rows[name], let unit = rows.first?.unit else { return nil }
        return Summary(rows.map(\.value).sorted(), unit: unit)
    }
}

/// The samples of one row in one line: `median unit  # min..max, n samples`.
struct Summary: CustomStringConvertible {
    let median: Double
    let unit: String
    private let least: Double
    private let greatest: Double
    private let count: Int

    /// The median, and between which values it lies.
    var cell: String { "\(Self.text(median)) \(unit) (\(range))" }
    private var range: String { "\(Self.text(least))..\(Self.text(greatest))" }

    /// - Parameter sorted: the values, not empty, the least first.
    init(_ sorted: [Double], unit: String) {
        let middle = sorted.count / 2
        self.median =
            sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        self.unit = unit
        self.least = sorted[0]
        self.greatest = sorted[sorted.count - 1]
        self.count = sorted.count
    }

    /// How many times the other's median this one is; nil when that is 0.
    func ratio(to other: Summary) -> Double? {
        other.median == 0 ? nil : median / other.median
    }

    static func text(_ value: Double) -> String { String(format: "%.3f", value) }

    var description: String { "\(Self.text(median)) \(unit)  # \(range), \(count) samples" }
}
