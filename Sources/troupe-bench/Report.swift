//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// The results of all sides, put beside each other.
struct Report {
    let troupe: Samples
    let erlang: Samples

    /// A line per row.
    var lines: [String] {
        troupe.names.map { name in
            guard let own = troupe.summary(of: name) else { return name }
            let others = others(of: name).map { label, other, ratio in
                let ratio = Self.text(ratio: ratio)
                return "  \(label) \(Summary.text(other.median)) \(other.unit)  ratio \(ratio)"
            }
            return "\(name) \(own)" + others.joined()
        }
    }

    /// Two tables in Markdown: the rows that Erlang or Swift has too, first those where Troupe loses,
    /// the worst on top; and the rest.
    var markdown: String {
        var compared: [(row: [String], ratio: Double)] = []
        var alone = Table(header: ["figure", "median (range)"])
        for name in troupe.names {
            guard let own = troupe.summary(of: name) else { continue }
            let others = others(of: name)
            let isAlternative = Figure.all.contains { $0.name == name && $0.counterpart != nil }
            if others.isEmpty, !isAlternative { alone.rows.append([name, own.cell]) }
            for (label, other, ratio) in others {
                let row = [name, own.cell, label, other.cell, Self.text(ratio: ratio)]
                compared.append((row, ratio ?? 0))
            }
        }
        let lost = compared.filter { $0.ratio > 1 }.sorted { $0.ratio > $1.ratio }
        let rest = compared.filter { $0.ratio <= 1 }
        let both = Table(
            header: [
                "figure", "Troupe, median (range)", "compared with", "median (range)", "ratio",
            ],
            rows: (lost + rest).map(\.row))
        return [both, alone].filter { !$0.rows.isEmpty }.map(\.markdown)
            .joined(separator: "\n\n")
    }

    /// What a row of Troupe is compared with: Erlang's row of that name, whatever kind of process it is
    /// of, and what does the same in Swift alone.
    private func others(of name: String) -> [(label: String, Summary, ratio: Double?)] {
        func other(_ label: String, _ otherName: String, in samples: Samples) -> (
            label: String, Summary, ratio: Double?
        )? {
            samples.summary(of: otherName).map {
                (label, $0, troupe.ratios(of: name, to: otherName, in: samples)?.median)
            }
        }
        let alternatives = Figure.all.filter { $0.counterpart == name }
            .compactMap { other($0.name, $0.name, in: troupe) }
        let suffix = ProcessKind.allCases.map(\.suffix).first { !$0.isEmpty && name.hasSuffix($0) }
        let ofErlang = String(name.dropLast(suffix?.count ?? 0))
        return [other("erlang", ofErlang, in: erlang)].compactMap(\.self) + alternatives
    }

    private static func text(ratio: Double?) -> String { ratio.map(Summary.text) ?? "-" }
}
