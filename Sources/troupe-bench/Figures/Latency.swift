//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Dispatch
import Troupe

extension Figure {
    /// How long calls of a server take under load, from a task outside of the node and from a
    /// process: at 50 % and at 90 % of the calls that the caller can make one after the other.
    ///
    /// In turn with them the same thread calls a Swift actor, which also only answers, at 50 % and 90 % of
    /// the calls that it can make of that. So what the machine adds is in both. From a process such a call
    /// goes through the run queue of the scheduler, as any actor's does, and takes longer than from a task.
    static let latency = Figure("call_latency", hasPeer: false) { process in
        let server = try process.spawn(PingServer.self, ())
        let outside = try await Task.detached { try await server.measureLatency("task") }.value
        let inside = try await server.measureLatency("process")
        return outside + inside
    }.onlyWhenNamed()
}

extension ServerRef<PingServer> {
    fileprivate func measureLatency(_ caller: String) async throws -> [Row] {
        let native = PingActor()
        let calls = try await Work { _ = try await self.call(.ping) }
        let actor = try await Work { _ = await native.ping() }
        var rows = [
            Row("call_latency_\(caller)_throughput", 1000 / calls.usual, "M/s"),
            Row("call_latency_\(caller)_actor_throughput", 1000 / actor.usual, "M/s"),
        ]
        for percent in [50, 90] {
            let name = "call_latency_\(caller)_\(percent)"
            var (ofCalls, ofActor) = (Parts(), Parts())
            while ofCalls.areTooFew || ofActor.areTooFew {
                ofCalls.add(try await Part(of: calls, percent: percent))
                ofActor.add(try await Part(of: actor, percent: percent))
            }
            rows += ofCalls.rows(name) + ofActor.rows("\(name)_actor")
            note("\(name), \(ofCalls)\n\(name)_actor, \(ofActor)")
        }
        return rows
    }
}

/// What is done again and again.
private struct Work {
    let body: () async throws -> Void
    /// How long it takes from one time to the next, in nanoseconds.
    let usual: Double

    init(_ body: @escaping () async throws -> Void) async throws {
        self.body = body
        _ = try await Timings.of(nanoseconds: 200_000_000, body)
        self.usual = try await Timings.of(nanoseconds: 500_000_000, body).each
    }
}

/// What was done some time long, and how long it took.
private struct Timings {
    private let nanoseconds: UInt64
    /// From when each was due.
    private(set) var all = Histogram()
    private var undisturbedCount = 0
    private var undisturbedSum: UInt64 = 0

    /// From one time to the next, on average, in nanoseconds.
    var each: Double { Double(nanoseconds) / Double(all.count) }

    /// What those took, from their beginning, that nothing has held up: on average, in nanoseconds. Not a
    /// number when there were none.
    var undisturbed: Double { Double(undisturbedSum) / Double(undisturbedCount) }

    private init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    private mutating func record(due: UInt64, begun: UInt64, done: UInt64, undisturbedMax: UInt64) {
        all.record(nanoseconds: done - due)
        if done - begun < undisturbedMax {
            undisturbedCount += 1
            undisturbedSum += done - begun
        }
    }

    /// Does something every `interval` nanoseconds; nil for as soon as it was done before.
    ///
    /// Every time has a moment at which it is due, whether those before it are done or not, and
    /// counts from then. So a caller that is late does not hide who had to wait.
    ///
    /// - Parameter undisturbedMax: what takes as long has been held up.
    static func of(
        nanoseconds: UInt64, every interval: Double? = nil, undisturbedMax: Double = 0,
        _ body: () async throws -> Void
    ) async rethrows -> Timings {
        var timings = Timings(nanoseconds: nanoseconds)
        let start = uptime()
        while true {
            var now = uptime()
            let due = interval.map { start + UInt64($0 * Double(timings.all.count)) } ?? now
            if due >= start + nanoseconds { return timings }
            var looks = 0
            while now < due {
                looks += 1
                // Others may need the thread.
                if looks % 64 == 0 { await Task.yield() }
                now = uptime()
            }
            try await body()
            timings.record(
                due: due, begun: now, done: uptime(), undisturbedMax: UInt64(undisturbedMax))
        }
    }
}

/// What was done at a share of the greatest rate for 100 ms.
///
/// A processor that others use, too, is half as fast now as it was a moment ago. What was 90 % of the
/// greatest rate then is 180 % now, and whoever is late stays late. So the rate is measured before each
/// part; and a part is steady only when what nothing held up took as long as before it.
private struct Part {
    let times: Histogram
    let isSteady: Bool

    init(of work: Work, percent: Int) async throws {
        // Who takes several times as long as usual is held up.
        let undisturbedMax = work.usual * 4
        let before = try await Timings.of(
            nanoseconds: 30_000_000, undisturbedMax: undisturbedMax, work.body)
        let part = try await Timings.of(
            nanoseconds: 100_000_000, every: before.each * 100 / Double(percent),
            undisturbedMax: undisturbedMax, work.body)
        self.times = part.all
        self.isSteady = abs(part.undisturbed / before.undisturbed - 1) <= 0.05
    }
}

/// Steady parts: what takes time there does it while the processor does not change. And all parts.
private struct Parts: CustomStringConvertible {
    private var (steady, all) = (Histogram(), Histogram())
    private var (steadyCount, count) = (0, 0)

    private static let wanted = 20
    private static let attemptCountMax = 100

    var areTooFew: Bool { steadyCount < Self.wanted && count < Self.attemptCountMax }

    mutating func add(_ part: Part) {
        all += part.times
        count += 1
        if part.isSteady {
            steady += part.times
            steadyCount += 1
        }
    }

    /// Without a steady part there is only what holds for all of them.
    func rows(_ name: String) -> [Row] {
        let parts = [
            ("p50", steady, 0.5), ("p99", steady, 0.99), ("p99.9", steady, 0.999),
            ("all_p99.9", all, 0.999),
        ]
        return parts.filter { $0.1.count > 0 }.map { label, times, part in
            Row("\(name)_\(label)", times.nanoseconds(atPart: part) / 1000, "us")
        }
    }

    var description: String {
        """
        \(steadyCount) parts of \(count) in which the processor did not change:
        \(steady.bars)
        all parts:
        \(all.bars)
        """
    }
}

private func uptime() -> UInt64 { DispatchTime.now().uptimeNanoseconds }
