//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a thread of a ``WorkerPool`` keeps for itself: what it has caught, and its idle runners.
///
/// It is found through the thread, several times for each call, and is no object so that no
/// references are counted and no accesses checked each time.
///
/// Invariant: it exists while the thread runs, and only the thread touches it. No access lasts while
/// anything else of this library, or a task, runs.
struct WorkerLocal {
    /// The pool that the thread belongs to, and keeps.
    let pool: Unmanaged<WorkerPool>
    /// Kept by the pool.
    let worker: Unmanaged<Worker>
    let mayBlock: Bool
    /// The number of the thread.
    let index: Int
    /// How many threads the pool has, or the next power of two: the number of the thread and what is
    /// so much further on are the thread's own among a number of things that is a power of two, too.
    let stride: Int

    /// How deep inits nest on the stack; see ``Nesting``.
    var initDepth = 0
    /// How many processes the thread has begun to spawn.
    private var spawnCount = 0
    var heapRoom = HeapRoom()
    /// Processes that ended here and that another thread has made.
    var returns = Returns<ProcessCell>()
    /// Processes that this thread has made and that have come back, with a reference to each.
    private var returned: [Unmanaged<ProcessCell>] = []
    var catchesNextJob = false
    var caughtJob: UnownedJob?
    var catchesAssignment = false
    var caughtAssignment: RunnerAssignment?
    /// Whose turn is not to be queued; see ``Scheduler/call(_:_:)``. Alive while it is here.
    var callee: UnsafeRawPointer?
    /// Which of the callees may have their turn at once.
    var nesting = NestedTurns()
    /// The idle runners that are kept for this thread.
    private var idleRunners: [IdleRunner] = []

    /// As many as there are callers and callees on the stack, or so.
    static let idleRunnersMax = 16

    private static let slot = ThreadLocalPointer()

    init(pool: WorkerPool, threadCount: Int, worker: Worker, mayBlock: Bool) {
        self.index = worker.index
        self.stride = 1 << (Int.bitWidth - (threadCount - 1).leadingZeroBitCount)
        self.pool = Unmanaged.passUnretained(pool)
        self.worker = Unmanaged.passUnretained(worker)
        self.mayBlock = mayBlock
    }

    /// That of this thread, if it is one of a pool.
    static var current: UnsafeMutablePointer<WorkerLocal>? {
        slot.value?.assumingMemoryBound(to: WorkerLocal.self)
    }

    /// Runs `body` as the thread that this belongs to.
    consuming func withThread(_ body: (UnsafeMutablePointer<WorkerLocal>) -> Void) {
        let place = UnsafeMutablePointer<WorkerLocal>.allocate(capacity: 1)
        place.initialize(to: self)
        Self.slot.value = UnsafeMutableRawPointer(place)
        body(place)
        Self.slot.value = nil
        place.deinitialize(count: 1)
        place.deallocate()
    }

    /// The thread is about to make a process.
    ///
    /// - Returns: how many it has made before, and one of these that has come back, to be destroyed.
    mutating func willSpawn() -> (count: Int, returned: Unmanaged<ProcessCell>?) {
        heapRoom.willAllocate()
        worker._withUnsafeGuaranteedRef { $0.returned.open() }
        defer { spawnCount += 1 }
        return (spawnCount, takeReturned())
    }

    /// Takes a process that has come back, to be destroyed when nothing here is accessed any more.
    mutating func takeReturned() -> Unmanaged<ProcessCell>? {
        if returned.isEmpty { worker._withUnsafeGuaranteedRef { $0.returned.takeAll(&returned) } }
        return returned.popLast()
    }

    /// Takes all processes that have come back, to be destroyed as before. No more will come until the
    /// thread makes others.
    mutating func takeLastReturned() -> [Unmanaged<ProcessCell>] {
        var (all, last): ([Unmanaged<ProcessCell>], [Unmanaged<ProcessCell>]) = ([], [])
        swap(&all, &returned)
        worker._withUnsafeGuaranteedRef { $0.returned.takeAll(&last, closing: true) }
        return all + last
    }

    /// Whether the turn of `cell`, which is due, is not to be queued.
    mutating func catchesTurn(of cell: ProcessCell) -> Bool {
        guard let callee, callee == UnsafeRawPointer(Unmanaged.passUnretained(cell).toOpaque())
        else { return false }
        self.callee = nil
        return true
    }

    mutating func takeIdleRunner() -> IdleRunner? { idleRunners.popLast() }

    mutating func keep(_ runner: IdleRunner) -> Bool {
        guard idleRunners.count < Self.idleRunnersMax else { return false }
        idleRunners.append(runner)
        return true
    }
}

/// Which turns a thread may nest: those of the callees of what it runs, each within the turn of its
/// caller.
struct NestedTurns: Sendable, Hashable {
    /// How many callers, each the callee of the one before, have the thread below what runs now.
    private(set) var depth = 0
    /// How many callees have had their turn since the thread last took something from a queue.
    private(set) var count = 0

    /// Each level takes some hundred bytes of the thread's stack.
    static let depthMax = 16
    /// After so many a caller queues up, so that others get a turn.
    static let countMax = 64

    /// Whether one more may begin.
    var isOpen: Bool { depth < Self.depthMax && count < Self.countMax }

    /// The thread takes something from a queue.
    mutating func turnBegan() {
        count = 0
    }

    mutating func began() {
        depth += 1
        count += 1
    }

    mutating func ended() {
        depth -= 1
    }
}
