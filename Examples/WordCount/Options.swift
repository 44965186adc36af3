//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What the command line asks for.
struct Options: Sendable, Equatable {
    var top = 10
    var workers = 4
    var chaosSeed: UInt64?
    var files: [String] = []

    static let usage = "usage: WordCount [--top N] [--workers N] [--chaos SEED] FILE..."

    /// A command line that cannot be understood.
    struct UsageError: Error, Equatable, CustomStringConvertible {
        let description: String

        init(_ problem: String) { description = "\(problem)\n\(Options.usage)" }
    }

    /// Reads the arguments that follow the program's name. `--` ends the options.
    static func parse(_ arguments: [String]) throws(UsageError) -> Options {
        var options = Options()
        var rest = arguments[...]
        var mayBeOption = true
        while let argument = rest.popFirst() {
            guard mayBeOption, argument.hasPrefix("-"), argument != "-" else {
                options.files.append(argument)
                continue
            }
            switch argument {
            case "--":
                mayBeOption = false
            case "--top":
                options.top = try number(after: argument, in: &rest, from: 1, to: Int.max)
            case "--workers":
                options.workers = try number(after: argument, in: &rest, from: 1, to: 1024)
            case "--chaos":
                options.chaosSeed = try number(
                    after: argument, in: &rest, from: 0, to: UInt64.max)
            default:
                throw UsageError("unknown option \(argument)")
            }
        }
        if options.files.isEmpty { throw UsageError("no file given") }
        return options
    }

    private static func number<Number: FixedWidthInteger>(
        after option: String, in rest: inout ArraySlice<String>, from least: Number,
        to most: Number
    ) throws(UsageError) -> Number {
        guard let text = rest.popFirst() else { throw UsageError("\(option) needs a number") }
        guard let number = Number(text), number >= least, number <= most else {
            throw UsageError("\(option) needs a number from \(least), not \"\(text)\"")
        }
        return number
    }
}
