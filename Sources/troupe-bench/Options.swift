//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What the command line asks for.
struct Options {
    enum Action {
        case help, list
        /// Measure these figures, in this order.
        case measure([Figure])
        /// Measure these figures with one thread and with more.
        case compareThreads([Figure])
        /// Count allocations.
        case checkBudgets
        /// Take one sample in this process.
        case sample(Figure)
    }

    private(set) var action = Action.measure(Figure.all.filter { !$0.isLong })
    /// How many samples of each figure are taken, at least 1.
    private(set) var samples = 5
    /// The threads of the node's scheduler; nil for the default scheduler.
    private(set) var threads: Int?
    /// Whether the Erlang twin of each figure is measured in turn with it.
    private(set) var hasErlangPeer = false
    /// Whether the results are printed as Markdown, with the machine below.
    private(set) var isMarkdown = false

    static let usage = """
        usage: troupe-bench [FIGURE...] [--samples N] [--threads N] [--peer erlang] [--markdown]
               troupe-bench [FIGURE...] [--samples N] --scaling
               troupe-bench --budgets | --list

        Without figures: all except the long ones, in the order of --list. The long ones, which
        --list marks, are measured only when they are named.
          --samples N     samples of each figure, each in a fresh process (5)
          --threads N     run the processes on N threads (one per processor)
          --peer erlang   measure Erlang/OTP in turn with Troupe
          --markdown      print tables in Markdown, and the machine
          --scaling       compare one thread with two, four, up to the processors
          --budgets       count the allocations of operations; fails when one takes too many
          --list          print the names of the figures
        """

    /// Reads the arguments that follow the program's name.
    init(arguments: some Collection<String>) throws(OptionError) {
        var figures: [Figure] = []
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--help", "-h": action = .help
            case "--list": action = .list
            case "--budgets": action = .checkBudgets
            case "--markdown": isMarkdown = true
            case "--scaling":
                action = .compareThreads(try Scaling.defaultNames.map(Self.figure))
            case "--samples":
                samples = try Self.number(in: 1...1000, of: argument, from: &rest)
            case "--threads":
                threads = try Self.number(in: 1...1024, of: argument, from: &rest)
            case "--peer":
                let peer = try Self.value(of: argument, from: &rest)
                guard peer == "erlang" else { throw OptionError.peerUnknown(peer) }
                hasErlangPeer = true
            case "--one":
                action = .sample(try Self.figure(try Self.value(of: argument, from: &rest)))
            case _ where argument.hasPrefix("-"):
                throw OptionError.unknown(argument)
            default:
                let figure = try Self.figure(argument)
                figures.appendIfNew(figure)
            }
        }
        guard !figures.isEmpty else { return }
        switch action {
        case .measure:
            for name in figures.compactMap(\.counterpart) {
                figures.appendIfNew(try Self.figure(name))
            }
            action = .measure(figures)
        case .compareThreads:
            action = .compareThreads(figures)
        case .help, .list, .sample, .checkBudgets:
            break
        }
    }

    private static func figure(_ name: String) throws(OptionError) -> Figure {
        guard let figure = Figure.all.first(where: { $0.name == name }) else {
            throw .figureUnknown(name)
        }
        return figure
    }

    private static func value(
        of option: String, from rest: inout ArraySlice<String>
    ) throws(OptionError) -> String {
        guard let value = rest.popFirst() else { throw .valueMissing(option) }
        return value
    }

    private static func number(
        in range: ClosedRange<Int>, of option: String, from rest: inout ArraySlice<String>
    ) throws(OptionError) -> Int {
        let text = try value(of: option, from: &rest)
        guard let number = Int(text), range.contains(number) else {
            throw .numberInvalid(option, text, range)
        }
        return number
    }
}

extension [Figure] {
    fileprivate mutating func appendIfNew(_ figure: Figure) {
        if !contains(where: { $0.name == figure.name }) { append(figure) }
    }
}

/// A command line that makes no sense.
enum OptionError: Error, CustomStringConvertible {
    case unknown(String)
    case figureUnknown(String)
    case peerUnknown(String)
    case valueMissing(String)
    case numberInvalid(String, String, ClosedRange<Int>)

    var description: String {
        switch self {
        case .unknown(let option): "there is no option \(option); see --help"
        case .figureUnknown(let name): "there is no figure \"\(name)\"; --list prints the names"
        case .peerUnknown(let peer): "there is no peer \"\(peer)\"; the one there is: erlang"
        case .valueMissing(let option): "\(option) needs a value; see --help"
        case .numberInvalid(let option, let text, let range):
            "\(option) takes a number from \(range.lowerBound) to \(range.upperBound), "
                + "not \"\(text)\""
        }
    }
}
