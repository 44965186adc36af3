//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The process that an application has its place in: the group leader of all its processes, with its
/// environment, so that they see it.
///
/// It runs no callbacks of the application; the ``ApplicationStarter``, its child, does. So it can
/// always be told something. It watches the starter and the top process, and when one of them ends,
/// or the controller says so, it ends the starter and then what is left.
///
/// - Source: OTP's application master, which is two processes, too.
struct ApplicationMaster: AsyncGenServer {
    struct Argument: Sendable {
        let application: LoadedApplication
        let mode: ApplicationMode
        let run: UInt64
        let controller: ServerRef<ApplicationController>

        var name: String { application.spec.name }
    }

    enum Cast: Sendable {
        /// The start callback has returned this.
        case topStarted(Pid)
        /// The phases have been run.
        case started
        /// A start callback or phase has failed, or the top process has ended.
        case ended(ExitReason)
        case changed(ApplicationConfigurationChange, of: String, ReplyTo<Void>)
    }

    /// How long processes that were killed may take to end before they are left behind.
    static let killGrace = Duration.seconds(5)
    /// How long to wait for room in the mailbox of those who have to be told.
    static let patience = Duration.seconds(1 << 30)

    private let argument: Argument
    private let starter: ServerRef<ApplicationStarter>
    private var top: Pid?
    private var topMonitor: MonitorRef?
    /// Why the application ends.
    private var reason: ExitReason?

    init(_ argument: Argument, process: ServerProcess) async throws {
        self.argument = argument
        process.setTrapsExits(true)
        process.setLabel("application \(argument.name)")
        // Before this process has the environment: the starter shall not inherit it but see it, so
        // that a later change is seen, too.
        starter = try await process.spawnLinked(
            ApplicationStarter.self,
            .init(application: argument.application, mode: argument.mode, master: process.ref),
            options: .init(trapsExits: true, groupLeader: process.pid))
        process.node.applicationStore.adopt(
            process.cell, argument.application.all.map(\.spec.name))
        try await argument.controller.cast(
            .hired(argument.name, argument.run, starter.pid), waitingUpTo: Self.patience)
        try starter.cast(.start)
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .topStarted(let top):
            self.top = top
            topMonitor = process.monitor(top)
            // A process that has ended before gives no reason here. The starter, which is linked to
            // it, is told the real one.
            try? starter.cast(process.node.isAlive(top) ? .runPhases : .topIsGone)
        case .started:
            guard let top else { return }
            try await argument.controller.cast(
                .started(argument.name, argument.run, top: top), waitingUpTo: Self.patience)
        case .ended(let reason):
            self.reason = self.reason ?? reason
        case .changed(let change, let name, let replyTo):
            starter.cast(.changed(change, of: name, replyTo), replyingTo: replyTo.cell)
        }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
        switch message {
        case let down as MessageDown where down.ref == topMonitor:
            if down.reason == .noProcess { return }
            reason = reason ?? down.reason
            // It may be in the middle of a start phase.
            process.exit(starter.pid, .shutdown)
        case let exit as MessageExit where exit.from == starter.pid:
            reason = reason ?? exit.reason
            throw ExitReason.shutdown
        // Somebody who is linked to the master is none of its business.
        case is MessageExit: return
        default: process.reportUnhandled(message)
        }
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        process.exit(starter.pid, .shutdown)
        await process.waitUntilEnded(starter.pid)
        if Task.isCancelled { return }
        // A starter that was killed has not done it.
        if let top { await process.waitUntilEnded(top, for: Self.killGrace) }
        await process.killMembers(of: process.pid)
        try? await argument.controller.cast(
            .ended(argument.name, argument.run, self.reason ?? reason), waitingUpTo: Self.killGrace)
    }
}

/// The process that runs the callbacks of an application, and the parent of its top process.
struct ApplicationStarter: AsyncGenServer {
    struct Argument: Sendable {
        let application: LoadedApplication
        let mode: ApplicationMode
        let master: ServerRef<ApplicationMaster>
    }

    enum Cast: Sendable {
        case start
        case runPhases
        /// The top process had ended before somebody could watch it.
        case topIsGone
        case changed(ApplicationConfigurationChange, of: String, ReplyTo<Void>)
    }

    private let mode: ApplicationMode
    private let master: ServerRef<ApplicationMaster>
    /// The application itself and those that it includes, top-down.
    private var parts: [(spec: ApplicationSpec, application: any Application)]
    private var top: Pid?

    init(_ argument: Argument, process: ServerProcess) async {
        mode = argument.mode
        master = argument.master
        parts = argument.application.all.map { ($0.spec, $0.application) }
        process.setLabel("starter of application \(argument.application.spec.name)")
    }

    private func context(_ part: Int, _ process: ServerProcess) -> ApplicationContext {
        ApplicationContext(process.cell, application: parts[part].spec.name, mode: mode)
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .start:
            do {
                let top = try await parts[0].application.start(process: context(0, process))
                // Its own process and the master, which would wait for themselves.
                if top == process.pid || top == process.groupLeader { throw ExitReason.noProcess }
                self.top = top
                // Usually it is linked. One that has ended is found out about by the master.
                if !process.links.contains(top) { _ = try? process.link(to: top) }
                await tell(.topStarted(top))
            } catch { try await fail(error) }
        case .topIsGone:
            guard let top else { return }
            // As long as there is a link its exit is still to come.
            if !process.links.contains(top) { try await fail(ExitReason.noProcess) }
        case .runPhases:
            do { try await runPhases(process) } catch { try await fail(error) }
            await tell(.started)
        case .changed(let change, let name, let replyTo):
            if let part = parts.firstIndex(where: { $0.spec.name == name }) {
                await parts[part].application.configurationChanged(
                    change, process: context(part, process))
            }
            replyTo.reply(())
        }
    }

    private mutating func runPhases(_ process: ServerProcess) async throws {
        for phase in parts[0].spec.startPhases {
            for part in parts.indices where parts[part].spec.startPhases.contains(phase) {
                try await parts[part].application.startPhase(
                    phase, process: context(part, process))
            }
        }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
        guard let exit = message as? MessageExit else { return process.reportUnhandled(message) }
        // Others that the callbacks have linked to this process may come and go.
        guard exit.from == top else { return }
        try await fail(exit.reason)
    }

    /// The application ends, or does not start, for this reason.
    private func fail(_ error: any Error) async throws {
        await tell(.ended(ExitReason(thrown: error)))
        // The reason is told by the one that it comes from; here it would be reported once more.
        throw ExitReason.shutdown
    }

    private func tell(_ message: ApplicationMaster.Cast) async {
        try? await master.cast(message, waitingUpTo: ApplicationMaster.patience)
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) async {
        guard let leader = process.groupLeader else { return }
        guard let top else { return await process.killMembers(of: leader) }
        await parts[0].application.prepareStop(process: context(0, process))
        if Task.isCancelled { return }
        process.exit(top, .shutdown)
        await process.waitUntilEnded(top)
        if Task.isCancelled { return }
        await process.killMembers(of: leader)
        if Task.isCancelled { return }
        await parts[0].application.stop(process: context(0, process))
    }
}

extension ServerContext {
    /// Waits until a process has ended, whatever is sent to this one; a kill ends the wait.
    fileprivate func waitUntilEnded(_ pid: Pid, for timeout: Duration? = nil) async {
        guard pid != self.pid, case .process(let other) = node.locate(pid) else { return }
        _ = try? await other.exitReason(deadline: cell.deadline(after: timeout))
    }

    /// Kills what is left of a group, the youngest first, and waits until it has ended, but not for
    /// ever: a callback that does not return cannot be ended by anybody.
    fileprivate func killMembers(of leader: Pid) async {
        let deadline = cell.deadline(after: ApplicationMaster.killGrace)
        while cell.scheduler.now < deadline, !Task.isCancelled {
            let members = node.members(of: leader).filter { $0 !== cell }
            if members.isEmpty { return }
            for member in members { exit(member.pid, .kill) }
            for member in members { _ = try? await member.exitReason(deadline: deadline) }
        }
    }
}

extension Node {
    /// The processes with this group leader, the youngest first, as far as the coarse clock tells.
    func members(of leader: Pid) -> [ProcessCell] {
        table.all().filter { $0.traits.groupLeader == leader }
            .sorted { ($0.startedAt, $0.id) > ($1.startedAt, $1.id) }
    }
}
