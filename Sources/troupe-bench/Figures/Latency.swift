//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Dispatch
import Troupe

extension Figure {
    /// How long calls of a server take under load, from a task outside of the node and from a
    /// process: at 50 % and at 90 % of the calls that the caller can make one after the other.
    static let latency = Figure("call_latency", hasPeer: false) { process in
        let server = try process.spawn(PingServer.self, ())
        let outside = try await Task.detached { try await server.measureLatency("task") }.value
        let inside = try await server.measureLatency("process")
        return outside + inside
    }.onlyWhenNamed()
}

extension ServerRef<PingServer> {
    fileprivate func measureLatency(_ caller: String) async throws -> [Row] {
        _ = try await makeCalls(for: 200_000_000)
        let most = try await makeCalls(for: 500_000_000).count
        var rows = [Row("call_latency_\(caller)_throughput", Double(most) / 500_000, "M/s")]
        for percent in [50, 90] {
            let interval = 500_000_000 / Double(most) * 100 / Double(percent)
            let times = try await makeCalls(for: 2_000_000_000, every: interval)
            let name = "call_latency_\(caller)_\(percent)"
            rows += [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)].map { label, part in
                Row("\(name)_\(label)", times.nanoseconds(atPart: part) / 1000, "us")
            }
            note("\(name):\n\(times.bars)")
        }
        return rows
    }

    /// Makes a call every `interval` nanoseconds; nil for as soon as the one before is answered.
    ///
    /// Every call has a time at which it is due, whether the calls before it have been answered or
    /// not, and counts from then. So a caller that is late does not hide who had to wait.
    private func makeCalls(
        for nanoseconds: UInt64, every interval: Double? = nil
    ) async throws -> Histogram {
        var times = Histogram()
        let start = DispatchTime.now().uptimeNanoseconds
        while true {
            var now = DispatchTime.now().uptimeNanoseconds
            let due = interval.map { start + UInt64($0 * Double(times.count)) } ?? now
            if due >= start + nanoseconds { return times }
            var looks = 0
            while now < due {
                looks += 1
                // Others may need the thread.
                if looks % 64 == 0 { await Task.yield() }
                now = DispatchTime.now().uptimeNanoseconds
            }
            _ = try await call(.ping)
            times.record(nanoseconds: DispatchTime.now().uptimeNanoseconds - due)
        }
    }
}
