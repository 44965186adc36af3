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
    /// Between the calls, the same thread counts for as long as a call takes, at 50 % and 90 % of
    /// what it can count. What that measures is the machine: nothing that has calls can have a
    /// shorter tail there.
    static let latency = Figure("call_latency", hasPeer: false) { process in
        let server = try process.spawn(PingServer.self, ())
        let outside = try await Task.detached { try await server.measureLatency("task") }.value
        let inside = try await server.measureLatency("process")
        return outside + inside
    }.onlyWhenNamed()
}

extension ServerRef<PingServer> {
    fileprivate func measureLatency(_ caller: String) async throws -> [Row] {
        let call = { _ = try await self.call(.ping) }
        _ = try await Timings.of(nanoseconds: 200_000_000, call)
        let most = try await Timings.of(nanoseconds: 500_000_000, call).all.count
        let each = 500_000_000 / Double(most)
        var counting = Counting()
        let steps = try await counting.steps(taking: each)
        var rows = [Row("call_latency_\(caller)_throughput", Double(most) / 500_000, "M/s")]
        for percent in [50, 90] {
            var (calls, machine) = (SteadyParts(), SteadyParts())
            while calls.isIncomplete || machine.isIncomplete {
                try await calls.add(percent, call)
                try await machine.add(percent) { counting.count(steps) }
            }
            let name = "call_latency_\(caller)_\(percent)"
            rows += calls.times.rows(name) + machine.times.rows(name + "_machine")
            try counting.finish()
            note("\(name), \(calls)\n\(name)_machine, \(machine)")
        }
        return rows
    }
}

extension Histogram {
    fileprivate func rows(_ name: String) -> [Row] {
        [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)].map { label, part in
            Row("\(name)_\(label)", nanoseconds(atPart: part) / 1000, "us")
        }
    }

}

/// What was done some time long, and how long it took.
private struct Timings {
    /// From when each was due.
    private(set) var all = Histogram()
    private var undisturbedCount = 0
    private var undisturbedSum: UInt64 = 0

    /// What those took, from their beginning, that nothing has held up: on average, in nanoseconds.
    var undisturbed: Double { Double(undisturbedSum) / Double(undisturbedCount) }

    private static let undisturbedMax: UInt64 = 1000

    private mutating func record(due: UInt64, begun: UInt64, done: UInt64) {
        all.record(nanoseconds: done - due)
        if done - begun < Self.undisturbedMax {
            undisturbedCount += 1
            undisturbedSum += done - begun
        }
    }

    /// Does something every `interval` nanoseconds; nil for as soon as it was done before.
    ///
    /// Every time has a moment at which it is due, whether those before it are done or not, and
    /// counts from then. So a caller that is late does not hide who had to wait.
    static func of(
        nanoseconds: UInt64, every interval: Double? = nil, _ body: () async throws -> Void
    ) async rethrows -> Timings {
        var timings = Timings()
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
            timings.record(due: due, begun: now, done: uptime())
        }
    }
}

/// What is done at a share of the greatest rate, as long as there is such a rate.
///
/// A processor that others use, too, is half as fast now as it was a moment ago. What was 90 % of the
/// greatest rate then is 180 % now, and whoever is late stays late. So the rate is measured before each
/// part; and a part counts only when what nothing held up took as long as before it. So the times are
/// those of a processor that does not change.
private struct SteadyParts: CustomStringConvertible {
    private(set) var times = Histogram()
    private var count = 0
    private var leftOutCount = 0

    private static let wanted = 20
    private static let attemptCountMax = 200

    var isIncomplete: Bool {
        count < Self.wanted && count + leftOutCount < Self.attemptCountMax
    }

    /// One more part, unless there are enough.
    mutating func add(_ percent: Int, _ body: () async throws -> Void) async throws {
        guard isIncomplete else { return }
        let time: UInt64 = 30_000_000
        let before = try await Timings.of(nanoseconds: time, body)
        let each = Double(time) / Double(before.all.count)
        let part = try await Timings.of(
            nanoseconds: 100_000_000, every: each * 100 / Double(percent), body)
        // Not a number when everything was held up: that is not the same, either.
        if abs(part.undisturbed / before.undisturbed - 1) <= 0.05 {
            times += part.all
            count += 1
        } else {
            leftOutCount += 1
        }
    }

    var description: String {
        "\(count) parts; \(leftOutCount) in which the processor changed are left out:\n\(times.bars)"
    }
}

/// Work that needs a processor and nothing else.
private struct Counting {
    private var number: UInt64 = 1

    /// A step is a multiplication that has to wait for the one before.
    @inline(never)
    mutating func count(_ steps: Int) {
        for _ in 0..<steps { number = number &* 6_364_136_223_846_793_005 &+ 1 }
    }

    /// How many steps take so long, together with what it takes to measure that.
    mutating func steps(taking nanoseconds: Double) async throws -> Int {
        func time(_ steps: Int) async -> Double {
            let time: UInt64 = 100_000_000
            return await Double(time)
                / Double(Timings.of(nanoseconds: time) { count(steps) }.all.count)
        }
        let (least, more) = (await time(0), await time(1000))
        try check(more > least, "nothing was counted")
        return max(0, Int((nanoseconds - least) / (more - least) * 1000))
    }

    /// To be called at last, as the compiler leaves out what nobody looks at.
    func finish() throws {
        try check(number != 0, "the numbers have come to their end")
    }
}

private func uptime() -> UInt64 { DispatchTime.now().uptimeNanoseconds }
