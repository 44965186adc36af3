//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// Counts the words of text files with processes: a feeder cuts the files into chunks, the workers of
// a pool count them, a collector merges. With --chaos workers are killed while they work; the pool
// replaces them and has their chunks counted again, and the result is the same.
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
        let summary: Summary
    }

    /// What chaos has done.
    struct Summary: Sendable, Equatable {
        let died: Int
        let countedAgain: Int
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
        _ = try await node.spawn(Supervisor.self, tree(options))
        guard let pool = node.whereis("workers", as: Pool<Worker>.self),
            let collector = node.whereis("collector", as: Collector.self)
        else { throw CallError.exited(.noProcess) }
        let chaos = node.whereis("chaos", as: Chaos.self)
        let feeder = Feeder(
            pool: pool, collector: collector, chaos: chaos, chunkLength: chunkLength,
            window: 2 * options.workers)
        // Reading blocks, so the feeder has a thread of its own. It hands its failure over as a
        // value: a file that is missing is no crash.
        let feeding = try node.spawn(options: .init(ownThread: true)) { process in
            await feeder.outcome(of: options.files, in: process)
        }
        let progress = showsProgress ? try showProgress(of: collector, on: node) : nil
        let outcome = try await feeding.value
        if let progress {
            node.exit(progress.pid, .shutdown)
            _ = try await progress.exitReason
            FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
        }
        try outcome.get()
        try await chaos?.ask(timeout: patience) { .finish($0) }
        let status = try await pool.poolStatus(timeout: patience)
        let lines = try await collector.ask(timeout: patience) { .top(options.top, $0) }
        return Result(
            lines: lines,
            summary: Summary(died: status.failureCount, countedAgain: status.retryCount))
    }

    private static func tree(_ options: Options) -> SupervisorSpec {
        var workers = PoolSpec(Worker.self, (), workers: options.workers)
        workers.capacity = 2 * options.workers
        // Counting a chunk twice does no harm: only the reply is collected.
        workers.retryCount = .max
        if options.chaosSeed != nil { workers.limit = RestartLimit(.max) }
        // Workers are replaced by their pool. Of the others nobody is: half a count is no result.
        return SupervisorSpec(limit: RestartLimit(0)) {
            ChildSpec(Collector.self, name: "collector")
            ChildSpec(Pool<Worker>.self, workers, name: "workers")
            if let seed = options.chaosSeed {
                ChildSpec(
                    Chaos.self, .init(seed: seed, pool: "workers"), name: "chaos",
                    options: .init(ownThread: true))
            }
        }
    }

    /// A chunk is counted in milliseconds; this only says that nobody is to give up before.
    static let patience = Duration.seconds(3600)

    private static func showProgress(
        of collector: ServerRef<Collector>, on node: Node
    ) throws -> ProcessRef<Void> {
        try node.spawn { process in
            while true {
                try await process.sleep(for: .milliseconds(100))
                let count = try await collector.ask { .progress($0) }
                let megabytes = Double(count / 100_000) / 10
                FileHandle.standardError.write(Data("\r\(megabytes) MB counted\u{1B}[K".utf8))
            }
        }
    }

    private static func printError(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}
