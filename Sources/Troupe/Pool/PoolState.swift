//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Which worker of a pool does what, what waits, and how many workers there are to be.
///
/// It starts and ends nothing itself.
struct PoolState<Job> {
    private let sizes: ClosedRange<Int>
    private let capacity: Int
    private let overflow: PoolOverflow
    private var workers: [Pid: Worker] = [:]
    /// The idle workers; the one that was used last comes last, and is used first. So those that
    /// are not needed stay idle, and can go.
    private var idle: [Pid] = []
    /// The jobs that wait, the oldest first; those before `first` are taken.
    private var queue: [Job?] = []
    private var first = 0
    private var startedCount = 0

    private struct Worker {
        /// How many were started before.
        let number: Int
        var isBusy = true
        var idleSince: NodeClock.Instant
    }

    /// What becomes of a job.
    enum Placement {
        /// This worker does it.
        case start(Pid)
        /// It waits; perhaps a worker is to be started for it, see ``PoolState/wantsWorker``.
        case wait
        /// There is no room; this job, the new one or an older one, is refused.
        case refuse(Job)
    }

    init(sizes: ClosedRange<Int>, capacity: Int, overflow: PoolOverflow) {
        self.sizes = sizes
        self.capacity = capacity
        self.overflow = overflow
    }

    // MARK: - Looking

    var workerCount: Int { workers.count }
    var idleCount: Int { idle.count }
    var waitingCount: Int { queue.count - first }
    /// In the order in which they were started.
    var pids: [Pid] { workers.sorted { $0.value.number < $1.value.number }.map { $0.key } }

    /// Whether one more worker is to be started: there are too few, or work waits for them.
    var wantsWorker: Bool {
        workers.count < sizes.lowerBound
            || (waitingCount > idle.count && workers.count < sizes.upperBound)
    }

    /// When a worker beyond the least number will have been idle for so long; nil when none is.
    func nextTrim(after limit: Duration) -> NodeClock.Instant? {
        guard workers.count > sizes.lowerBound, let pid = idle.first else { return nil }
        return workers[pid]?.idleSince.advanced(by: limit)
    }

    // MARK: - What has happened

    mutating func arrived(_ job: Job) -> Placement {
        if let pid = takeIdle() { return .start(pid) }
        if waitingCount < capacity || workers.count < sizes.upperBound {
            queue.append(job)
            return .wait
        }
        switch overflow {
        case .reject: return .refuse(job)
        case .dropOldest:
            guard let oldest = takeJob() else { return .refuse(job) }
            queue.append(job)
            return .refuse(oldest)
        }
    }

    /// A job whose worker has failed is to be done again, before all others.
    mutating func returned(_ job: Job) {
        if first > 0 {
            first -= 1
            queue[first] = job
        } else {
            queue.insert(job, at: 0)
        }
    }

    /// A worker was started; ask ``nextJob(for:at:)`` what it is to do.
    mutating func started(_ pid: Pid, at now: NodeClock.Instant) {
        workers[pid] = Worker(number: startedCount, idleSince: now)
        startedCount += 1
    }

    /// The next job of a worker that is done with its last one; nil makes it idle.
    mutating func nextJob(for pid: Pid, at now: NodeClock.Instant) -> Job? {
        guard workers[pid]?.isBusy == true else { return nil }
        if let job = takeJob() { return job }
        workers[pid]?.isBusy = false
        workers[pid]?.idleSince = now
        idle.append(pid)
        return nil
    }

    /// A job that waits, and an idle worker for it; nil when there is none.
    mutating func takeWaiting() -> (worker: Pid, job: Job)? {
        guard waitingCount > 0, let pid = takeIdle(), let job = takeJob() else { return nil }
        return (pid, job)
    }

    /// A worker has ended, or is told to.
    mutating func ended(_ pid: Pid) {
        guard let worker = workers.removeValue(forKey: pid) else { return }
        if !worker.isBusy { idle.removeAll { $0 == pid } }
    }

    /// The workers beyond the least number that have been idle for so long.
    func idleTooLong(_ limit: Duration, at now: NodeClock.Instant) -> [Pid] {
        let spare = max(workers.count - sizes.lowerBound, 0)
        return idle.prefix(spare).filter { pid in
            workers[pid].map { $0.idleSince.duration(to: now) >= limit } ?? false
        }
    }

    /// Forgets the jobs that have waited longest and that nobody wants any more.
    mutating func dropWaiting(while isUnwanted: (Job) -> Bool) {
        while first < queue.count, let job = queue[first], isUnwanted(job) { _ = takeJob() }
    }

    // MARK: - How it is done

    private mutating func takeIdle() -> Pid? {
        guard let pid = idle.popLast() else { return nil }
        workers[pid]?.isBusy = true
        return pid
    }

    private mutating func takeJob() -> Job? {
        guard first < queue.count else { return nil }
        defer {
            queue[first] = nil
            first += 1
            if first > 16, first * 2 > queue.count {
                queue.removeFirst(first)
                first = 0
            }
        }
        return queue[first]
    }
}
