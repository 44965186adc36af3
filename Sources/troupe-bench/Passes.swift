//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// Takes the samples: one of each figure per pass, so that a slow minute of the machine touches
/// all figures and both sides alike.
struct Passes {
    let figures: [Figure]
    let options: Options

    /// - Returns: whether all samples could be taken.
    func run() throws -> Bool {
        let peer = options.hasErlangPeer ? try ErlangPeer(threads: options.threads) : nil
        defer { peer?.removeFiles() }
        var troupe = Samples()
        var erlang = Samples()
        var handOvers: [Double] = []
        var allRan = true
        for pass in 1...options.samples {
            note("pass \(pass) of \(options.samples)")
            for figure in figures {
                if let time = HandOver.measure() { handOvers.append(time) }
                let sample = Sample(figure: figure, threads: options.threads)
                allRan = troupe.add(try sample.runApart(), pass: pass) && allRan
                guard let peer, figure.hasPeer else { continue }
                let result = try peer.sample(figure)
                if result.status != 0 { note("erlang: \(figure.name) failed") }
                allRan = erlang.add(result, pass: pass) && allRan
            }
        }
        let report = Report(troupe: troupe, erlang: erlang)
        guard options.isMarkdown else {
            for line in report.lines { print(line) }
            return allRan
        }
        print(report.markdown, terminator: "\n\n")
        let command = ["Command: troupe-bench"] + CommandLine.arguments.dropFirst()
        let erlangLine = peer.map { [$0.versionLine] } ?? []
        let handOverLine =
            handOvers.isEmpty
            ? [] : ["Line of cache, there and back: \(Summary(handOvers, unit: "ns").cell)"]
        let machine = Machine.lines + handOverLine + erlangLine
        for line in [command.joined(separator: " ")] + machine { print("- \(line)") }
        return allRan
    }
}

/// Why no samples could be taken.
enum PassError: Error, CustomStringConvertible {
    case ownPathUnknown
    case erlangMissing
    case erlangNotCompiled

    var description: String {
        switch self {
        case .ownPathUnknown: "cannot find the file of this program, to start it again"
        case .erlangMissing:
            "erl and erlc are not on PATH; get them with 'apt-get install erlang-base' "
                + "or 'brew install erlang'"
        case .erlangNotCompiled: "erlc could not compile the Erlang twin"
        }
    }
}
