//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The process that knows which applications of a node are loaded and run; the driver of
/// ``ApplicationTable``.
///
/// It never waits for an application: the masters do.
///
/// - Source: OTP's `application_controller`.
struct ApplicationController: AsyncGenServer {
    typealias Table = ApplicationTable<ReplyTo<ApplicationAnswer>>

    enum Cast: Sendable {
        case load(LoadedApplication, ReplyTo<ApplicationAnswer>)
        case unload(String, ReplyTo<ApplicationAnswer>)
        case start(String, ApplicationMode, ensures: Bool, ReplyTo<ApplicationAnswer>)
        case startAll(String, ApplicationMode, ReplyTo<ApplicationAnswer>)
        case stop(String, ReplyTo<ApplicationAnswer>)
        case shutDown(ReplyTo<ApplicationAnswer>)
        case list(ReplyTo<[ApplicationSnapshot]>)
        case change(String, Environment, ReplyTo<ApplicationAnswer>)
        // What the masters say.
        case hired(String, UInt64, Pid)
        case started(String, UInt64, top: Pid)
        case ended(String, UInt64, ExitReason)
    }

    /// The processes of an application that has been started.
    private struct Run: Sendable {
        let number: UInt64
        let master: ServerRef<ApplicationMaster>
        var isMasterAlive = true
        /// Nil before it is known, and when it has ended.
        var starter: MonitorRef?
        var top: Pid?
        /// What the master has said; nil when it was killed.
        var reason: ExitReason?
        var exit: ExitReason?
    }

    private var table: Table
    private var loaded: [String: LoadedApplication] = [:]
    private var runs: [String: Run] = [:]

    init(_: Void, process: ServerProcess) async {
        table = Table(node: process.node.name)
        process.setTrapsExits(true)
        process.setLabel("application controller")
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async {
        switch message {
        case .load(let application, let replyTo):
            replyTo.reply(load(application, process))
        case .unload(let name, let replyTo):
            await perform(table.unload(name, replyTo), process)
        case .start(let name, let mode, let ensures, let replyTo):
            await perform(table.start(name, mode, ensures: ensures, replyTo), process)
        case .startAll(let name, let mode, let replyTo):
            await perform(table.startAll(name, mode, replyTo), process)
        case .stop(let name, let replyTo):
            await perform(table.stop(name, replyTo), process)
        case .shutDown(let replyTo):
            await perform(table.shutDown(replyTo), process)
        case .list(let replyTo):
            replyTo.reply(loaded.keys.sorted().compactMap { snapshot($0) })
        case .change(let name, let environment, let replyTo):
            await change(name, environment, replyTo, process)
        case .hired(let name, let number, let starter):
            if runs[name]?.number == number { runs[name]?.starter = process.monitor(starter) }
        case .started(let name, let number, let top):
            if runs[name]?.number == number { runs[name]?.top = top }
            await perform(table.started(name, run: number), process)
        case .ended(let name, let number, let reason):
            if runs[name]?.number == number { runs[name]?.reason = reason }
        }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async {
        switch message {
        case let exit as MessageExit:
            guard let name = runs.first(where: { $0.value.master.pid == exit.from })?.key else {
                return
            }
            runs[name]?.isMasterAlive = false
            runs[name]?.exit = exit.reason
            await finish(name, process)
        case let down as MessageDown:
            guard let name = runs.first(where: { $0.value.starter == down.ref })?.key else {
                return
            }
            runs[name]?.starter = nil
            await finish(name, process)
        default: process.reportUnhandled(message)
        }
    }

    /// The run is over when both of its processes have ended.
    private mutating func finish(_ name: String, _ process: ServerProcess) async {
        guard let run = runs[name], !run.isMasterAlive, run.starter == nil else { return }
        runs[name] = nil
        process.node.applicationStore.dismiss(run.master.pid)
        if run.reason == nil {
            // Its master could not see to it.
            for member in process.node.members(of: run.master.pid) {
                process.exit(member.pid, .kill)
            }
        }
        let reason = run.reason ?? run.exit ?? .killed
        await perform(table.ended(name, run: run.number, reason: reason), process)
    }

    private mutating func perform(_ actions: [Table.Action], _ process: ServerProcess) async {
        var actions = actions[...]
        while let action = actions.popFirst() {
            switch action {
            case .startMaster(let name, let number, let mode):
                if let reason = await startMaster(name, number, mode, process) {
                    actions = table.ended(name, run: number, reason: reason) + actions
                }
            case .stopMaster(let name, let number):
                guard let run = runs[name], run.number == number else { continue }
                process.exit(run.master.pid, .shutdown)
            case .unloaded(let names):
                for name in names { loaded[name] = nil }
                process.node.applicationStore.changeEnvironments { environments in
                    for name in names { environments.unload(name) }
                }
            case .answer(let replyTo, let answer):
                replyTo.reply(answer)
            case .reportStarted(let name, let number):
                guard let run = runs[name], run.number == number else { continue }
                process.node.emit(.applicationStarted) {
                    .applicationStarted(name, master: run.master.pid)
                }
            case .reportExited(let exit):
                process.node.emit(.applicationExited) { .applicationExited(exit) }
            case .stopNode:
                let node = process.node
                // Not here: the node waits for this process, too.
                Task.detached(executorPreference: node.scheduler) { await node.stop() }
            }
        }
    }

    /// - Returns: why there is no master, when there is none.
    private mutating func startMaster(
        _ name: String, _ number: UInt64, _ mode: ApplicationMode, _ process: ServerProcess
    ) async -> ExitReason? {
        guard let application = loaded[name] else { return .noProcess }
        do {
            let master = try await process.spawnLinked(
                ApplicationMaster.self,
                .init(
                    application: application, mode: mode, run: number, controller: process.ref))
            runs[name] = Run(number: number, master: master)
            return nil
        } catch { return .error(error) }
    }

    private mutating func load(
        _ application: LoadedApplication, _ process: ServerProcess
    ) -> ApplicationAnswer {
        do throws(ApplicationError) {
            try table.load(
                .init(
                    name: application.spec.name, dependencies: application.spec.dependencies,
                    included: application.included.map {
                        .init(name: $0.spec.name, dependencies: $0.spec.dependencies)
                    }))
        } catch { return .failure(error) }
        for part in application.all { loaded[part.spec.name] = part }
        loaded[application.spec.name] = application
        process.node.applicationStore.changeEnvironments { environments in
            for part in application.all {
                environments.load(part.spec.name, part.spec.environment)
            }
        }
        return .success([])
    }

    /// Changes an environment, and tells the application if it runs.
    private func change(
        _ name: String, _ environment: Environment, _ replyTo: ReplyTo<ApplicationAnswer>,
        _ process: ServerProcess
    ) async {
        guard loaded[name] != nil else {
            replyTo.reply(.failure(.notLoaded(name)))
            return
        }
        let (old, new) = process.node.applicationStore.changeEnvironments { environments in
            environments.replace(name, with: environment)
        }
        // Values are compared by user code, so without the lock.
        let change = old.changes(to: new)
        let owner = table.includer(of: name) ?? name
        guard !change.isEmpty, table.state(of: owner)?.phase == .running, let run = runs[owner]
        else {
            replyTo.reply(.success([]))
            return
        }
        let reply = TypedReplyCell<Void>(callee: run.master.pid)
        reply.observe(ChangeForwarder(reply, replyTo), token: 0)
        run.master.cast(.changed(change, of: name, ReplyTo(reply)), replyingTo: reply)
    }

    private func snapshot(_ name: String) -> ApplicationSnapshot? {
        guard let spec = loaded[name]?.spec, let state = table.state(of: name) else { return nil }
        let run = runs[name]
        return ApplicationSnapshot(
            name: name, description: spec.description, version: spec.version,
            state: ApplicationState(state.phase), mode: state.run == 0 ? nil : state.mode,
            master: run?.master.pid, top: run?.top, includer: table.includer(of: name))
    }
}

/// What the controller answers: the names of what was newly started, where that was asked for.
typealias ApplicationAnswer = Result<[String], ApplicationError>

/// Answers whoever has changed a configuration when it is known what has come of telling it.
private final class ChangeForwarder: ReplyObserver {
    private let reply: TypedReplyCell<Void>
    private let replyTo: ReplyTo<ApplicationAnswer>

    init(_ reply: TypedReplyCell<Void>, _ replyTo: ReplyTo<ApplicationAnswer>) {
        self.reply = reply
        self.replyTo = replyTo
    }

    func replyArrived(token: Int) {
        do throws(CallError) {
            try reply.take()
            replyTo.reply(.success([]))
        } catch {
            switch error {
            // The application has ended; the next start sees what was changed.
            case .exited, .noProcess: replyTo.reply(.success([]))
            default: replyTo.reply(.failure(.unavailable(error)))
            }
        }
    }
}

extension ApplicationState {
    fileprivate init<Request>(_ phase: ApplicationTable<Request>.Phase) {
        self =
            switch phase {
            case .loaded: .loaded
            case .starting: .starting
            case .running: .running
            case .stopping: .stopping
            case .ended: .ended
            }
    }
}
