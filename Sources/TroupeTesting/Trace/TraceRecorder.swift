//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Troupe

/// Writes the trace of a simulation: gives everybody a name, and everything a number and a cause.
struct TraceRecorder: Sendable {
    /// So many entries are kept from the beginning, and as many from the end.
    static let keptCount = 10_000

    private(set) var trace = SimulationTrace()
    private var last: [SimulationTrace.Entry] = []
    private var count = 0
    private var names: [SimulatedActor: String] = [.body: "body", .timers: "timers"]
    /// What waits to be handled by whom, as entries.
    private var pending: [SimulatedActor: [Int]] = [:]
    /// What made the running step happen.
    private var cause = 0
    /// To whom the last thing was sent, and in which step.
    private var lastSent: (step: Int, to: SimulatedActor)?
    /// More than one node: then their names are part of the names of processes.
    private var nodes: [String] = []

    var now = Duration.zero
    var step = 0

    mutating func add(node: String) { nodes.append(node) }

    /// A process has a name from now on.
    mutating func name(_ pid: Pid, behaviour: String, registered: String?) {
        names[.process(pid)] = "\(registered ?? behaviour)#\(number(of: pid))"
    }

    func name(of actor: SimulatedActor) -> String {
        if let name = names[actor] { return name }
        switch actor {
        case .body: return "body"
        case .timers: return "timers"
        case .process(let pid): return "#\(number(of: pid))"
        case .task(let number): return "task \(number)"
        }
    }

    private func number(of pid: Pid) -> String {
        let number = UInt32(truncatingIfNeeded: pid.id)
        let serial = pid.id >> 32
        let text = serial == 0 ? "\(number)" : "\(number).\(serial)"
        return nodes.count > 1 ? "\(text)@\(pid.node)" : text
    }

    /// A step begins.
    ///
    /// - Parameter isTaken: whether what made it possible has its effect in it.
    mutating func begin(
        _ choice: SimulatedChoice, at step: Int, now: Duration, isTaken: Bool
    ) {
        self.step = step
        self.now = now
        switch choice.kind {
        case .turn, .resumption:
            cause = pending[choice.actor]?.first ?? 0
            if cause != 0, isTaken { pending[choice.actor]?.removeFirst() }
        case .timer, .arrival:
            cause = 0
        }
    }

    mutating func add(
        _ kind: SimulationTrace.Entry.Kind, from: SimulatedActor, to: SimulatedActor? = nil,
        _ what: String
    ) {
        count += 1
        let entry = SimulationTrace.Entry(
            number: count, time: now, step: step, kind: kind, from: name(of: from),
            to: to.map { name(of: $0) } ?? "", what: normalised(what), cause: cause)
        if let to {
            pending[to, default: []].append(count)
            lastSent = (step, to)
        }
        if trace.entries.count < Self.keptCount {
            trace.entries.append(entry)
        } else {
            last.append(entry)
            if last.count > 2 * Self.keptCount { last.removeFirst(Self.keptCount) }
        }
    }

    /// Somebody who waited can go on.
    mutating func addResumption(of actor: SimulatedActor, by waker: SimulatedActor) {
        // What has been sent says it already.
        if lastSent?.step == step, lastSent?.to == actor { return }
        add(.reply, from: waker, to: actor, waker == .timers ? "time" : "reply")
    }

    /// The trace so far.
    var finished: SimulationTrace {
        var trace = trace
        let tail = last.suffix(Self.keptCount)
        trace.entries += tail
        trace.omittedCount = count - trace.entries.count
        return trace
    }

    /// A printed pid begins with the number of its node, which is that of the program, not of the
    /// simulation.
    private func normalised(_ what: String) -> String {
        guard what.contains("<") else { return what }
        var result = what
        for (index, node) in nodes.enumerated() {
            let own = Pid(node: node, id: 0, creation: 1).description
            guard let dot = own.firstIndex(of: ".") else { continue }
            result = result.replacingAll(String(own[...dot]), with: "<\(index).")
        }
        return result
    }
}

extension String {
    /// The text with every occurrence of another replaced.
    fileprivate func replacingAll(_ old: String, with new: String) -> String {
        split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    }
}
