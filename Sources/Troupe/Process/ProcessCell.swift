//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Synchronization

/// What the typed code of a process is asked to do; see ``ProcessCell/behaviour``.
@usableFromInline
enum BehaviourCommand {
    /// Run: the process is `scheduled` and its turn has come.
    case step
    /// Put an untyped message into the mailbox.
    case put(any Sendable)
    /// Put an untyped message into the mailbox, while a lock of rank 0 is held.
    case enqueue(any Sendable, UnsafeMutablePointer<Delivery>)
    /// Append an untyped message to a queue; the lock is held.
    case append(any Sendable, UnsafeMutablePointer<MessageQueue>)
    /// Destroy what a queue holds; the process has ended with this reason.
    case discard(UnsafeMutablePointer<MessageQueue>, ExitReason)
    /// Do with what a queue holds what the options say; the process has ended with this reason.
    case rescue(UnsafeMutablePointer<MessageQueue>, ExitReason)
    /// Put what was kept of a process before into the mailbox; nobody else knows this one yet.
    case refill(Refill)
}

/// What is left to do, once no lock is held, for a message that was put into a mailbox.
@usableFromInline
struct Delivery {
    @usableFromInline var arrival = Arrival.none
    /// Takes care of the message that was dropped to make room.
    @usableFromInline var afterDrop: (() -> Void)?

    @inlinable
    init() {}

    @inlinable
    func perform(for cell: ProcessCell) {
        arrival.perform(for: cell)
        afterDrop?()
    }
}

/// What became of a message.
@usableFromInline
enum PutResult: Sendable {
    case accepted
    /// The mailbox is full and the policy is not to make room.
    case full
    /// The process has ended.
    case gone
}

/// What a mailbox holds: a message, wrapped as its process wants it.
@usableFromInline
protocol MailboxElement: Sendable {
    /// The kind and type of the message, for reports.
    var typeName: String { get }
    /// The message was dropped to make room in the mailbox of `cell`. Called without a lock.
    func wasDropped(by cell: ProcessCell)
}

/// The process object: identity, lock, mailbox and life cycle. Everything else refers to it.
///
/// The typed part (the server's state, the type of the mailbox's elements) is in a subclass and in
/// ``behaviour``, a closure without captures that is specialised where the process is spawned. A
/// virtual method of a generic class would run unspecialised, at a cost per message.
@usableFromInline
class ProcessCell: @unchecked Sendable {
    // Unchecked: `core` is protected by `lock`, the atomics are atomic, the rest is constant; what
    // subclasses add belongs to whoever has the process in the phase `running`.

    /// The lock of the process. Rank 1: within it a shard of names, the aliases, a reply, the state of
    /// a runner or the wheel of timers may be locked, nothing else. It may be taken within the lock
    /// of a key, a group or an event, which have rank 0. The only place that holds two of them is
    /// ``withBothLocked(_:_:_:)``.
    @usableFromInline let lock = LockWord()
    /// In place, as every process has one; to be touched with the lock held, so by ``withCore(_:)``.
    // The lock excludes what the compiler would check for at run time, several times a message.
    @exclusivity(unchecked)
    @usableFromInline final var core: ProcessCore
    /// Something besides messages needs a look before the next message is handled. Set with the
    /// lock held, read without.
    @usableFromInline let attention = Atomic(false)
    /// How many messages have left the mailbox; written by whoever runs the process, so senders
    /// need not be asked for the lock. Written with the lock held when the policy is `dropOldest`.
    @usableFromInline let popped = Atomic<UInt64>(0)

    /// Which kind of message is being handled, as the raw value of a ``MessageKind``; for those who
    /// look from outside.
    @usableFromInline let activityKind = Atomic<UInt8>(0)
    /// The type of the last message of the kind `info`, as the address of its metadata; 0 before
    /// there was one. The types of other messages are known from the type of the server.
    @usableFromInline let infoType = Atomic<UInt>(0)
    /// When the process last began to run, by the coarse clock.
    @usableFromInline let activitySince = Atomic<UInt64>(0)
    /// The thread that has claimed the process last; see ``noteClaim()``.
    private let claimThread = Atomic<UInt>(0)

    @usableFromInline let behaviour:
        @Sendable (ProcessCell, consuming BehaviourCommand) -> PutResult
    /// What it was made from. Kept as a whole, and not looked at in `init`: so it is moved here, and
    /// no reference is counted.
    @usableFromInline let seed: ProcessSeed

    @usableFromInline
    init(
        seed: consuming ProcessSeed,
        behaviour: @escaping @Sendable (ProcessCell, consuming BehaviourCommand) -> PutResult
    ) {
        self.core = ProcessCore()
        self.behaviour = behaviour
        self.seed = seed
    }

    // There are relations or messages yet when it has never ended.
    deinit {
        core.relations?.release()
        if core.queue.isEmpty { core.queue.releaseMemory() }
    }

    @inlinable final var node: Node { seed.node }
    @inlinable final var scheduler: Scheduler { seed.traits.scheduler }
    @inlinable final var traits: ProcessTraits { seed.traits }

    /// Runs `body` with the scheduler without counting a reference to it, which all threads would do.
    @inlinable
    final func withScheduler<Result>(_ body: (Scheduler) -> Result) -> Result {
        seed.traits.unretainedScheduler._withUnsafeGuaranteedRef(body)
    }

    final var id: UInt64 { seed.id }
    final var parentID: UInt64 { seed.parentID }
    final var startedAt: UInt64 { seed.startedAt }

    /// Runs `body` with the lock held.
    @inlinable
    final func withCore<Result: ~Copyable, Failure: Error>(
        _ body: (inout ProcessCore) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock.acquire()
        defer { lock.release() }
        return try body(&core)
    }

    @usableFromInline
    var pid: Pid { node.pid(id: id) }

    /// So long from now, by the node's clock; nil is for ever.
    final func deadline(after timeout: Duration?) -> UInt64 {
        timeout.map { scheduler.now.addingSaturated($0.clampedNanoseconds) } ?? .max
    }

    /// This process, running, passes over EXITs of links with these that it has looked at.
    func forgetLinkExits(from pids: Set<Pid>) {}

    /// This process, running, has made a reference; see ``ClosureCell``.
    @usableFromInline
    func madeReference(_ id: UInt64) {}

    /// What the body of this process, which ends, has returned; for monitors.
    var result: (any Sendable)? { nil }

    /// Whether each step of the process is run by a ``Runner``.
    @usableFromInline
    var borrowsRunner: Bool { false }

    /// Whether a caller may run the process on its own thread.
    @usableFromInline
    var runsInline: Bool { traits.runsInline }
}

/// What a process is made from.
@usableFromInline
struct ProcessSeed: Sendable {
    @usableFromInline let node: Node
    @usableFromInline let traits: ProcessTraits
    let id: UInt64
    /// 0 when the process is spawned by the node.
    let parentID: UInt64
    /// By the coarse clock.
    let startedAt: UInt64
}

/// What stays as it was at the spawn. Shared by the processes with the same options that one thread
/// has spawned: so it costs an idle process one word, and the count of references to it is not
/// written by all threads.
@usableFromInline
final class ProcessTraits: Sendable {
    /// The node's, or the process's own.
    @usableFromInline let scheduler: Scheduler
    /// The same. Valid as long as `scheduler` refers to it.
    @usableFromInline let unretainedScheduler: Unmanaged<Scheduler>
    let key: TraitsTable.Key
    /// The next ones in the same chain of a ``TraitsTable``.
    let next = TraitsPlace()
    let mailbox: MailboxOptions
    let leftovers: Leftovers
    let groupLeader: Pid?
    let hasOwnThread: Bool
    /// Whether a caller may run the process on its own thread.
    let runsInline: Bool
    /// Whether a simulation is to be asked before something arrives.
    @usableFromInline let isSimulated: Bool
    /// How many messages the process handles before others get a turn. One in a simulation, which
    /// may let others come between any two.
    @usableFromInline let stepBudget: Int
    let stopsOnNormalLink: Bool
    /// A server whose parent started it linked; it obeys its parent's exits although it traps.
    var obeysParent: Bool { key.obeysParent }
    /// What the process runs, for reports.
    let typeName: String
    let isServer: Bool
    /// Reads the children of a supervisor from its state; nil for other processes.
    let childReader: (@Sendable (UnsafeMutableRawPointer) -> [ChildInfo])?

    /// - Parameter scheduler: that of the node.
    init(
        _ key: TraitsTable.Key, options: ProcessOptions, groupLeader: Pid?, type: Any.Type,
        isServer: Bool, on scheduler: Scheduler
    ) {
        let isSimulated = scheduler.simulated != nil
        let hasOwnThread = options.ownThread && !isSimulated
        self.scheduler = hasOwnThread ? scheduler.makeOwnThread() : scheduler
        self.unretainedScheduler = .passUnretained(self.scheduler)
        self.key = key
        self.mailbox = options.mailbox
        self.leftovers = options.leftovers
        self.groupLeader = groupLeader
        self.hasOwnThread = hasOwnThread
        self.runsInline = !options.ownThread && !isSimulated
        self.isSimulated = isSimulated
        self.stepBudget = isSimulated ? 1 : 256
        self.stopsOnNormalLink = options.stopsOnNormalLink
        self.typeName = isServer ? "\(type)" : "closure"
        self.isServer = isServer
        self.childReader = (type as? any SupervisorBehaviour.Type)?.childReader
    }
}

// MARK: - Arrivals

/// What to do with a process, once its lock is released, because something has arrived.
@usableFromInline
enum Arrival: Sendable {
    case none
    case schedule
    case resume(UnsafeContinuation<Void, Never>)

    @inlinable
    func perform(for cell: ProcessCell) {
        switch self {
        case .none: break
        case .schedule: cell.submit()
        case .resume(let continuation): continuation.resume()
        }
    }
}

extension ProcessCore {
    /// Whether a message can be put into the mailbox.
    @usableFromInline
    enum Admission: Sendable {
        case open
        /// Room has to be made first.
        case dropOldest
        case full
        case gone
    }

    /// Whether there is certainly room for a message, and nobody wants to be asked first.
    @inlinable
    var isOpen: Bool {
        accepted &- poppedSeen < UInt64(freeCapacity) && lifecycle.phase != .ended
    }

    @inlinable
    mutating func admission(popped: borrowing Atomic<UInt64>) -> Admission {
        if lifecycle.phase == .ended { return .gone }
        if accepted &- poppedSeen < UInt64(capacity) { return .open }
        return admissionWhenFull(popped: popped)
    }

    /// The slow half of ``admission(popped:)``: looks how many messages were taken meanwhile.
    @usableFromInline
    mutating func admissionWhenFull(popped: borrowing Atomic<UInt64>) -> Admission {
        lookForRoom(popped: popped)
        if accepted &- poppedSeen < UInt64(capacity) { return .open }
        return overflow == .dropOldest ? .dropOldest : .full
    }

    /// Looks how many messages were taken. The places that senders wait for are not for others.
    mutating func lookForRoom(popped: borrowing Atomic<UInt64>) {
        let waiting = relations?.rare?.sendWaiters.count ?? 0
        poppedSeen = popped.load(ordering: .acquiring) &- UInt64(waiting)
    }

    /// How many places are free, those included that senders wait for.
    func room(popped: borrowing Atomic<UInt64>) -> Int {
        Int(capacity) - Int(accepted &- popped.load(ordering: .acquiring))
    }

    /// Something for the process to look at has arrived.
    @inlinable
    mutating func arrived() -> Arrival {
        switch lifecycle.arrived() {
        case .none: .none
        case .schedule: .schedule
        case .resume: takeParked()
        }
    }

    @usableFromInline
    mutating func takeParked() -> Arrival {
        guard let continuation = parked else { return .none }
        parked = nil
        return .resume(continuation)
    }

    mutating func arrival(for wake: Lifecycle.Wake) -> Arrival {
        switch wake {
        case .none: .none
        case .schedule: .schedule
        case .resume: takeParked()
        }
    }
}

extension ProcessCell {
    @usableFromInline
    func submit() {
        withScheduler { $0.submit(self) }
    }

    /// Whether no message waits. Exact if the process itself asks.
    final var hasEmptyMailbox: Bool {
        withCore { $0.accepted == popped.load(ordering: .relaxed) }
    }

    /// Puts a message into the mailbox, and wakes the process if need be.
    @inlinable
    final func put<E: MailboxElement>(_ element: consuming E) -> PutResult {
        // Not in a closure, which would copy the message.
        lock.acquire()
        guard core.isOpen else {
            lock.release()
            return putRarely(element)
        }
        core.queue.append(element)
        core.accepted &+= 1
        let arrival = core.arrived()
        lock.release()
        arrival.perform(for: self)
        return .accepted
    }

    /// The slow half of ``put(_:)``: the mailbox may be full, or a simulation has a say.
    @inlinable
    final func putRarely<E: MailboxElement>(_ element: E) -> PutResult {
        if traits.isSimulated, let verdict = askSimulation(element) { return verdict }
        return putNow(element)
    }

    /// Puts a message into the mailbox if there is room or can be made.
    @inlinable
    final func putNow<E: MailboxElement>(_ element: E) -> PutResult {
        var dropped: E?
        let (result, arrival) = enqueue(element, dropped: &dropped)
        arrival.perform(for: self)
        if let dropped { dropped.wasDropped(by: self) }
        return result
    }

    /// - Returns: what becomes of the message; nil when it is to be put into the mailbox now.
    @usableFromInline
    final func askSimulation<E: MailboxElement>(_ element: E) -> PutResult? {
        guard let simulated = scheduler.simulated else { return nil }
        switch simulated.sent(to: self, naming: { element.typeName }, { self.putLate(element) })
        {
        case .now: return nil
        case .later: return .accepted
        case .full: return .full
        }
    }

    /// A message arrives that was held up. Its sender has been told that it was accepted: so when the
    /// process has ended, it is as if the message had waited in the mailbox then.
    private final func putLate<E: MailboxElement>(_ element: E) {
        switch putNow(element) {
        case .accepted: break
        case .full: element.wasDropped(by: self)
        case .gone:
            let reason = withCore { $0.lifecycle.stopReason } ?? .noProcess
            var queue = MessageQueue()
            queue.append(element)
            withUnsafeMutablePointer(to: &queue) { queue in
                _ = behaviour(self, .discard(queue, reason))
            }
            queue.releaseMemory()
        }
    }

    /// Puts a message into the mailbox.
    ///
    /// - Parameter dropped: the message that was dropped to make room.
    /// - Returns: what became of it, and what to perform once no lock is held.
    @inlinable
    final func enqueue<E: MailboxElement>(
        _ element: E, dropped: inout E?
    ) -> (PutResult, Arrival) {
        withCore { core -> (PutResult, Arrival) in
            switch core.admission(popped: popped) {
            case .open:
                break
            case .dropOldest:
                dropped = core.queue.popFirst(as: E.self)
                // The oldest have been looked at by a selective receive and passed over.
                if dropped == nil { return (.full, .none) }
                popped.store(popped.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
                core.dropped &+= 1
            case .full:
                return (.full, .none)
            case .gone:
                return (.gone, .none)
            }
            core.queue.append(element)
            core.accepted &+= 1
            return (.accepted, core.arrived())
        }
    }

    /// As ``enqueue(_:dropped:)``, while a lock of rank 0 is held.
    @usableFromInline
    final func enqueue<E: MailboxElement>(
        _ element: E, _ delivery: UnsafeMutablePointer<Delivery>
    ) -> PutResult {
        if traits.isSimulated, let verdict = askSimulation(element) { return verdict }
        var dropped: E?
        let (result, arrival) = enqueue(element, dropped: &dropped)
        delivery.pointee.arrival = arrival
        if let dropped { delivery.pointee.afterDrop = { dropped.wasDropped(by: self) } }
        return result
    }

    /// Claims the process for a caller that wants to run it on its own thread. Succeeds only while
    /// nothing waits, so the order of messages is the same as if it had been scheduled.
    @inlinable
    final func claim() -> Bool {
        guard runsInline else { return false }
        return withCore { core in
            guard core.lifecycle.claim() else { return false }
            // As if the call had been in the mailbox.
            core.accepted &+= 1
            popped.store(popped.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
            return true
        }
    }

    /// Notes that this thread runs the process in the place of a caller.
    @usableFromInline
    final func noteClaim() {
        claimThread.store(Platform.threadID, ordering: .relaxed)
    }

    final func noteUnclaimed() {
        claimThread.store(0, ordering: .relaxed)
    }

    /// Whether this thread runs the process in the place of a caller: then blocking the thread would
    /// be waiting for oneself.
    final var isClaimedByThisThread: Bool {
        claimThread.load(ordering: .relaxed) == Platform.threadID
    }

    /// Gives back a process that ``claim()`` has claimed.
    @usableFromInline
    final func unclaim() {
        noteUnclaimed()
        var timerWake = TimerService.Wake.none
        let isBusy = withCore { core in
            core.relations?.rare?.idleTimer?.claimedCallRan()
            if core.lifecycle.stopReason == nil, core.queue.isEmpty,
                !(core.relations?.hasWork ?? false)
            {
                timerWake = core.ranDry()
                return false
            }
            core.lifecycle.yielded()
            return true
        }
        if isBusy { submit() }
        if timerWake != .none { node.timers.perform(timerWake) }
    }
}
