//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// What a worker sends to its coordinator when it has counted a chunk.
struct Counted: Sendable {
    let chunkID: Int
    let byteCount: Int
    let counts: [String: Int]
}

/// Counts one chunk at a time.
///
/// It counts a slice, then tells itself to continue: between two slices signals are obeyed and other
/// processes get their turn.
struct Worker: GenServer {
    typealias Cast = Chunk

    enum Continue: Sendable { case counting }

    private struct Job {
        let chunk: Chunk
        var counter: WordCounter
    }

    private let coordinator: Pid
    private var job: Job?
    private static let sliceLength = 16 * 1024

    init(_ coordinator: Pid, process: ServerProcess) {
        self.coordinator = coordinator
    }

    mutating func handleCast(_ chunk: Chunk, process: ServerProcess) throws {
        job = Job(chunk: chunk, counter: WordCounter(chunk.bytes))
        process.continue(with: .counting)
    }

    mutating func handleContinue(_ message: Continue, process: ServerProcess) throws {
        job?.counter.countSlice(length: Self.sliceLength)
        guard let job else { return }
        guard job.counter.isDone else { return process.continue(with: .counting) }
        let counted = Counted(
            chunkID: job.chunk.id, byteCount: job.chunk.bytes.count, counts: job.counter.counts)
        self.job = nil
        try process.send(counted, to: coordinator)
    }
}
