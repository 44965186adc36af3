//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a ``Pool`` does at the moment.
public struct PoolStatus: Sendable, Hashable {
    /// The workers, the oldest first.
    public let workers: [Pid]
    /// How many of them have nothing to do.
    public let idleCount: Int
    /// How many requests wait for a worker.
    public let waitingCount: Int
    /// How many workers have ended by themselves, or could not be started, since the pool started.
    public let failureCount: Int
    /// How many requests were done again because their worker had failed.
    public let retryCount: Int
}
