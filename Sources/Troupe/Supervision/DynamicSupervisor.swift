//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A supervisor whose children are started on demand, all in the same way.
///
/// ```swift
/// let rooms = try await node.spawn(
///     DynamicSupervisor<String>.self,
///     DynamicSupervisorSpec { topic in
///         ChildSpec(Room.self, topic, restart: .transient)
///     })
/// let room = try await rooms.startChild("swift")
/// ```
///
/// Children have no ids: they are known by their pids. When the supervisor ends it ends them all at
/// the same time. Each is started again by itself, with the argument that it was started with.
///
/// Where each child is to have a specification of its own, the argument is the specification:
/// `DynamicSupervisor<ChildSpec>` needs no closure.
///
/// - Source: `simple_one_for_one` of OTP's `supervisor`, and Elixir's `DynamicSupervisor`.
public struct DynamicSupervisor<Argument: Sendable>: AsyncGenServer, SupervisorBehaviour {
    /// What the supervisor is asked for; made by the operations on its ``ServerRef``.
    public struct Request: Sendable {
        enum Kind: Sendable {
            case start(Argument, ReplyTo<Result<StartedChild?, SupervisorError>>)
            case terminate(Pid, ReplyTo<Result<Void, SupervisorError>>)
            case children(ReplyTo<[ChildInfo]>)
            case count(ReplyTo<ChildCount>)
        }

        let kind: Kind
    }

    private var state: DynamicSupervisorState
    private let spec: DynamicSupervisorSpec<Argument>
    private var watch: StuckWatch?
    private var alarm = RestartAlarm()

    /// Starts the supervisor without children.
    ///
    /// - Throws: ``SpecInvalid``.
    public init(
        _ spec: DynamicSupervisorSpec<Argument>, process: ServerProcess
    ) async throws {
        try spec.check()
        process.setTrapsExits(true)
        self.spec = spec
        state = DynamicSupervisorState(spec.limit, childLimit: spec.childLimit)
        watch = try StuckWatch.start(spec.stuckAfter, process)
    }

    /// Does what it is asked for.
    public mutating func handleCast(_ message: Request, process: ServerProcess) async throws {
        try await attempt(process)
        switch message.kind {
        case .start(let argument, let replyTo):
            replyTo.reply(try await start(argument, process))
        case .terminate(let pid, let replyTo):
            replyTo.reply(try await terminate(pid, process))
        case .children(let replyTo):
            replyTo.reply(children)
        case .count(let replyTo):
            replyTo.reply(count)
        }
        alarm.set(for: state.nextDue, process)
    }

    /// Takes note of children that have ended.
    public mutating func handleInfo(
        _ message: any Sendable, process: ServerProcess
    ) async throws {
        try await attempt(process)
        switch message {
        case let exit as MessageExit:
            let child = state.number(of: exit.from).flatMap { state[$0] }
            let action = state.exited(
                exit.from, exit.reason, at: process.node.clock.now,
                random: process.node.scheduler.randomFraction())
            if action != .ignore, child?.restart == .permanent || !exit.reason.isClean {
                process.report(.terminated(exit.reason), child: nil, exit.from)
            }
            try await carryOut(action, exit.from, process)
        case is RestartAlarm.Ring: break
        case is StuckWatch.Look:
            let running = state.all.lazy.filter(\.isRunning).map {
                (id: String?.none, pid: $0.child.pid)
            }
            watch?.report(running, process)
        default: process.reportUnhandled(message)
        }
        alarm.set(for: state.nextDue, process)
    }

    /// Ends the children, all at the same time.
    public mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        let endings = state.all.compactMap { _, child, isRunning in
            isRunning
                ? process.beginEnding(
                    child.pid, by: child.shutdown, restart: child.restart,
                    killGrace: spec.killGrace) : nil
        }
        try await ChildEnding.finishAll(endings, process)
    }

    // MARK: - How it is done

    var children: [ChildInfo] {
        state.all.reversed().map { $0.child.info(isRunning: $0.isRunning) }
    }

    private mutating func start(
        _ argument: Argument, _ process: ServerProcess
    ) async throws -> Result<StartedChild?, SupervisorError> {
        guard state.hasRoom else {
            return .failure(.tooManyChildren(limit: max(spec.childLimit ?? 0, 0)))
        }
        let child = spec.child(argument)
        let mistakes = child.mistakes(under: .never)
        if !mistakes.isEmpty { return .failure(.specInvalid(SpecInvalid(mistakes: mistakes))) }
        let kept = child.recovery.mailbox == .keep ? KeptMailbox() : nil
        switch try await startProcess(child, child.leftovers(kept), process) {
        case .success(let started):
            guard let started else { return .success(nil) }
            state.added(child, kept, started.pid, at: process.node.clock.now)
            process.report(.started, child: nil, started.pid)
            return .success(started)
        case .failure(let failure): return .failure(.startFailed(failure))
        }
    }

    private func startProcess(
        _ child: ChildSpec, _ leftovers: Leftovers, _ process: ServerProcess
    ) async throws -> Result<StartedChild?, ChildStartFailure> {
        do {
            return .success(
                try await ChildStarter(process, leftovers: leftovers).start(child.start))
        } catch let error where error.isIgnoredStart {
            return .success(nil)
        } catch {
            if Task.isCancelled { throw CancellationError() }
            return .failure(ChildStartFailure(id: child.id, error: error))
        }
    }

    private mutating func restart(_ number: UInt64, _ process: ServerProcess) async throws {
        guard let again = state[number]?.restarting else { return }
        switch try await startProcess(again.spec, again.leftovers, process) {
        case .success(let started):
            guard let started else { return state.forget(number) }
            state.restarted(number, started.pid, at: process.node.clock.now)
            process.report(.restarted, child: nil, started.pid)
        case .failure(let failure):
            process.report(.startFailed(failure), child: nil, nil)
            state.restartFailed(
                number, at: process.node.clock.now, random: process.node.scheduler.randomFraction())
        }
    }

    private mutating func carryOut(
        _ action: DynamicSupervisorState.ExitAction, _ pid: Pid?, _ process: ServerProcess
    ) async throws {
        switch action {
        case .ignore, .forget, .wait: break
        case .start(let number): try await restart(number, process)
        case .giveUpChild: process.report(.childGivenUp, child: nil, pid)
        case .giveUp:
            process.report(.givenUp, child: nil, pid)
            throw ExitReason.shutdown
        }
    }

    /// Makes the next attempt to start a child again, if it is time: one for each message.
    private mutating func attempt(_ process: ServerProcess) async throws {
        if let action = state.dueAttempt(at: process.node.clock.now) {
            try await carryOut(action, nil, process)
        }
    }

    private mutating func terminate(
        _ pid: Pid, _ process: ServerProcess
    ) async throws -> Result<Void, SupervisorError> {
        guard let number = state.number(of: pid), let child = state[number] else {
            // As in OTP, a process that is gone has been ended.
            return process.node.isAlive(pid) ? .failure(.processNotFound(pid)) : .success(())
        }
        if state.isRunning(number) {
            try await process.end(
                pid, by: child.shutdown, restart: child.restart, killGrace: spec.killGrace)
        }
        state.forget(number)
        return .success(())
    }

    private var count: ChildCount {
        // As in OTP there is one specification, that of all children; Elixir counts the children.
        var count = ChildCount(state.all.map { $0.child.info(isRunning: $0.isRunning) })
        count.specs = 1
        return count
    }
}

extension DynamicSupervisorState.Child {
    fileprivate func info(isRunning: Bool) -> ChildInfo {
        ChildInfo(
            id: nil, status: isRunning ? .running(pid) : .restarting, type: type,
            behaviour: behaviour)
    }
}
