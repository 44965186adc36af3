//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Who does something in a simulation.
package enum SimulatedActor: Hashable, Sendable {
    /// The body of the simulation, which is no process.
    case body
    /// The clock, which lets timers fire.
    case timers
    case process(Pid)
    /// A task that somebody has started; they are numbered as they first come up.
    case task(Int)
}

/// One of the things that a simulation can do next.
package struct SimulatedChoice: Sendable {
    package enum Kind: Sendable, Hashable {
        /// A process takes its turn.
        case turn
        /// Something that waited goes on.
        case resumption
        /// The first of the timers that are due fires.
        case timer
        /// Something that was held up arrives.
        case arrival(at: SimulatedActor)
    }

    package let actor: SimulatedActor
    package let kind: Kind
}

/// What becomes of something that is sent in a simulation.
package enum SimulatedFate: Sendable {
    /// It arrives at once.
    case now
    /// It arrives after what its sender has sent to the same receiver before.
    case later
    /// It is refused as if the mailbox were full.
    case full
}

/// Something that is sent in a simulation.
package struct SimulatedSending: Sendable {
    package enum Kind: Sendable, Hashable { case message, signal, order }

    package let from: SimulatedActor
    package let to: Pid
    package let kind: Kind
    /// Whether it is a message, and nothing waits in the mailbox that it is for.
    package let findsEmptyMailbox: Bool
}

/// Decides what is not decided by the order of steps, and is told what happens. All is called
/// possibly with a lock of rank 0 held, so nothing here may call the library.
package protocol SimulationDirector: AnyObject, Sendable {
    /// - Parameter name: the type of the message, or the reason; takes time to find out.
    /// - Returns: what becomes of it. For a signal `full` counts as `now`, for an order there is no
    ///   choice.
    func fate(of sending: SimulatedSending, naming name: () -> String) -> SimulatedFate
    /// - Returns: with which error `init` of a process fails before it has begun; nil when it runs.
    func initFailure(of pid: Pid, behaviour: String) -> (any Error)?
    /// Somebody who waited can go on because of what `waker` has done.
    func resumed(_ actor: SimulatedActor, by waker: SimulatedActor)
    /// Something has come from another thread.
    ///
    /// - Parameter process: on whose behalf, if that can be told.
    func escaped(_ process: Pid?, by what: String)
}

/// The scheduler of a simulation: no threads, a clock that somebody sets, and everything that could
/// happen next in a list from which somebody chooses.
///
/// The order of the list is that of ``SimulatedAgenda``.
package final class SimulatedScheduler: Scheduler, @unchecked Sendable {
    // Unchecked: `state` has its lock, the rest is constant.

    fileprivate enum Work {
        case process(ProcessCell)
        case job(UnownedJob)
        /// What lets a task go on that has yielded.
        case yield(UnownedJob)
        case timer
        case arrival(Pair)
    }

    fileprivate struct Pair: Hashable {
        let from: SimulatedActor
        let to: Pid
    }

    fileprivate struct State: @unchecked Sendable {
        // Unchecked: only reachable through the lock.

        var agenda = SimulatedAgenda<Work>()
        /// Timers that have been taken out of the wheel; the first is in the agenda.
        var due: [any TimerTarget] = []
        /// What is held up, in order; the first of each pair is in the agenda.
        var held: [Pair: [() -> Void]] = [:]
        /// The tasks that are known, by the number of their jobs.
        var owners: [String: SimulatedActor] = [:]
        var taskCount = 0
        var running: SimulatedActor?
        /// For whom the next job is that comes.
        var handsOverTo: SimulatedActor?
        var caughtJob: (job: UnownedJob, owner: SimulatedActor)?
        /// Whose task is about to go on after it has yielded.
        var yielder: SimulatedActor?
        /// Whether the running task has said that it waits in an operation of the library.
        var waitIsKnown = false
        /// Those whose task waits for something else, as far as can be seen.
        var suspects: [SimulatedActor] = []
        /// How many tasks that belong to nobody wait in an operation of the library.
        var waitingTasks: Set<Int> = []
        var now: UInt64
        var readsOfClock = 0
        var spread: UInt64 = 1
        /// The simulation's thread; 0 before it has begun.
        var thread: UInt = 0
    }

    /// How the job describes itself that a task leaves in its place when it yields. It is no task's,
    /// and does nothing but to queue that task again.
    private static let yieldName = "ExecutorJob(id: nil)"

    /// Weak, because it holds nodes, which hold their scheduler.
    private final class DirectorPlace: @unchecked Sendable {
        // Unchecked: set once, before the simulation begins.
        weak var director: (any SimulationDirector)?
    }

    private let state: Lock<State>
    private let directorPlace = DirectorPlace()

    /// Where the clock begins: not at zero, so that one can look back.
    package static let beginning: UInt64 = 3_600_000_000_000

    package init() {
        self.state = Lock(State(now: Self.beginning))
        super.init(timers: TimerService(drivenFrom: Self.beginning))
    }

    override var simulated: SimulatedScheduler? { self }

    /// Who is asked and told. Once it is gone everything goes its way, and nothing runs any more.
    package var director: (any SimulationDirector)? {
        get { directorPlace.director }
        set { directorPlace.director = newValue }
    }

    package override var threadCount: Int { 1 }

    override var isCurrent: Bool { isOnThread }

    override var mayBlockHere: Bool { !isOnThread }

    private var isOnThread: Bool { state.withLock { $0.thread } == Platform.threadID }

    // MARK: - The clock

    /// A handler that waits for time to pass in a loop would wait for ever: so a clock that is read
    /// very often within one step moves by itself.
    package override var now: UInt64 {
        state.withLock { state in
            state.readsOfClock += 1
            if state.readsOfClock > 1_000 { state.now += 1_000 }
            return state.now
        }
    }

    override var coarseNow: UInt64 { now }

    /// The same numbers in every run: they only spread delays, so they are no decisions of their own.
    override func randomFraction() -> Double {
        state.withLock { state in
            state.spread = state.spread &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state.spread >> 11) / Double(1 << 53)
        }
    }

    /// What the clock shows, for those who drive it.
    package var clock: UInt64 { state.withLock { $0.now } }

    /// Waits until the clock has moved on by so much.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    package func sleep(for span: Duration) async throws {
        let deadline = deadline(after: span)
        if deadline > clock {
            let alarm = ReplyCell(callee: Pid(node: "simulation", id: 0, creation: 1))
            await alarm.wait(deadline: deadline, on: self)
        }
        try Task.checkCancellation()
    }

    /// When the next timer is due; nil when none is armed.
    package var nextDeadline: UInt64? { timers.nextDeadline() }

    /// Moves the clock. What is due then can fire.
    package func setClock(to instant: UInt64) {
        let due = timers.takeDue(at: instant)
        state.withLock { state in
            state.now = max(state.now, instant)
            if state.due.isEmpty, !due.isEmpty { state.announceTimer() }
            state.due += due
        }
    }

    // MARK: - What can run

    override func submit(_ cell: ProcessCell) {
        noteForeigner("a message or signal")
        let actor = SimulatedActor.process(cell.pid)
        state.withLock { state in
            state.agenda.insert(SimulatedChoice(actor: actor, kind: .turn), .process(cell))
        }
    }

    package override func enqueue(_ job: consuming ExecutorJob) {
        let name = job.description
        let job = UnownedJob(job)
        let isOnThread = isOnThread
        // Before somebody can run it: the simulation may be over as soon as that is done.
        if !isOnThread { tellOfEscape(name) }
        let (actor, waker) = state.withLock { state in
            if isOnThread, name == Self.yieldName, let running = state.running {
                state.agenda.insert(
                    SimulatedChoice(actor: running, kind: .resumption), .yield(job))
                return (running, SimulatedActor?.none)
            }
            let actor = state.owner(of: name)
            let waker = state.running
            state.suspects.removeAll { $0 == actor }
            if case .task(let number) = actor { state.waitingTasks.remove(number) }
            if isOnThread, state.handsOverTo != nil || state.yielder == actor,
                state.caughtJob == nil
            {
                state.handsOverTo = nil
                state.yielder = nil
                state.caughtJob = (job, actor)
                return (actor, SimulatedActor?.none)
            }
            state.agenda.insert(SimulatedChoice(actor: actor, kind: .resumption), .job(job))
            return (actor, waker)
        }
        if let waker, waker != actor { director?.resumed(actor, by: waker) }
    }

    /// A job has come from a thread that is not the simulation's, while that runs.
    private func tellOfEscape(_ name: String) {
        let actor = state.withLock { $0.thread != 0 ? $0.owner(of: name) : nil }
        guard let actor else { return }
        if case .process(let pid) = actor {
            director?.escaped(pid, by: "it was resumed from another thread")
        } else {
            director?.escaped(CurrentProcess.origin, by: "a task came from another thread")
        }
    }

    override func handOver(to process: ProcessCell, _ resume: () -> Void) {
        state.withLock { $0.handsOverTo = .process(process.pid) }
        resume()
        state.withLock { $0.handsOverTo = nil }
    }

    override func willSuspend() {
        state.withLock { state in
            state.waitIsKnown = true
            if case .task(let number) = state.running { state.waitingTasks.insert(number) }
        }
    }

    /// The task that is made while `body` runs is that of the simulation's body.
    package func withBodyTask<Result>(_ body: () -> Result) -> Result {
        state.withLock { $0.handsOverTo = .body }
        defer { state.withLock { $0.handsOverTo = nil } }
        return body()
    }

    /// To be called by a task that is about to wait for the simulation itself, or to end.
    package func taskWaits() { willSuspend() }

    /// How many timers are armed, or due.
    package var timerCount: Int { timers.count + state.withLock { $0.due.count } }

    /// Starts a thread that is good for driving a simulation.
    package static func startThread(_ body: @escaping @Sendable () -> Void) {
        // `init`s nest on it without a limit.
        Platform.startThread(name: "simulation", stackSizeInBytes: 64 << 20, body)
    }

    /// From now on what happens on other threads is an escape.
    package func begin() {
        state.withLock { $0.thread = Platform.threadID }
    }

    /// Everything that can happen next.
    package var choices: [SimulatedChoice] { state.withLock { $0.agenda.choices() } }

    /// Who does what is done now.
    package var running: SimulatedActor? { state.withLock { $0.running } }

    /// Whose task waits for something that the simulation knows nothing of. A task that waits for
    /// its own child tasks is one of them only when none of those waits within the simulation.
    package var suspects: [SimulatedActor] {
        state.withLock { $0.waitingTasks.isEmpty ? $0.suspects : [] }
    }

    /// Does one of the ``choices``. Those before it have been passed over, and come after the others
    /// from now on.
    package func run(_ index: Int) {
        let (choice, work) = state.withLock { state in
            let next = state.agenda.take(index)
            state.running = next.0.actor
            state.readsOfClock = 0
            state.waitIsKnown = false
            return next
        }
        switch work {
        case .process(let cell):
            _ = cell.behaviour(cell, .step)
        case .job(let job):
            run(job, of: choice.actor)
        case .yield(let job):
            state.withLock { $0.yielder = choice.actor }
            run(job, of: choice.actor)
            state.withLock { $0.yielder = nil }
        case .timer:
            takeTimer()?.timerFired()
        case .arrival(let pair):
            takeHeld(pair)?()
        }
        while let (job, owner) = state.withLock({ $0.caughtJob.take() }) {
            state.withLock { state in
                state.running = owner
                state.waitIsKnown = false
            }
            run(job, of: owner)
        }
        state.withLock { $0.running = nil }
    }

    /// Puts the timer that is one of the ``choices`` off.
    package func postponeTimer(_ index: Int, by span: Duration) {
        _ = state.withLock { $0.agenda.take(index) }
        guard let timer = takeTimer() else { return }
        // At least by a moment, or it would be due again at once.
        let later = max(1, span.clampedNanoseconds)
        _ = timers.schedule(at: clock.addingSaturated(later), timer)
    }

    private func run(_ job: UnownedJob, of owner: SimulatedActor) {
        let count = state.withLock { $0.agenda.insertionCount }
        job.runSynchronously(on: asUnownedTaskExecutor())
        state.withLock { state in
            guard !state.waitIsKnown else { return }
            // Not queued again, nothing said: it is over, or waits elsewhere.
            let isQueued =
                state.caughtJob?.owner == owner || state.agenda.hasNew(of: owner, since: count)
            switch owner {
            case .body, .process: if !isQueued { state.suspects.append(owner) }
            case .timers, .task: break
            }
        }
    }

    private func takeTimer() -> (any TimerTarget)? {
        state.withLock { state in
            if state.due.isEmpty { return nil }
            if state.due.count > 1 { state.announceTimer() }
            return state.due.removeFirst()
        }
    }

    private func takeHeld(_ pair: Pair) -> (() -> Void)? {
        state.withLock { state in
            guard var held = state.held[pair], !held.isEmpty else { return nil }
            let first = held.removeFirst()
            state.held[pair] = held.isEmpty ? nil : held
            if !held.isEmpty { state.announce(pair) }
            return first
        }
    }

    /// Lets the tasks go that wait for processes.
    package func releaseRunners() { runners.removeAll() }

    // MARK: - Sending

    /// A message is about to be put into the mailbox of `cell`.
    func sent(
        to cell: ProcessCell, naming name: () -> String, _ deliver: @escaping () -> Void
    ) -> SimulatedFate {
        noteForeigner("a message")
        return fate(
            .message, to: cell.pid, findsEmptyMailbox: cell.hasEmptyMailbox, name, deliver)
    }

    /// A signal is about to reach `cell`.
    func signalled(
        _ cell: ProcessCell, naming name: () -> String, isOrder: Bool,
        _ deliver: @escaping () -> Void
    ) -> SimulatedFate {
        noteForeigner("a signal")
        return fate(isOrder ? .order : .signal, to: cell.pid, name, deliver)
    }

    private func fate(
        _ kind: SimulatedSending.Kind, to target: Pid, findsEmptyMailbox: Bool = false,
        _ name: () -> String, _ deliver: @escaping () -> Void
    ) -> SimulatedFate {
        let from = running ?? .body
        let pair = Pair(from: from, to: target)
        let sending = SimulatedSending(
            from: from, to: target, kind: kind, findsEmptyMailbox: findsEmptyMailbox)
        guard let fate = director?.fate(of: sending, naming: name) else { return .now }
        return state.withLock { state in
            // Within a pair nothing overtakes.
            guard kind != .order, fate == .later || state.held[pair] != nil else { return fate }
            if fate == .full { return .full }
            if state.held[pair] == nil { state.announce(pair) }
            state.held[pair, default: []].append(deliver)
            return .later
        }
    }

    func initFailure(of cell: ProcessCell) -> (any Error)? {
        director?.initFailure(of: cell.pid, behaviour: cell.traits.typeName)
    }

    private func noteForeigner(_ what: String) {
        let thread = state.withLock { $0.thread }
        guard thread != 0, thread != Platform.threadID else { return }
        director?.escaped(CurrentProcess.origin, by: "\(what) came from another thread")
    }
}

extension SimulatedScheduler.State {
    fileprivate mutating func announceTimer() {
        agenda.insert(SimulatedChoice(actor: .timers, kind: .timer), .timer)
    }

    fileprivate mutating func announce(_ pair: SimulatedScheduler.Pair) {
        agenda.insert(
            SimulatedChoice(actor: pair.from, kind: .arrival(at: .process(pair.to))),
            .arrival(pair))
    }

    /// Whose job this is. A job that was never seen belongs to a task that is new.
    fileprivate mutating func owner(of job: String) -> SimulatedActor {
        if let new = handsOverTo {
            owners[job] = new
            return new
        }
        if let known = owners[job] { return known }
        taskCount += 1
        owners[job] = .task(taskCount)
        return .task(taskCount)
    }
}

extension ProcessCell {
    /// A simulation may let `init` fail.
    @usableFromInline
    final func failIfSimulated() throws {
        guard traits.isSimulated, let simulated = scheduler.simulated else { return }
        if let failure = simulated.initFailure(of: self) { throw failure }
    }
}

extension Node {
    /// How many aliases are active.
    package var aliasCount: Int { aliases.count }

    /// Kills a process at once, whatever a simulation holds up.
    package func forceKill(_ target: Pid) {
        guard case .process(let cell) = locate(target) else { return }
        cell.receiveNow(ExitSignal(kind: .explicit, reason: .kill), from: pid(id: 0))
    }
}
