//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Cuts files into chunks, has the pool count them, and hands the counts to the collector.
struct Feeder: Sendable {
    let pool: ServerRef<Pool<Worker>>
    let collector: ServerRef<Collector>
    let chaos: ServerRef<Chaos>?
    let chunkLength: Int
    /// How many chunks may be under way at once; memory depends on this, not on the files.
    let window: Int

    /// Returns when everything has been counted and collected, or something has failed: with a
    /// ``FileError`` for the first file that cannot be counted; with another error when the pool or
    /// the collector is gone.
    func outcome(of files: [String], in process: Process) async -> Result<Void, any Error> {
        do { return .success(try await feed(files, in: process)) } catch { return .failure(error) }
    }

    private func feed(_ files: [String], in process: Process) async throws {
        // With the number of bytes of each.
        var underWay: [RequestID: Int] = [:]
        for path in files {
            var reader = try ChunkReader(path: path, chunkLength: chunkLength)
            while let bytes = try reader.next() {
                if underWay.count >= window { try await collectOne(of: &underWay, in: process) }
                let id = process.sendRequest(bytes, to: pool, timeout: WordCount.patience)
                underWay[id] = bytes.count
                try? chaos?.cast(.chunkSent)
            }
        }
        while !underWay.isEmpty { try await collectOne(of: &underWay, in: process) }
    }

    /// Waits for the next chunk that has been counted.
    private func collectOne(
        of underWay: inout [RequestID: Int], in process: Process
    ) async throws {
        guard let response = try await process.receive() as? MessageResponse,
            let byteCount = underWay.removeValue(forKey: response.request),
            let counts = try response.reply(as: [String: Int].self)
        else { return }
        try collector.cast(.add(counts, byteCount: byteCount))
    }
}
