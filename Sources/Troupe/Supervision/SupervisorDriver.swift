//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a supervisor is asked for.
enum SupervisorRequest: Sendable {
    case start(ChildSpec, ReplyTo<Result<StartedChild?, SupervisorError>>)
    case terminate(String, ReplyTo<Result<Void, SupervisorError>>)
    case restart(String, ReplyTo<Result<StartedChild?, SupervisorError>>)
    case delete(String, ReplyTo<Result<Void, SupervisorError>>)
    case find(String, ReplyTo<Result<(ChildSpec, ChildInfo), SupervisorError>>)
    case children(ReplyTo<[ChildInfo]>)
    case change(SupervisorSpec, ReplyTo<Result<Void, SupervisorError>>)
}

/// Carries out what ``SupervisorState`` decides, for the servers that supervise children with ids.
struct SupervisorDriver {
    private var state: SupervisorState
    private var killGrace: Duration
    private var watch: StuckWatch?
    private var alarm = RestartAlarm()

    /// Checks the specification, then starts the children.
    init(_ spec: SupervisorSpec, _ process: some ProcessContext) async throws {
        try spec.check()
        process.setTrapsExits(true)
        state = SupervisorState(spec)
        killGrace = spec.killGrace
        watch = try StuckWatch.start(spec.stuckAfter, process)
        do {
            for child in spec.children {
                if let failure = try await startFirst(child.id, process) {
                    throw ExitReason.shutdown(failure)
                }
            }
            try Task.checkCancellation()
        } catch {
            await rollBack(process)
            throw error
        }
    }

    /// Ends the children that have been started, although this process itself may have been told to
    /// end, which cancels its task.
    private func rollBack(_ process: some ProcessContext) async {
        let children = state.endOrder.compactMap { state[$0] }
        let killGrace = killGrace
        await process.withoutCancellation { process in
            for child in children {
                guard let pid = child.pid else { continue }
                try? await process.end(
                    pid, child: child.spec.id, by: child.spec.shutdown,
                    restart: child.spec.restart, killGrace: killGrace)
            }
        }
    }

    /// The newest first.
    var children: [ChildInfo] { state.order.reversed().compactMap { state[$0]?.info } }

    /// Does what the supervisor is asked for.
    mutating func handle(
        _ request: SupervisorRequest, _ process: some ProcessContext
    ) async throws {
        try await attempt(process)
        switch request {
        case .start(let spec, let replyTo):
            replyTo.reply(try await start(spec, process))
        case .terminate(let id, let replyTo):
            let result = try await terminate(id, process)
            try await startStranded(process)
            replyTo.reply(result)
        case .restart(let id, let replyTo):
            replyTo.reply(try await restart(id, process))
        case .delete(let id, let replyTo):
            replyTo.reply(delete(id))
        case .find(let id, let replyTo):
            replyTo.reply(
                state[id].map { .success(($0.spec, $0.info)) } ?? .failure(.notFound(id)))
        case .children(let replyTo):
            replyTo.reply(children)
        case .change(let spec, let replyTo):
            let result = try change(to: spec, process)
            try await startStranded(process)
            replyTo.reply(result)
        }
        alarm.set(for: state.nextDue, process)
    }

    /// Goes on with what is due, after a message that the supervisor has handled itself.
    mutating func handleTime(_ process: some ProcessContext) async throws {
        try await attempt(process)
        alarm.set(for: state.nextDue, process)
    }

    /// Takes note of children that have ended, and of the time.
    ///
    /// - Returns: false for a message that means nothing to a supervisor.
    mutating func handle(
        _ message: any Sendable, _ process: some ProcessContext
    ) async throws -> Bool {
        try await attempt(process)
        defer { alarm.set(for: state.nextDue, process) }
        switch message {
        case let exit as MessageExit:
            let action = state.exited(
                exit.from, exit.reason, at: process.node.clock.now,
                random: process.node.scheduler.randomFraction())
            try await carryOut(action, exit, process)
        case is RestartAlarm.Ring: break
        case is StuckWatch.Look:
            let running = state.order.compactMap { id in
                state[id]?.pid.map { (id: String?.some(id), pid: $0) }
            }
            watch?.report(running, process)
        default: return false
        }
        return true
    }

    // MARK: - Restarting

    private mutating func carryOut(
        _ action: SupervisorState.ExitAction, _ exit: MessageExit?, _ process: some ProcessContext
    ) async throws {
        if let exit, let id = action.child, action.isFailure(exit.reason) {
            report(.terminated(exit.reason), id, exit.from, process)
        }
        switch action {
        case .ignore, .leave: break
        case .restart(let plan): try await carryOut(plan, process)
        case .giveUpChild(let id):
            report(.childGivenUp, id, exit?.from, process)
            try await startStranded(process)
        case .giveUpLastChild(let id):
            report(.childGivenUp, id, exit?.from, process)
            throw ExitReason.shutdown
        case .giveUp(let id):
            report(.givenUp, id, exit?.from, process)
            throw ExitReason.shutdown
        case .shutDown: throw ExitReason.shutdown
        }
    }

    private mutating func carryOut(
        _ plan: SupervisorState.RestartPlan, _ process: some ProcessContext
    ) async throws {
        for id in plan.ending {
            try await endProcess(id, process)
            state.endedForRestart(id)
        }
        for id in plan.starting {
            if let failure = try await start(id, isRestart: true, process) {
                report(.startFailed(failure), id, nil, process)
                state.restartFailed(
                    id, of: plan, at: process.node.clock.now,
                    random: process.node.scheduler.randomFraction())
                return
            }
        }
    }

    /// Starts those that wait for a child that is not going to be started.
    private mutating func startStranded(_ process: some ProcessContext) async throws {
        // What cannot be started ends a plan, and waits for its own turn from then on.
        while let plan = state.planForStranded { try await carryOut(plan, process) }
    }

    /// Makes the next attempt to start a child again, if it is time.
    ///
    /// One for each message, so that who asks for something meanwhile gets an answer.
    private mutating func attempt(_ process: some ProcessContext) async throws {
        if state.restartingCount == 0 { return }
        if let action = state.dueAttempt(at: process.node.clock.now) {
            try await carryOut(action, nil, process)
        }
    }

    // MARK: - Starting and ending

    /// - Returns: why the child was not started; nil when it was, or there was nothing to start.
    private mutating func start(
        _ id: String, isRestart: Bool, _ process: some ProcessContext
    ) async throws -> ChildStartFailure? {
        switch try await startProcess(id, isRestart: isRestart, process) {
        case .success: return nil
        case .failure(let failure): return failure
        }
    }

    private mutating func startFirst(
        _ id: String, _ process: some ProcessContext
    ) async throws -> ChildStartFailure? {
        let failure = try await start(id, isRestart: false, process)
        if let failure { report(.startFailed(failure), id, nil, process) }
        return failure
    }

    private mutating func startProcess(
        _ id: String, isRestart: Bool, _ process: some ProcessContext
    ) async throws -> Result<StartedChild?, ChildStartFailure> {
        guard let child = state[id] else { return .success(nil) }
        do {
            let starter = ChildStarter(process, leftovers: child.leftovers)
            let started = try await starter.start(child.spec.start)
            state.started(id, started.pid, at: process.node.clock.now)
            report(isRestart ? .restarted : .started, id, started.pid, process)
            return .success(started)
        } catch let error where error.isIgnoredStart {
            state.startIgnored(id)
            return .success(nil)
        } catch {
            // The start was cut short because the supervisor is to end: that is no failure of the
            // child.
            if Task.isCancelled { throw CancellationError() }
            return .failure(ChildStartFailure(id: id, error: error))
        }
    }

    /// Ends the process of a child, if it has one, and waits until it has ended.
    private func endProcess(_ id: String, _ process: some ProcessContext) async throws {
        guard let child = state[id], let pid = child.pid else { return }
        try await process.end(
            pid, child: id, by: child.spec.shutdown, restart: child.spec.restart,
            killGrace: killGrace)
    }

    private mutating func end(_ id: String, _ process: some ProcessContext) async throws {
        try await endProcess(id, process)
        state.ended(id)
    }

    /// Ends the children, the newest first.
    mutating func endAll(_ process: some ProcessContext) async throws {
        for id in state.endOrder { try await end(id, process) }
    }

    // MARK: - What it is asked for

    private mutating func start(
        _ spec: ChildSpec, _ process: some ProcessContext
    ) async throws -> Result<StartedChild?, SupervisorError> {
        let mistakes = spec.mistakes(under: state.autoShutdown)
        if !mistakes.isEmpty { return .failure(.specInvalid(SpecInvalid(mistakes: mistakes))) }
        if let present = state[spec.id] {
            switch present.phase {
            case .running(let pid): return .failure(.alreadyStarted(spec.id, pid))
            case .stopped, .restarting, .awaitingGroup: return .failure(.alreadyPresent(spec.id))
            }
        }
        state.add(spec)
        switch try await startProcess(spec.id, isRestart: false, process) {
        case .success(let child): return .success(child)
        case .failure(let failure):
            state.remove(spec.id)
            return .failure(.startFailed(failure))
        }
    }

    private mutating func terminate(
        _ id: String, _ process: some ProcessContext
    ) async throws -> Result<Void, SupervisorError> {
        if state[id] == nil { return .failure(.notFound(id)) }
        try await end(id, process)
        return .success(())
    }

    private mutating func restart(
        _ id: String, _ process: some ProcessContext
    ) async throws -> Result<StartedChild?, SupervisorError> {
        if let refusal = refusal(unlessStopped: id) { return .failure(refusal) }
        return try await startProcess(id, isRestart: false, process)
            .mapError { .startFailed($0) }
    }

    private mutating func delete(_ id: String) -> Result<Void, SupervisorError> {
        if let refusal = refusal(unlessStopped: id) { return .failure(refusal) }
        state.remove(id)
        return .success(())
    }

    private func refusal(unlessStopped id: String) -> SupervisorError? {
        switch state[id]?.phase {
        case nil: .notFound(id)
        case .running(let pid): .running(id, pid)
        case .restarting: .restarting(id)
        case .stopped, .awaitingGroup: nil
        }
    }

    private mutating func change(
        to spec: SupervisorSpec, _ process: some ProcessContext
    ) throws -> Result<Void, SupervisorError> {
        do throws(SpecInvalid) {
            try spec.check()
        } catch { return .failure(.specInvalid(error)) }
        state.change(to: spec)
        killGrace = spec.killGrace
        try StuckWatch.change(&watch, to: spec.stuckAfter, process)
        return .success(())
    }

    // MARK: - Reporting

    private func report(
        _ occurrence: SupervisorReport.Occurrence, _ id: String, _ pid: Pid?,
        _ process: some ProcessContext
    ) {
        process.report(occurrence, child: id, pid)
    }
}

extension SupervisorState.ExitAction {
    /// The child that has ended.
    fileprivate var child: String? {
        switch self {
        case .ignore: nil
        case .leave(let id), .giveUpChild(let id), .giveUpLastChild(let id), .giveUp(let id),
            .shutDown(let id):
            id
        case .restart(let plan): plan.failed
        }
    }

    /// Whether the end is one that the specification did not expect.
    fileprivate func isFailure(_ reason: ExitReason) -> Bool {
        switch self {
        case .ignore: false
        case .leave, .shutDown: !reason.isClean
        case .restart, .giveUpChild, .giveUpLastChild, .giveUp: true
        }
    }
}

extension SupervisorState.Child {
    fileprivate var info: ChildInfo {
        ChildInfo(id: spec.id, status: status, type: spec.type, behaviour: spec.behaviour)
    }

    private var status: ChildStatus {
        switch phase {
        // As OTP shows both.
        case .stopped, .awaitingGroup: .stopped
        case .running(let pid): .running(pid)
        case .restarting: .restarting
        }
    }
}
