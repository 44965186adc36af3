//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Troupe

/// One sample of one figure.
struct Sample {
    let figure: Figure
    /// Nil for the default scheduler.
    let threads: Int?

    /// A sample that takes longer than this hangs.
    static let timeLimitInSeconds = 120

    /// Takes the sample in a fresh process, by starting this program again.
    func runApart() throws -> Subprocess.Result {
        guard let ownPath = Bundle.main.executablePath else { throw PassError.ownPathUnknown }
        let threads = threads.map { ["--threads", "\($0)"] } ?? []
        return try Subprocess.run(ownPath, ["--one", figure.name] + threads)
    }

    /// Runs the figure in a node of its own and prints its rows.
    ///
    /// The node is left as it is: what the figure has spawned ends with the program.
    func run() async throws {
        let name = figure.name
        let limit = Self.timeLimitInSeconds
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(limit)) {
            TroupeBench.fail("\(name) has not ended within \(limit) s")
        }
        // As many processes as the Erlang twin may have; skynet needs more than the default.
        var options = NodeOptions(events: figure.events, processCountMax: 2_097_152)
        if let threads { options.scheduler = .threads(threads) }
        let node = try Node(name: "bench", options: options)
        let body = figure.body
        let driver = try node.spawn { process in try await body(process) }
        do {
            for row in try await driver.value { print(row.name, row.value, row.unit) }
        } catch {
            TroupeBench.fail("\(name) failed: \(error)")
        }
    }
}

/// Ends the sample when something fails that nobody waits for. A kill is no failure.
struct FailureEvents: EventSink {
    var kinds: EventKind { [.crashed, .undelivered] }

    func receive(_ event: Event) {
        switch event {
        case .crashed(let report) where report.reason != .killed:
            TroupeBench.fail("\(report.behaviour) \(report.pid) failed: \(report.reason)")
        case .undelivered(let failure, let type):
            TroupeBench.fail("a \(type) was not delivered: \(failure)")
        default:
            break
        }
    }
}
