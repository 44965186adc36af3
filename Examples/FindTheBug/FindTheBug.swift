//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// Three programs with a bug each. Real threads run them a thousand times and notice nothing; under
// simulation, with one seed after the other, the bug is found within moments, with the schedule that
// shows it and the messages that were sent.
//
//     swift run FindTheBug                       all three
//     swift run FindTheBug late-name             one
//     swift run FindTheBug late-name chart.mmd   and its sequence diagram, for Mermaid
import Foundation
import Troupe
import TroupeTesting

@main
enum FindTheBug {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let bugs = Bug.all.filter { arguments.isEmpty || $0.name == arguments[0] }
        if bugs.isEmpty {
            print("There are these bugs: \(Bug.all.map(\.name).joined(separator: ", "))")
            exit(2)
        }
        for bug in bugs {
            print("== \(bug.name): \(bug.story)")
            let passes = try await bug.passesOnRealThreads(of: 1_000)
            print("on real threads: \(passes) of 1000 runs show nothing")
            guard let failure = try await bug.convict(seeds: 1...1_000) else {
                print("under simulation: 1000 seeds show nothing\n")
                continue
            }
            print("under simulation, at seed \(failure.seed):\n\(failure)\n")
            if arguments.count > 1 {
                try failure.trace.mermaid.write(
                    toFile: arguments[1], atomically: true, encoding: .utf8)
            }
        }
    }
}
