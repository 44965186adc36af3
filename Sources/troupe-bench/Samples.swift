//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// The samples of all rows, in the order in which the rows first came.
struct Samples {
    private(set) var names: [String] = []
    private var rows: [String: [(pass: Int, row: Row)]] = [:]

    /// Adds the rows that one sample has printed.
    ///
    /// - Returns: whether the sample was good. One that failed adds nothing.
    mutating func add(_ result: Subprocess.Result, pass: Int) -> Bool {
        guard result.status == 0 else { return false }
        for line in result.output.split(separator: "\n") {
            let parts = line.split(separator: " ")
            guard parts.count == 3, let value = Double(parts[1]) else { return false }
            let row = Row(String(parts[0]), value, String(parts[2]))
            if rows[row.name] == nil { names.append(row.name) }
            rows[row.name, default: []].append((pass, row))
        }
        return true
    }

    /// What is to be told of a row; nil when there is no sample of it.
    func summary(of name: String) -> Summary? {
        guard let rows = rows[name], let unit = rows.first?.row.unit else { return nil }
        return Summary(rows.map(\.row.value), unit: unit)
    }

    /// How many times the other's row this one is, in each of the passes that have both. There the two
    /// were measured within a short time, Erlang's right after Troupe's of the same name: so a machine that
    /// is slower for a while is so for both, mostly.
    ///
    /// - Returns: nil when no pass has both, or the other's is 0.
    func ratios(of name: String, to otherName: String, in other: Samples) -> Summary? {
        let others = Dictionary(
            (other.rows[otherName] ?? []).map { ($0.pass, $0.row.value) }, uniquingKeysWith: { $1 })
        let ratios = (rows[name] ?? []).compactMap { pass, row in
            others[pass].flatMap { $0 == 0 ? nil : row.value / $0 }
        }
        return ratios.isEmpty ? nil : Summary(ratios, unit: "")
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
    var cell: String {
        let median = unit.isEmpty ? Self.text(median) : "\(Self.text(median)) \(unit)"
        return "\(median) (\(range))"
    }

    private var range: String { "\(Self.text(least))..\(Self.text(greatest))" }

    /// - Parameter values: at least one, in any order.
    init(_ values: [Double], unit: String) {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        self.median =
            sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        self.unit = unit
        self.least = sorted[0]
        self.greatest = sorted[sorted.count - 1]
        self.count = sorted.count
    }

    static func text(_ value: Double) -> String { String(format: "%.3f", value) }

    var description: String { "\(Self.text(median)) \(unit)  # \(range), \(count) samples" }
}
