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
        guard let ownPath = Bundle.main.executablePath else { throw PassError.ownPathUnknown }
        let peer = options.hasErlangPeer ? try ErlangPeer(threads: options.threads) : nil
        defer { peer?.removeFiles() }
        let threads = options.threads.map { ["--threads", "\($0)"] } ?? []
        var troupe = Samples()
        var erlang = Samples()
        var allRan = true
        for pass in 1...options.samples {
            note("pass \(pass) of \(options.samples)")
            for figure in figures {
                let own = try Subprocess.run(ownPath, ["--one", figure.name] + threads)
                allRan = troupe.add(own) && allRan
                guard let peer, figure.hasPeer else { continue }
                let result = try peer.sample(figure)
                if result.status != 0 { note("erlang: \(figure.name) failed") }
                allRan = erlang.add(result) && allRan
            }
        }
        for name in troupe.names { print(line(name, troupe, erlang)) }
        return allRan
    }

    private func line(_ name: String, _ troupe: Samples, _ erlang: Samples) -> String {
        guard let own = troupe.summary(of: name) else { return name }
        var line = "\(name) \(own)"
        if let peer = erlang.summary(of: name) {
            let ratio = peer.median == 0 ? "-" : Summary.text(own.median / peer.median)
            line += "  erlang \(Summary.text(peer.median)) \(peer.unit)  ratio \(ratio)"
        }
        return line
    }

    private func note(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
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
