//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// Counts the words of text files with processes: a reader cuts the files into chunks, workers count
// them, a collector merges. With --chaos workers are killed while they work; the result is the same.
import Foundation
import Troupe

@main
enum WordCount {
    static func main() async {
        do {
            let options = try Options.parse(Array(CommandLine.arguments.dropFirst()))
            let result = try await count(options, showsProgress: isatty(STDERR_FILENO) == 1)
            for line in result.lines { print(line) }
            if options.chaosSeed != nil {
                let summary = result.summary
                printError(
                    "chaos: \(summary.died) workers died and were replaced, "
                        + "\(summary.countedAgain) chunks were counted again")
            }
        } catch let error as Options.UsageError {
            printError(error.description)
            exit(2)
        } catch {
            printError("WordCount: \(error)")
            exit(1)
        }
    }

    struct Result: Sendable {
        let lines: [Line]
        let summary: Coordinator.Summary
    }

    /// Counts the files on a node of its own.
    ///
    /// - Throws: ``FileError`` for the first file that cannot be counted.
    static func count(
        _ options: Options, showsProgress: Bool = false,
        chunkLength: Int = ChunkReader.defaultChunkLength
    ) async throws -> Result {
        // Workers that are killed on purpose need no crash reports.
        let events: any EventSink = options.chaosSeed == nil ? StandardErrorEvents() : NoEvents()
        let node = try Node(name: "wordcount", options: .init(events: events))
        do {
            let result = try await count(
                options, on: node, showsProgress: showsProgress, chunkLength: chunkLength)
            await node.stop()
            return result
        } catch {
            await node.stop()
            throw error
        }
    }

    private static func count(
        _ options: Options, on node: Node, showsProgress: Bool, chunkLength: Int
    ) async throws -> Result {
        let collector = try node.spawn(Collector.self)
        let coordinator = try node.spawn(
            Coordinator.self,
            .init(
                workerCount: options.workers, chaosSeed: options.chaosSeed, collector: collector))
        let files = options.files
        // Reading blocks, so the reader has a thread of its own. It hands its failure over as a
        // value: a file that is missing is no crash.
        let reader = try node.spawn(options: .init(ownThread: true)) { _ in
            await read(files, into: coordinator, chunkLength: chunkLength)
        }
        let progress = showsProgress ? try showProgress(of: coordinator, on: node) : nil
        let outcome = try await reader.value
        if let progress {
            node.exit(progress.pid, .shutdown)
            _ = try await progress.exitReason
            FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
        }
        try outcome.get()
        guard case .finished(let summary) = try await coordinator.call(.finish, timeout: patience)
        else { preconditionFailure("finish is answered with a summary") }
        let lines = try await collector.call(.top(options.top), timeout: patience)
        return Result(lines: lines, summary: summary)
    }

    /// A chunk is counted in milliseconds; this only says that nobody is to give up before.
    private static let patience = Duration.seconds(3600)

    private static func read(
        _ files: [String], into coordinator: ServerRef<Coordinator>, chunkLength: Int
    ) async -> Swift.Result<Void, any Error> {
        do {
            for path in files {
                var reader = try ChunkReader(path: path, chunkLength: chunkLength)
                while let bytes = try reader.next() {
                    _ = try await coordinator.call(.submit(bytes), timeout: patience)
                }
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private static func showProgress(
        of coordinator: ServerRef<Coordinator>, on node: Node
    ) throws -> ProcessRef<Void> {
        try node.spawn { process in
            while true {
                try await process.sleep(for: .milliseconds(100))
                if case .progress(let count) = try await coordinator.call(.progress) {
                    let megabytes = Double(count / 100_000) / 10
                    FileHandle.standardError.write(Data("\r\(megabytes) MB counted\u{1B}[K".utf8))
                }
            }
        }
    }

    private static func printError(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}
