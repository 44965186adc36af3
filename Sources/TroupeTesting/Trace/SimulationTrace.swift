//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What has happened in a simulation, in order.
///
/// It names processes and types and says nothing that differs from run to run: the traces of two
/// runs with the same seed are equal, byte by byte, on every machine.
public struct SimulationTrace: Sendable, Equatable, CustomStringConvertible {
    /// One thing that has happened.
    public struct Entry: Sendable, Equatable {
        /// What it was.
        public enum Kind: String, Sendable, Equatable {
            /// A message or call was sent.
            case message
            /// An exit signal, a DOWN or an order to end was sent.
            case signal
            /// Somebody who waited has got what they waited for: a reply, room, the end of a process.
            case reply
            /// A process was started.
            case spawn
            /// A process has ended.
            case exit
            /// A fault was injected.
            case fault
            /// Something was held up, and arrives.
            case arrival
            /// The body or a process has something to say.
            case note
        }

        /// Its number, from 1.
        public let number: Int
        /// When, since the simulation began.
        public let time: Duration
        /// In which step.
        public let step: Int
        /// What it was.
        public let kind: Kind
        /// Who did it.
        public let from: String
        /// To whom; empty for nobody.
        public let to: String
        /// The type of the message, for an enum with its case, or the reason, or what was said.
        public let what: String
        /// The number of the entry that made somebody do this; 0 for none.
        public let cause: Int
    }

    /// The entries, oldest first. When there are very many the first ones and the last ones.
    public internal(set) var entries: [Entry] = []
    /// How many were left out.
    public internal(set) var omittedCount = 0

    /// The participants, in the order in which they came up.
    public var participants: [String] {
        var seen: Set<String> = []
        return entries.flatMap { [$0.from, $0.to] }
            .filter { !$0.isEmpty && seen.insert($0).inserted }
    }

    /// A readable message sequence: time, number, from, to, what, and in brackets the number of what
    /// caused it.
    public var description: String { text(keeping: .max) }

    /// The description of so many entries from the beginning and as many from the end.
    func text(keeping count: Int) -> String {
        let hidden = max(0, entries.count - max(count, count &* 2))
        let shown = hidden == 0 ? entries[...] : entries.prefix(count) + entries.suffix(count)
        let width = entries.map { max($0.from.count, $0.to.count) }.max() ?? 0
        var lines: [String] = []
        for (index, entry) in shown.enumerated() {
            if hidden > 0, index == count { lines.append("(\(hidden) entries are not shown here)") }
            let time = Self.text(entry.time).leftPadded(to: 12)
            let number = "#\(entry.number)".leftPadded(to: 5)
            let cause = entry.cause == 0 ? "" : "  [#\(entry.cause)]"
            let from = entry.from.padded(to: width)
            let line =
                entry.to.isEmpty
                ? "\(time) \(number)  \(from)    \(entry.kind.verb)\(entry.what)\(cause)"
                : "\(time) \(number)  \(from) -> \(entry.to.padded(to: width))  "
                    + "\(entry.kind.verb)\(entry.what)\(cause)"
            lines.append(line)
        }
        if omittedCount > 0 { lines.append("(\(omittedCount) entries left out)") }
        return lines.joined(separator: "\n")
    }

    /// The same as a sequence diagram for Mermaid, which many tools draw.
    public var mermaid: String {
        let participants = participants
        var names: [String: String] = [:]
        var lines = ["sequenceDiagram"]
        for (index, name) in participants.enumerated() {
            names[name] = "p\(index)"
            lines.append("    participant p\(index) as \(Self.escaped(name))")
        }
        for entry in entries {
            let from = names[entry.from] ?? "p0"
            let text = "#\(entry.number) \(Self.escaped(entry.what))"
            switch entry.kind {
            case .message, .arrival:
                lines.append("    \(from)->>\(names[entry.to] ?? "p0"): \(text)")
            case .reply:
                lines.append("    \(from)-->>\(names[entry.to] ?? "p0"): \(text)")
            case .signal:
                lines.append("    \(from)--x\(names[entry.to] ?? "p0"): \(text)")
            case .spawn, .exit, .fault, .note:
                lines.append(
                    "    Note over \(from): #\(entry.number) \(entry.kind.verb)"
                        + Self.escaped(entry.what))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A colon or semicolon would end the text there.
    private static func escaped(_ text: String) -> String {
        text.map { character in
            switch character {
            case ";": "#59;"
            case ":": "#58;"
            case "#": "#35;"
            case "\n": "<br/>"
            case "<": "#60;"
            case ">": "#62;"
            default: "\(character)"
            }
        }.joined()
    }

    /// In milliseconds with three decimals.
    static func text(_ time: Duration) -> String {
        let (seconds, attoseconds) = time.components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        let rest = String(microseconds % 1_000)
        return "\(microseconds / 1_000)."
            + String(repeating: "0", count: 3 - rest.count) + rest + " ms"
    }
}

extension SimulationTrace.Entry.Kind {
    fileprivate var verb: String {
        switch self {
        case .message, .signal, .reply: ""
        case .spawn: "starts "
        case .exit: "ends: "
        case .fault: "FAULT: "
        case .arrival: "held up until now: "
        case .note: ""
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }

    fileprivate func leftPadded(to width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
