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
    /// In turns with the calls, the same thread counts for as long as a call takes, at the same times.
    /// What that measures is the machine: nothing that has calls can have a shorter tail there.
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
        _ = try await Histogram.of(nanoseconds: 200_000_000, call)
        let most = try await Histogram.of(nanoseconds: 500_000_000, call).count
        let each = 500_000_000 / Double(most)
        var counting = Counting()
        let steps = try await counting.steps(taking: each)
        var rows = [Row("call_latency_\(caller)_throughput", Double(most) / 500_000, "M/s")]
        for percent in [50, 90] {
            let interval = each * 100 / Double(percent)
            var (calls, machine) = (Histogram(), Histogram())
            for _ in 0..<20 {
                calls += try await .of(nanoseconds: 100_000_000, every: interval, call)
                machine += await .of(nanoseconds: 100_000_000, every: interval) {
                    counting.count(steps)
                }
            }
            let name = "call_latency_\(caller)_\(percent)"
            rows += calls.rows(name) + machine.rows(name + "_machine")
            try counting.finish()
            note("\(name):\n\(calls.bars)\n\(name)_machine:\n\(machine.bars)")
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

    /// Does something every `interval` nanoseconds; nil for as soon as it was done before.
    ///
    /// Every time has a moment at which it is due, whether those before it are done or not, and
    /// counts from then. So a caller that is late does not hide who had to wait.
    fileprivate static func of(
        nanoseconds: UInt64, every interval: Double? = nil, _ body: () async throws -> Void
    ) async rethrows -> Histogram {
        var times = Histogram()
        let start = uptime()
        while true {
            var now = uptime()
            let due = interval.map { start + UInt64($0 * Double(times.count)) } ?? now
            if due >= start + nanoseconds { return times }
            var looks = 0
            while now < due {
                looks += 1
                // Others may need the thread.
                if looks % 64 == 0 { await Task.yield() }
                now = uptime()
            }
            try await body()
            times.record(nanoseconds: uptime() - due)
        }
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
                / Double(Histogram.of(nanoseconds: time) { count(steps) }.count)
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
