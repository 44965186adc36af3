//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// One thread of a ``WorkerPool`` and its run queue.
final class Worker: @unchecked Sendable {
    // Unchecked: `queue` has its lock, `epoch` and `queueLength` are atomic, the `var`s belong to the
    // worker's thread.

    let index: Int
    let parker = Parker()

    // What others touch, and what only the worker touches, on lines of cache of their own.
    private let padding0 = CacheLinePadding()
    /// A leaf lock.
    private let queue = Lock(apart: RunQueue())
    /// The length of the queue, for who looks without the lock. Written with the lock held.
    let queueLength = Atomic(0)
    /// Counts what the worker has begun; a watcher sees by it whether the worker is stuck.
    let epoch = Atomic<UInt64>(0)
    /// Whether it is among the idle ones of the pool, with whose lock held this is written.
    let isAsleep = Atomic(false)
    private let padding1 = CacheLinePadding()
    /// Ended processes that this thread has made.
    let returned = ReturnBox<ProcessCell>()
    private let padding3 = CacheLinePadding()

    /// The epochs of all workers when this one last looked at them as the watcher, by their indices.
    var seenEpochs: [UInt64]
    /// Whether it was woken and neither found something to run since nor passed the watch on.
    var countsAsWatcher = false
    /// What is being stolen; empty at other times.
    var loot: [Runnable] = []
    private let padding2 = CacheLinePadding()

    init(index: Int, count: Int) {
        self.index = index
        self.seenEpochs = Array(repeating: .max, count: count)
    }

    // MARK: - The queue

    func withQueue<Result>(_ body: (inout RunQueue) -> Result) -> Result {
        queue.withLock { queue in
            defer { queueLength.store(queue.count, ordering: .relaxed) }
            return body(&queue)
        }
    }

    /// - Returns: the length of the queue.
    func append(_ runnable: Runnable) -> Int {
        withQueue { queue in
            queue.append(runnable)
            return queue.count
        }
    }

    func append(_ runnables: ArraySlice<Runnable>) {
        withQueue { queue in
            for runnable in runnables { queue.append(runnable) }
        }
    }

    func pop() -> Runnable? {
        hasQueue ? withQueue { $0.popFirst() } : nil
    }

    func popFirstProcess(where isWanted: (ProcessCell) -> Bool) -> ProcessCell? {
        hasQueue ? withQueue { $0.popFirstProcess(where: isWanted) } : nil
    }

    /// Whether anything is queued, for others. Takes the lock: who appends later sees what the asker had
    /// written before.
    var hasWork: Bool { withQueue { $0.count > 0 } }

    /// Whether anything is queued. To be asked by the worker itself: others only take away.
    private var hasQueue: Bool { queueLength.load(ordering: .relaxed) > 0 }

    func noteBegin(_ turns: UInt64 = 1) {
        epoch.store(epoch.load(ordering: .relaxed) &+ turns, ordering: .relaxed)
    }
}
