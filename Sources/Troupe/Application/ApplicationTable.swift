//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Which applications of a node are loaded and run, and who waits for what, as a pure state machine.
///
/// Every input returns what is to be done, in order. `Request` is somebody who is answered exactly
/// once.
struct ApplicationTable<Request: Sendable>: Sendable {
    typealias Answer = Result<[String], ApplicationError>

    enum Action: Sendable {
        /// Make the master of this run; it starts the application.
        case startMaster(String, run: UInt64, ApplicationMode)
        /// Tell the master of this run to end, orderly.
        case stopMaster(String, run: UInt64)
        /// Nobody needs the environment of these any more.
        case unloaded([String])
        /// Answer; with the names of what was newly started.
        case answer(Request, Answer)
        case reportStarted(String, run: UInt64)
        case reportExited(ApplicationExit)
        /// An application whose mode asks for it has ended.
        case stopNode
    }

    enum Phase: Sendable, Equatable {
        /// Not started, or stopped. Can transition to: `starting`.
        case loaded
        /// The callbacks run. Can transition to: `running`, `stopping` when it is to stop, `loaded`
        /// when it has failed.
        case starting
        /// Can transition to: `stopping` when it is to stop, `ended` when it has ended by itself.
        case running
        /// Can transition to: `loaded`.
        case stopping
        /// It has ended by itself. Can transition to: `starting`, `loaded` when it is stopped.
        case ended
    }

    /// Somebody who waits until an application has started or stopped.
    private enum Waiter: Sendable {
        /// - wasFirst: whether it was this request that has started it; others are told that it was
        ///   started already, unless they do not mind.
        case start(Request, wasFirst: Bool, ensures: Bool)
        case stop(Request)
        case job(UInt64)
    }

    private struct Entry: Sendable {
        let dependencies: [String]
        /// Those that it includes, directly or not.
        let included: [String]
        var includer: String?
        var phase = Phase.loaded
        var mode = ApplicationMode.temporary
        /// Which of all starts the last one was; also the order of starts.
        var run: UInt64 = 0
        var waiters: [Waiter] = []
        /// Whether the start was completed in this run.
        var hasStarted = false

        var isLive: Bool { phase == .starting || phase == .running || phase == .stopping }
    }

    /// A request that takes several steps.
    private struct Job: Sendable {
        enum Kind: Sendable {
            /// Start these, in this order.
            case startAll(Request, ApplicationMode, remaining: ArraySlice<String>)
            /// Stop these again, in this order, and then say why.
            case rollBack(
                Request, ApplicationError, remaining: ArraySlice<(name: String, run: UInt64)>)
            /// Stop everything, the last that was started first.
            case shutDown([Request])
        }

        var kind: Kind
        /// What it has started, in order, and in which run.
        var started: [(name: String, run: UInt64)] = []
        /// What it has begun to start and waits for.
        var current: String?
    }

    private let node: String
    private var entries: [String: Entry] = [:]
    private var jobs: [UInt64: Job] = [:]
    private var lastRun: UInt64 = 0
    private var lastJob: UInt64 = 0
    /// The node stops: nothing is started any more.
    private(set) var isClosing = false

    init(node: String) {
        self.node = node
    }

    /// What is known of one application.
    func state(of name: String) -> (phase: Phase, mode: ApplicationMode, run: UInt64)? {
        entries[name].map { ($0.phase, $0.mode, $0.run) }
    }

    func includer(of name: String) -> String? { entries[name]?.includer }

    /// The run of the application, if it is this one and has not ended.
    private func isLive(_ name: String, _ run: UInt64) -> Bool {
        entries[name].map { $0.run == run && $0.isLive } ?? false
    }

    // MARK: - Load and unload

    /// What the table needs to know of an application.
    struct Facts: Sendable {
        var name: String
        var dependencies: [String] = []
        /// Those that it includes, directly or not, top-down.
        var included: [Facts] = []
    }

    /// Enters an application, with those that it includes.
    mutating func load(_ facts: Facts) throws(ApplicationError) {
        if let entry = entries[facts.name] {
            if let includer = entry.includer { throw .included(facts.name, in: includer) }
            throw .alreadyLoaded(facts.name)
        }
        for part in facts.included {
            guard let entry = entries[part.name] else { continue }
            if let other = entry.includer {
                throw .includedTwice(part.name, by: other, and: facts.name)
            }
            if entry.isLive { throw .running(part.name) }
            if !entry.included.isEmpty { throw .alreadyLoaded(part.name) }
        }
        entries[facts.name] = Entry(
            dependencies: facts.dependencies, included: facts.included.map(\.name))
        for part in facts.included {
            entries[part.name] = Entry(
                dependencies: part.dependencies, included: [], includer: facts.name)
        }
    }

    mutating func unload(_ name: String, _ request: Request) -> [Action] {
        let entry: Entry
        switch find(name) {
        case .success(let found): entry = found
        case .failure(let error): return [.answer(request, .failure(error))]
        }
        if entry.isLive { return [.answer(request, .failure(.running(name)))] }
        let names = [name] + entry.included
        for name in names { entries[name] = nil }
        return [.unloaded(names), .answer(request, .success([]))]
    }

    private func find(_ name: String) -> Result<Entry, ApplicationError> {
        guard let entry = entries[name] else { return .failure(.notLoaded(name)) }
        if let includer = entry.includer { return .failure(.included(name, in: includer)) }
        return .success(entry)
    }

    // MARK: - Start

    /// Starts an application whose dependencies run.
    ///
    /// - Parameter ensures: whether it is a success when it runs already.
    mutating func start(
        _ name: String, _ mode: ApplicationMode, ensures: Bool, _ request: Request
    ) -> [Action] {
        func waiter(wasFirst: Bool) -> Waiter {
            .start(request, wasFirst: wasFirst, ensures: ensures)
        }
        switch begin(name, mode) {
        case .failure(let error): return [.answer(request, .failure(error))]
        case .success(.isRunning):
            return [
                .answer(request, ensures ? .success([]) : .failure(.alreadyStarted(name)))
            ]
        case .success(.isStarting):
            entries[name]?.waiters.append(waiter(wasFirst: false))
            return []
        case .success(.begun(let action)):
            entries[name]?.waiters.append(waiter(wasFirst: true))
            return [action]
        }
    }

    private enum Beginning {
        case begun(Action)
        case isStarting
        case isRunning
    }

    private mutating func begin(
        _ name: String, _ mode: ApplicationMode
    ) -> Result<Beginning, ApplicationError> {
        if isClosing { return .failure(.nodeStopped(node: node)) }
        var entry: Entry
        switch find(name) {
        case .success(let found): entry = found
        case .failure(let error): return .failure(error)
        }
        switch entry.phase {
        case .running: return .success(.isRunning)
        case .starting: return .success(.isStarting)
        case .stopping: return .failure(.stopping(name))
        case .loaded, .ended: break
        }
        for dependency in entry.dependencies {
            switch entries[dependency]?.phase {
            case .running: continue
            case nil, .loaded: return .failure(.dependencyNotStarted(dependency, of: name))
            case .starting, .stopping, .ended:
                return .failure(.dependencyNotRunning(dependency, of: name))
            }
        }
        lastRun += 1
        entry.phase = .starting
        entry.run = lastRun
        entry.mode = mode
        entry.hasStarted = false
        entries[name] = entry
        return .success(.begun(.startMaster(name, run: lastRun, mode)))
    }

    /// Starts an application and first everything that it needs.
    mutating func startAll(
        _ name: String, _ mode: ApplicationMode, _ request: Request
    ) -> [Action] {
        if isClosing { return [.answer(request, .failure(.nodeStopped(node: node)))] }
        var plan: [String] = []
        var path: [String] = []
        do throws(ApplicationError) {
            try addToPlan(name, &plan, path: &path)
        } catch {
            return [.answer(request, .failure(error))]
        }
        lastJob += 1
        jobs[lastJob] = Job(kind: .startAll(request, mode, remaining: plan[...]))
        return goOn(with: lastJob)
    }

    /// Appends the application to the plan, after what it needs.
    private func addToPlan(
        _ name: String, _ plan: inout [String], path: inout [String]
    ) throws(ApplicationError) {
        if plan.contains(name) { return }
        if let start = path.firstIndex(of: name) { throw .dependencyCycle(Array(path[start...])) }
        let entry = try find(name).get()
        path.append(name)
        for dependency in entry.dependencies { try addToPlan(dependency, &plan, path: &path) }
        path.removeLast()
        plan.append(name)
    }

    // MARK: - Stop

    mutating func stop(_ name: String, _ request: Request) -> [Action] {
        let entry: Entry
        switch find(name) {
        case .success(let found): entry = found
        case .failure(let error): return [.answer(request, .failure(error))]
        }
        switch entry.phase {
        case .loaded: return [.answer(request, .failure(.notStarted(name)))]
        case .ended:
            entries[name]?.phase = .loaded
            return [.answer(request, .success([]))]
        case .starting, .running, .stopping: return stop(name, waiter: .stop(request))
        }
    }

    /// Stops an application that is live.
    private mutating func stop(_ name: String, waiter: Waiter) -> [Action] {
        guard let entry = entries[name] else { return [] }
        entries[name]?.waiters.append(waiter)
        if entry.phase == .stopping { return [] }
        entries[name]?.phase = .stopping
        return [.stopMaster(name, run: entry.run)]
    }

    /// Stops everything, in the reverse order of the starts; from now on nothing is started.
    mutating func shutDown(_ request: Request) -> [Action] {
        isClosing = true
        for (id, job) in jobs {
            if case .shutDown(let requests) = job.kind {
                jobs[id]?.kind = .shutDown(requests + [request])
                return []
            }
        }
        lastJob += 1
        jobs[lastJob] = Job(kind: .shutDown([request]))
        return goOn(with: lastJob)
    }

    // MARK: - What becomes of a run

    /// The start callback and all phases have returned.
    mutating func started(_ name: String, run: UInt64) -> [Action] {
        guard isLive(name, run), entries[name]?.phase == .starting else { return [] }
        entries[name]?.phase = .running
        entries[name]?.hasStarted = true
        let waiters = takeWaiters(of: name)
        return [.reportStarted(name, run: run)]
            + waiters.flatMap { waiter -> [Action] in
                switch waiter {
                case .start(let request, let wasFirst, let ensures):
                    if wasFirst { return [.answer(request, .success([name]))] }
                    return [
                        .answer(request, ensures ? .success([]) : .failure(.alreadyStarted(name)))
                    ]
                // Nobody waits for the stop of what starts.
                case .stop(let request): return [.answer(request, .success([]))]
                case .job(let id): return goOn(with: id)
                }
            }
    }

    /// Nothing of the run is left.
    mutating func ended(_ name: String, run: UInt64, reason: ExitReason) -> [Action] {
        guard isLive(name, run), let entry = entries[name] else { return [] }
        let wasStopped = entry.phase == .stopping
        entries[name]?.phase = wasStopped || !entry.hasStarted ? .loaded : .ended
        var actions: [Action] = []
        if entry.hasStarted {
            actions.append(
                .reportExited(
                    ApplicationExit(
                        application: name, mode: entry.mode, reason: reason,
                        wasStopped: wasStopped)))
        }
        if !wasStopped, !isClosing, entry.mode.stopsNode(after: reason) {
            actions.append(.stopNode)
        }
        for waiter in takeWaiters(of: name) {
            switch waiter {
            case .start(let request, _, _):
                actions.append(.answer(request, .failure(startFailure(name, reason))))
            case .stop(let request): actions.append(.answer(request, .success([])))
            case .job(let id): actions += goOn(with: id, failure: startFailure(name, reason))
            }
        }
        return actions
    }

    private func startFailure(_ name: String, _ reason: ExitReason) -> ApplicationError {
        isClosing ? .nodeStopped(node: node) : .startFailed(name, reason)
    }

    private mutating func takeWaiters(of name: String) -> [Waiter] {
        defer { entries[name]?.waiters = [] }
        return entries[name]?.waiters ?? []
    }

    // MARK: - Jobs

    /// A step of the job is done; takes the next.
    ///
    /// - Parameter failure: why the application that the job waited for has not started.
    private mutating func goOn(with id: UInt64, failure: ApplicationError? = nil) -> [Action] {
        guard let job = jobs[id] else { return [] }
        switch job.kind {
        case .startAll(let request, let mode, let remaining):
            return startNext(id, job, request, mode, remaining, failure)
        case .rollBack(let request, let error, let remaining):
            return stopNext(id, request, error, remaining)
        case .shutDown(let requests):
            let last = entries.filter(\.value.isLive).max { $0.value.run < $1.value.run }
            if let last { return stop(last.key, waiter: .job(id)) }
            jobs[id] = nil
            return requests.map { .answer($0, .success([])) }
        }
    }

    private mutating func startNext(
        _ id: UInt64, _ job: Job, _ request: Request, _ mode: ApplicationMode,
        _ remaining: ArraySlice<String>, _ failure: ApplicationError?
    ) -> [Action] {
        var (job, remaining) = (job, remaining)
        if let name = job.current, failure == nil, let run = entries[name]?.run {
            job.started.append((name, run))
        }
        job.current = nil
        var failure = failure
        while failure == nil, let name = remaining.popFirst() {
            switch begin(name, mode) {
            case .success(.isRunning): continue
            case .success(.isStarting):
                entries[name]?.waiters.append(.job(id))
                job.kind = .startAll(request, mode, remaining: remaining)
                jobs[id] = job
                return []
            case .success(.begun(let action)):
                entries[name]?.waiters.append(.job(id))
                job.current = name
                job.kind = .startAll(request, mode, remaining: remaining)
                jobs[id] = job
                return [action]
            case .failure(let error): failure = error
            }
        }
        guard let failure else {
            jobs[id] = nil
            return [.answer(request, .success(job.started.map(\.name)))]
        }
        return stopNext(id, request, failure, ArraySlice(job.started.reversed()))
    }

    /// Takes back what a failed job has started. A node that stops does that itself.
    private mutating func stopNext(
        _ id: UInt64, _ request: Request, _ error: ApplicationError,
        _ remaining: ArraySlice<(name: String, run: UInt64)>
    ) -> [Action] {
        var remaining = remaining
        while !isClosing, let (name, run) = remaining.popFirst() {
            guard isLive(name, run) else { continue }
            jobs[id] = Job(kind: .rollBack(request, error, remaining: remaining))
            return stop(name, waiter: .job(id))
        }
        jobs[id] = nil
        return [.answer(request, .failure(error))]
    }
}
