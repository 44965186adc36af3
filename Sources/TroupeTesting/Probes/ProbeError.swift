//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a ``TestProbe`` or an ``EventRecorder`` has not got what a test awaits.
@nonexhaustive
public enum ProbeError: Error, Sendable, Hashable {
    /// What was awaited has not come in time.
    case timeout(ProbeTimeout)
    /// Something has come, and nothing was to come.
    case unexpected(UnexpectedMessages)
    /// The probe has been stopped, or its node has.
    case stopped(probe: String)
}

/// What was awaited in vain, and what came instead.
public struct ProbeTimeout: Sendable, Hashable {
    /// Who has waited.
    public let who: String
    /// What for.
    public let awaited: String
    /// How long.
    public let waited: Duration
    /// What has arrived meanwhile, in order: types, and for enums the case.
    public let arrived: [String]
    /// What had arrived before, did not match and was not taken, in order.
    public let kept: [String]
    let location: CallLocation
}

/// What came although nothing was to come.
public struct UnexpectedMessages: Sendable, Hashable {
    /// Who got it.
    public let who: String
    /// What it is, in order: types, and for enums the case.
    public let messages: [String]
    let location: CallLocation
}

extension ProbeError: CustomStringConvertible {
    /// What was awaited, for how long, where, and what came instead.
    public var description: String {
        switch self {
        case .timeout(let timeout): timeout.description
        case .unexpected(let unexpected): unexpected.description
        case .stopped(let probe): "\(probe) has been stopped"
        }
    }
}

extension ProbeTimeout: CustomStringConvertible {
    /// All of it in one sentence.
    public var description: String {
        var text = "\(who) waited \(waited) for \(awaited) at \(location); "
        text += arrived.isEmpty ? "nothing arrived" : "what arrived: \(listed(arrived))"
        if !kept.isEmpty { text += "; what was there before: \(listed(kept))" }
        return text
    }
}

extension UnexpectedMessages: CustomStringConvertible {
    /// All of it in one sentence.
    public var description: String {
        "\(who) was to get nothing at \(location), and got \(listed(messages))"
    }
}

/// Names with repetitions counted, and not too many of them.
private func listed(_ names: [String]) -> String {
    let limit = 20
    var runs: [(name: String, count: Int)] = []
    for name in names {
        if runs.last?.name == name {
            runs[runs.count - 1].count += 1
        } else {
            runs.append((name, 1))
        }
    }
    var texts = runs.prefix(limit).map { $0.count == 1 ? $0.name : "\($0.count) × \($0.name)" }
    let left = runs.dropFirst(limit).reduce(0) { $0 + $1.count }
    if left > 0 { texts.append("and \(left) more") }
    return texts.joined(separator: ", ")
}
