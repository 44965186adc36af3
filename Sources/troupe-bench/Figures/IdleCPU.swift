//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// The processor time that 10 s take in which nothing is done: of a node alone, and of one with
    /// 1,000,000 idle processes.
    static let idleCPU = Figure("idle_cpu", hasPeer: false) { process in
        let alone = try await process.measureIdling()
        let pids = try await process.spawnIdle(1_000_000)
        let crowded = try await process.measureIdling()
        try check(process.node.count > pids.count, "not all processes live")
        return [
            .milliseconds("idle_cpu_empty", alone), .milliseconds("idle_cpu_1m", crowded),
        ]
    }.onlyWhenNamed()
}

extension Process {
    fileprivate func measureIdling() async throws -> Duration {
        try await settle()
        let before = try processorTime()
        try await sleep(for: .seconds(10))
        return try processorTime() - before
    }
}
