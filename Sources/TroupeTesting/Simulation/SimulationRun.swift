//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Troupe

/// One run of a simulation: chooses what happens next until the body is over or something is wrong.
///
/// All but escapes happens on one thread. Decisions come from ``Decisions``, so that the same ones
/// make the same run.
final class SimulationRun: SimulationDirector, Sendable {
    fileprivate struct State: Sendable {
        var decisions: Decisions
        var recorder = TraceRecorder()
        var step = 0
        var stepsSinceProgress = 0
        /// Who took the last steps, in a ring.
        var lastActors = [SimulatedActor](repeating: .body, count: 8)
        var failure: SimulationFailure.Cause?
        var invariants: [(name: String, check: @Sendable () -> Bool)] = []
        var nodes: [Node] = []
        var processes: [Pid: Known] = [:]
        /// How often each fault may still happen.
        var faultsLeft: [Int]
        var faultCount = 0
        var spawnCount = 0
        /// Who stands still, and until when.
        var hung: [SimulatedActor: UInt64] = [:]
        var settlers: [CheckedContinuation<Void, Never>] = []
        var isBodyOver = false
        var isOver = false
    }

    /// What is known of a process.
    fileprivate struct Known: Sendable {
        let behaviour: String
        let hasParent: Bool
        /// Which faults it is a target of.
        let targetOf: [Bool]
    }

    /// A leaf: may be taken with a lock of the library held.
    private let state: Lock<State>
    private let options: SimulationOptions
    /// Whether a trace is written; that takes several times as long as the rest.
    private let isTracing: Bool
    let scheduler = SimulatedScheduler()

    init(_ decisions: Decisions, _ options: SimulationOptions, isTracing: Bool) {
        self.options = options
        self.isTracing = isTracing
        self.state = Lock(
            State(decisions: decisions, faultsLeft: options.faults.map(\.limit)))
        scheduler.director = self
    }

    // MARK: - The body's side

    func makeNode(
        _ name: String, _ environment: Environment, _ processCountMax: Int, _ events: any EventSink
    ) throws(NodeError) -> Node {
        let creation = state.withLock { UInt32($0.nodes.count) + 1 }
        let node = try Node(
            name: name,
            options: NodeOptions(
                creation: creation, environment: environment,
                events: EventHandler(.all) { [weak self] event in
                    self?.note(event)
                    if events.kinds.contains(event.kind) { events.receive(event) }
                },
                scheduler: scheduler, processCountMax: processCountMax))
        state.withLock { state in
            state.nodes.append(node)
            state.recorder.add(node: name)
        }
        return node
    }

    func add(invariant name: String, _ check: @escaping @Sendable () -> Bool) {
        state.withLock { $0.invariants.append((name, check)) }
    }

    func say(_ text: String) {
        let actor = scheduler.running ?? .body
        record { $0.add(.note, from: actor, text) }
    }

    var trace: SimulationTrace { state.withLock { $0.recorder.finished } }

    func number(below bound: Int) -> Int {
        state.withLock { $0.decisions.number(below: bound) }
    }

    /// Waits until nothing can happen without time passing.
    func settle() async {
        scheduler.taskWaits()
        await withCheckedContinuation { continuation in
            state.withLock { $0.settlers.append(continuation) }
        }
    }

    /// The user's body is over; faults are, too.
    func bodyReturned(_ problem: SimulationFailure.Cause?) {
        state.withLock { $0.isBodyOver = true }
        if let problem { fail(problem) }
    }

    /// Stops the nodes and looks at what is left.
    func finish() async {
        let nodes = state.withLock { $0.nodes }
        if options.detectors.contains(.survivors) {
            let survivors = nodes.flatMap(\.processes).filter { pid in
                !(state.withLock { $0.processes[pid]?.hasParent } ?? false)
            }
            if !survivors.isEmpty { return fail(.leak(survivors.map(name(of:)))) }
        }
        for node in nodes.reversed() { await node.stop() }
        guard options.detectors.contains(.leaks) else { return }
        var left: [String] = []
        for node in nodes {
            left += node.processes.map(name(of:))
            left += node.registered.map { "name \"\($0.name)\"" }
            if node.aliasCount > 0 { left.append("\(node.aliasCount) aliases") }
        }
        let timerCount = scheduler.timerCount
        if timerCount > 0 { left.append("\(timerCount) timers") }
        if !left.isEmpty { fail(.leak(left)) }
    }

    /// The task of the body is about to end.
    func end() {
        state.withLock { $0.isOver = true }
        scheduler.taskWaits()
    }

    // MARK: - The simulation's side

    func fail(_ cause: SimulationFailure.Cause) {
        state.withLock { state in
            if state.failure == nil { state.failure = cause }
        }
    }

    /// What one wants to know of a run that is over.
    struct Outcome: Sendable {
        let failure: SimulationFailure.Cause?
        let decisions: [Decisions.Decision]
        let trace: SimulationTrace
        let steps: Int
        let faultCount: Int
        let spawnCount: Int
    }

    /// Runs until the body is over or something is wrong.
    func drive(cancellingBody cancel: () -> Void) -> Outcome {
        scheduler.begin()
        while state.withLock({ $0.failure == nil && !$0.isOver }) {
            step(scheduler)
        }
        let outcome = state.withLock { state in
            Outcome(
                failure: state.failure, decisions: state.decisions.made,
                trace: state.recorder.finished, steps: state.step, faultCount: state.faultCount,
                spawnCount: state.spawnCount)
        }
        windDown(scheduler, outcome.failure == nil ? {} : cancel)
        return outcome
    }

    /// Lets go of what would be left in memory: tasks that wait, processes that go on.
    private func windDown(_ scheduler: SimulatedScheduler, _ cancel: () -> Void) {
        let (nodes, settlers) = state.withLock { state in
            defer { state.settlers = [] }
            state.isBodyOver = true
            return (state.nodes, state.settlers)
        }
        cancel()
        for settler in settlers { settler.resume() }
        for node in nodes {
            for pid in node.processes { node.forceKill(pid) }
        }
        var steps = 0
        for _ in 0..<2 {
            while !scheduler.choices.isEmpty, steps < 100_000 {
                scheduler.run(0)
                steps += 1
            }
            scheduler.releaseRunners()
        }
    }

    private func step(_ scheduler: SimulatedScheduler) {
        let choices = possible(scheduler)
        if choices.isEmpty { return rest(scheduler) }
        let (index, fault) = state.withLock { state -> (Int, StepFault?) in
            state.step += 1
            let actors = choices.map(\.choice.actor)
            let next = state.decisions.next(among: actors, at: state.step)
            let chosen = choices[next].choice
            let fault = stepFault(at: chosen, &state)
            if isTracing {
                // Who stands still takes what made it go on later.
                let isTaken = if case .hang = fault { false } else { true }
                state.recorder.begin(
                    chosen, at: state.step, now: time(scheduler), isTaken: isTaken)
            }
            state.lastActors[state.step % state.lastActors.count] = chosen.actor
            return (next, fault)
        }
        let choice = choices[index]
        let actor = choice.choice.actor
        switch fault {
        case .kill(let pid):
            record { $0.add(.fault, from: actor, "killed") }
            node(of: pid)?.forceKill(pid)
        case .hang(let duration):
            record { recorder in
                let text = SimulationTrace.text(duration)
                recorder.add(.fault, from: actor, "stands still for \(text)")
            }
            let end = scheduler.deadline(after: duration)
            state.withLock { $0.hung[actor] = end }
            return
        case .late(let duration):
            record { recorder in
                let text = SimulationTrace.text(duration)
                recorder.add(.fault, from: actor, "a timer is late by \(text)")
            }
            return scheduler.postponeTimer(choice.index, by: duration)
        case nil:
            break
        }
        if case .arrival(let receiver) = choice.choice.kind {
            record { $0.add(.arrival, from: actor, to: receiver, "") }
        }
        scheduler.run(choice.index)
        check()
    }

    /// What can happen next, but for those who stand still.
    private func possible(
        _ scheduler: SimulatedScheduler
    ) -> [(index: Int, choice: SimulatedChoice)] {
        let now = scheduler.clock
        let hung = state.withLock { state in
            if !state.hung.isEmpty { state.hung = state.hung.filter { $0.value > now } }
            return state.hung
        }
        var possible: [(index: Int, choice: SimulatedChoice)] = []
        for (index, choice) in scheduler.choices.enumerated() where hung[choice.actor] == nil {
            possible.append((index, choice))
        }
        return possible
    }

    /// Nothing can happen now: time passes, or nothing will ever happen.
    private func rest(_ scheduler: SimulatedScheduler) {
        if let suspect = scheduler.suspects.first {
            return fail(
                .escape(
                    by: state.withLock { $0.recorder.name(of: suspect) },
                    "it waits for something that is not part of it"))
        }
        let settlers = state.withLock { state in
            defer { state.settlers = [] }
            return state.settlers
        }
        if !settlers.isEmpty {
            for settler in settlers { settler.resume() }
            return
        }
        let woken = state.withLock { $0.hung.values.min() }
        guard let next = [scheduler.nextDeadline, woken].compactMap({ $0 }).min() else {
            return fail(
                options.detectors.contains(.deadlock)
                    ? .deadlock(waits()) : .deadlock(["(looking for deadlocks is switched off)"]))
        }
        let hasMoved = next > scheduler.clock
        scheduler.setClock(to: next)
        state.withLock { state in
            if hasMoved { state.stepsSinceProgress = 0 }
            state.recorder.now = time(scheduler)
        }
    }

    /// After a step.
    private func check() {
        let (invariants, limit) = state.withLock {
            state -> ([(String, @Sendable () -> Bool)], SimulationFailure.Cause?) in
            state.stepsSinceProgress += 1
            if state.stepsSinceProgress > options.livelockSteps,
                options.detectors.contains(.livelock)
            {
                let names = state.lastActors.map { state.recorder.name(of: $0) }
                return ([], .livelock(steps: options.livelockSteps, names))
            }
            if state.step >= options.stepMax { return ([], .tooManySteps(options.stepMax)) }
            return (state.invariants.map { ($0.name, $0.check) }, nil)
        }
        if let limit { return fail(limit) }
        for (name, check) in invariants where !check() { return fail(.invariant(name)) }
    }

    /// Who waits for what.
    private func waits() -> [String] {
        var lines: [String] = []
        for node in state.withLock({ $0.nodes }) {
            for pid in node.processes {
                guard let info = node.info(pid) else { continue }
                for wait in info.waitsOn {
                    switch wait {
                    case .reply(let callee):
                        lines.append("\(name(of: pid)) waits for a reply of \(name(of: callee))")
                    case .room(let other):
                        lines.append("\(name(of: pid)) waits for room at \(name(of: other))")
                    case .sleep: break
                    @unknown default: break
                    }
                }
                if info.behaviour == "closure", info.waitsOn.isEmpty,
                    info.activity == .waiting
                {
                    lines.append("\(name(of: pid)) waits for a message")
                }
            }
        }
        return lines
    }

    // MARK: - Faults

    private enum StepFault {
        case kill(Pid)
        case hang(Duration)
        case late(Duration)
    }

    private func stepFault(at choice: SimulatedChoice, _ state: inout State) -> StepFault? {
        if state.isBodyOver { return nil }
        for (index, fault) in options.faults.enumerated() where state.faultsLeft[index] > 0 {
            switch (fault.kind, choice.actor) {
            case (.killAtStep(let step), .process(let pid))
            where step == state.step && state.isTarget(pid, of: index):
                state.happened(index)
                return .kill(pid)
            case (.kill(let probability), .process(let pid))
            where state.isTarget(pid, of: index):
                guard state.decisions.happens(probability: probability) else { break }
                state.happened(index)
                return .kill(pid)
            case (.hang(let probability, let duration), .process(let pid))
            where state.isTarget(pid, of: index):
                guard state.decisions.happens(probability: probability) else { break }
                state.happened(index)
                return .hang(duration)
            case (.lateTimer(let probability, let delay), .timers) where choice.kind == .timer:
                guard state.decisions.happens(probability: probability) else { break }
                state.happened(index)
                return .late(delay)
            default:
                break
            }
        }
        return nil
    }

    func fate(of sending: SimulatedSending, naming name: () -> String) -> SimulatedFate {
        let name = isTracing ? name() : ""
        return state.withLock { state in
            let kind: SimulationTrace.Entry.Kind = sending.kind == .message ? .message : .signal
            var fate = SimulatedFate.now
            if !state.isBodyOver, sending.kind != .order {
                for (index, fault) in options.faults.enumerated()
                where state.faultsLeft[index] > 0 && state.isTarget(sending.to, of: index) {
                    switch fault.kind {
                    // What one sends oneself is not on its way.
                    case .delay(let probability)
                    where fate == .now && sending.from != .process(sending.to):
                        if state.decisions.happens(probability: probability) {
                            state.happened(index)
                            fate = .later
                        }
                    case .fillMailbox(let probability)
                    where fate == .now && sending.kind == .message && !sending.isSureOfRoom:
                        if state.decisions.happens(probability: probability) {
                            state.happened(index)
                            fate = .full
                        }
                    default:
                        break
                    }
                }
            }
            guard isTracing else { return fate }
            state.recorder.now = time(scheduler)
            state.recorder.add(kind, from: sending.from, to: .process(sending.to), name)
            switch fate {
            case .now: break
            case .later: state.recorder.add(.fault, from: sending.from, "the last one is held up")
            case .full: state.recorder.add(.fault, from: sending.from, "the mailbox is full")
            }
            return fate
        }
    }

    func initFailure(of pid: Pid, behaviour: String) -> (any Error)? {
        state.withLock { state in
            if state.isBodyOver { return nil }
            for (index, fault) in options.faults.enumerated()
            where state.faultsLeft[index] > 0 && state.isTarget(pid, of: index) {
                guard case .failInit(let probability, let error) = fault.kind,
                    state.decisions.happens(probability: probability)
                else { continue }
                state.happened(index)
                if isTracing { state.recorder.add(.fault, from: .process(pid), "init fails") }
                return error
            }
            return nil
        }
    }

    func resumed(_ actor: SimulatedActor, by waker: SimulatedActor) {
        record { $0.addResumption(of: actor, by: waker) }
    }

    func escaped(_ process: Pid?, by what: String) {
        fail(.escape(by: process.map(name(of:)) ?? "somebody", what))
    }

    // MARK: - What happens on the nodes

    private func note(_ event: Event) {
        switch event {
        case .spawned(let pid, let behaviour):
            let info = node(of: pid)?.info(pid)
            let target = SimulationFault.Target(
                pid: pid, behaviour: behaviour, names: info?.names ?? [])
            let targetOf = options.faults.map { $0.isWanted(target) }
            let actor = scheduler.running ?? .body
            state.withLock { state in
                state.spawnCount += 1
                state.processes[pid] = Known(
                    behaviour: behaviour, hasParent: info?.parent != nil, targetOf: targetOf)
                state.recorder.name(pid, behaviour: behaviour, registered: target.names.first)
                guard isTracing else { return }
                let name = state.recorder.name(of: .process(pid))
                state.recorder.add(.spawn, from: actor, name)
            }
        case .exited(let pid, let reason):
            if isTracing { record { $0.add(.exit, from: .process(pid), "\(reason)") } }
        case .messageDropped(let pid, let policy, _):
            lost("\(name(of: pid)): its mailbox was full (policy \(policy))")
        case .leftoversDropped(let pid, let count):
            lost("\(count) unread messages of \(name(of: pid))")
        case .undelivered(let failure, let type):
            lost("\(type) of a timer: \(failure)")
        case .abandonedAtStop(let pid, _):
            if options.detectors.contains(.leaks) {
                fail(.leak(["\(name(of: pid)), which does not end"]))
            }
        default:
            break
        }
    }

    private func lost(_ what: String) {
        let isBodyOver = state.withLock { $0.isBodyOver }
        if !isBodyOver, options.detectors.contains(.messageLoss) { fail(.messageLoss(what)) }
    }

    private func record(_ body: (inout TraceRecorder) -> Void) {
        guard isTracing else { return }
        state.withLock { state in
            state.recorder.now = time(scheduler)
            body(&state.recorder)
        }
    }

    private func time(_ scheduler: SimulatedScheduler) -> Duration {
        .nanoseconds(Int64(scheduler.clock - SimulatedScheduler.beginning))
    }

    private func name(of pid: Pid) -> String {
        state.withLock { $0.recorder.name(of: .process(pid)) }
    }

    private func node(of pid: Pid) -> Node? {
        state.withLock { $0.nodes.first { $0.name == pid.node && $0.creation == pid.creation } }
    }
}

extension SimulationRun.State {
    fileprivate func isTarget(_ pid: Pid, of fault: Int) -> Bool {
        processes[pid]?.targetOf[fault] ?? false
    }

    fileprivate mutating func happened(_ fault: Int) {
        faultsLeft[fault] -= 1
        faultCount += 1
    }
}

extension SimulatedSending {
    /// Whether the receiver may rely on it that there is room. It sends itself something, or has something
    /// sent by a timer, so as not to wait for ever; and where nothing waits, nothing else will wake it.
    fileprivate var isSureOfRoom: Bool {
        findsEmptyMailbox && (from == .timers || from == .process(to))
    }
}
