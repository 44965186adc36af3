//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Hands chunks to workers, replaces workers that die, and has their chunks counted again.
///
/// It is linked with its workers and traps exits: a worker that dies is a message here, and if the
/// coordinator dies, its workers do. What a worker has sent arrives before the news of its end, so
/// a chunk is counted again exactly when its result did not arrive.
struct Coordinator: GenServer {
    struct Argument: Sendable {
        let workerCount: Int
        let chaosSeed: UInt64?
        let collector: ServerRef<Collector>
    }

    enum Call: Sendable {
        /// Answered when there is room for another chunk: that is the back-pressure on the reader.
        case submit([UInt8])
        /// Answered when everything that was submitted has been counted.
        case finish
        case progress
    }

    enum Reply: Sendable {
        case accepted
        case finished(Summary)
        case progress(byteCount: Int)
    }

    struct Summary: Sendable, Equatable {
        var died = 0
        var countedAgain = 0
    }

    private struct Kill: Sendable {
        let worker: Pid
    }

    private let argument: Argument
    private var chaos: SeededGenerator?
    private var workers: [Pid: ServerRef<Worker>] = [:]
    private var idle: [Pid] = []
    private var waiting: [Chunk] = []
    private var running: [Pid: Chunk] = [:]
    private var nextChunkID = 0
    private var byteCount = 0
    private var summary = Summary()
    private var submitter: From<Reply>?
    private var finisher: From<Reply>?

    init(_ argument: Argument, process: ServerProcess) throws {
        self.argument = argument
        chaos = argument.chaosSeed.map { SeededGenerator(seed: $0) }
        process.setTrapsExits(true)
        for _ in 0..<argument.workerCount { try addWorker(process) }
    }

    mutating func handleCall(
        _ request: Call, from: From<Reply>, process: ServerProcess
    ) throws -> CallResult<Reply> {
        switch request {
        case .progress:
            return .reply(.progress(byteCount: byteCount))
        case .submit(let bytes):
            waiting.append(Chunk(id: nextChunkID, bytes: bytes))
            nextChunkID += 1
            try dispatch(process)
            if hasRoom { return .reply(.accepted) }
            submitter = from
            return .noReply
        case .finish:
            finisher = from
            replyIfFinished()
            return .noReply
        }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        switch message {
        case let result as Counted: try counted(result, process)
        case let exit as MessageExit: try workerDied(exit, process)
        case let kill as Kill: process.exit(kill.worker, .kill)
        default: process.reportUnhandled(message)
        }
    }

    /// At most as many chunks wait as there are workers.
    private var hasRoom: Bool { waiting.count < argument.workerCount }

    private mutating func addWorker(_ process: ServerProcess) throws {
        let worker = try process.spawnLinked(Worker.self, process.pid)
        workers[worker.pid] = worker
        idle.append(worker.pid)
    }

    private mutating func dispatch(_ process: ServerProcess) throws {
        while !waiting.isEmpty, let pid = idle.popLast() {
            guard let worker = workers[pid] else { continue }
            let chunk = waiting.removeFirst()
            running[pid] = chunk
            do {
                try worker.cast(chunk)
            } catch {
                // It is dying; its exit is on the way, and the chunk comes back then.
                continue
            }
            try maybeKill(pid, process)
        }
        if hasRoom, let submitter {
            self.submitter = nil
            submitter.reply(.accepted)
        }
    }

    /// Chaos: every third worker that gets a chunk is killed within the next 3 ms.
    private mutating func maybeKill(_ worker: Pid, _ process: ServerProcess) throws {
        guard chaos != nil, (chaos?.next() ?? 0) % 3 == 0 else { return }
        let delay = Duration.microseconds(Int64((chaos?.next() ?? 0) % 3000))
        try process.send(Kill(worker: worker), after: delay)
    }

    private mutating func counted(_ result: Counted, _ process: ServerProcess) throws {
        guard let (pid, chunk) = running.first(where: { $0.value.id == result.chunkID }) else {
            return
        }
        running[pid] = nil
        idle.append(pid)
        byteCount += chunk.bytes.count
        try argument.collector.cast(result.counts)
        try dispatch(process)
        replyIfFinished()
    }

    private mutating func workerDied(_ exit: MessageExit, _ process: ServerProcess) throws {
        guard workers.removeValue(forKey: exit.from) != nil else { return }
        idle.removeAll { $0 == exit.from }
        summary.died += 1
        if let chunk = running.removeValue(forKey: exit.from) {
            summary.countedAgain += 1
            waiting.insert(chunk, at: 0)
        }
        try addWorker(process)
        try dispatch(process)
    }

    private mutating func replyIfFinished() {
        guard waiting.isEmpty, running.isEmpty, let finisher else { return }
        self.finisher = nil
        finisher.reply(.finished(summary))
    }
}

/// Merges what the workers have counted.
struct Collector: GenServer {
    enum Call: Sendable { case top(Int) }
    typealias Cast = [String: Int]

    private var totals: [String: Int] = [:]

    init(_: Void, process: ServerProcess) {}

    mutating func handleCast(_ counts: [String: Int], process: ServerProcess) {
        totals.merge(counts, uniquingKeysWith: +)
    }

    mutating func handleCall(
        _ request: Call, from: From<[Line]>, process: ServerProcess
    ) -> CallResult<[Line]> {
        switch request {
        case .top(let count):
            let lines = totals.map { Line(count: $0.value, word: $0.key) }.sorted()
            return .reply(Array(lines.prefix(count)))
        }
    }
}

/// One line of the result; sorted by count descending, then by word ascending.
struct Line: Sendable, Comparable, CustomStringConvertible {
    let count: Int
    let word: String

    static func < (left: Line, right: Line) -> Bool {
        left.count != right.count ? left.count > right.count : left.word < right.word
    }

    var description: String { "\(count) \(word)" }
}

/// SplitMix64: the same numbers for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
