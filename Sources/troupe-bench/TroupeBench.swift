//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// Measures what Troupe costs: `swift run -c release troupe-bench --help`.
///
/// Every sample of a figure runs in a fresh process: this program starts itself again with the
/// hidden option `--one FIGURE`.
@main
struct TroupeBench {
    static func main() async {
        do {
            let options = try Options(arguments: CommandLine.arguments.dropFirst())
            switch options.action {
            case .help:
                print(Options.usage)
            case .list:
                for figure in Figure.all {
                    print(figure.isLong ? "\(figure.name)  # only when named" : figure.name)
                }
            case .sample(let figure):
                try await Sample(figure: figure, threads: options.threads).run()
            case .checkBudgets:
                exit(try await Budgets.run() ? 0 : 1)
            case .compareThreads(let figures):
                exit(try Scaling(figures: figures, samples: options.samples).run() ? 0 : 1)
            case .measure(let figures):
                let allRan = try Passes(figures: figures, options: options).run()
                exit(allRan ? 0 : 1)
            }
        } catch {
            fail("\(error)", status: error is OptionError ? 2 : 1)
        }
        // What a sample has spawned lives on; nobody waits for it.
        exit(0)
    }

    /// Ends the program with one line on standard error.
    static func fail(_ line: String, status: Int32 = 1) -> Never {
        note("troupe-bench: \(line)")
        exit(status)
    }
}
