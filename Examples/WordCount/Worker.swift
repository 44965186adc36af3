//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Counts one chunk at a time: a worker of the pool.
///
/// It counts a slice, then tells itself to continue: between two slices signals are obeyed and other
/// processes get their turn.
struct Worker: GenServer {
    /// The bytes of a chunk.
    typealias Call = [UInt8]

    enum Continue: Sendable { case counting }

    private struct Job {
        var counter: WordCounter
        let from: From<[String: Int]>
    }

    private var job: Job?
    private static let sliceLength = 16 * 1024

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ bytes: [UInt8], from: From<[String: Int]>, process: ServerProcess
    ) -> CallResult<[String: Int]> {
        job = Job(counter: WordCounter(bytes), from: from)
        process.continue(with: .counting)
        return .noReply
    }

    mutating func handleContinue(_ message: Continue, process: ServerProcess) {
        job?.counter.countSlice(length: Self.sliceLength)
        guard let job else { return }
        guard job.counter.isDone else { return process.continue(with: .counting) }
        job.from.reply(job.counter.counts)
        self.job = nil
    }
}
