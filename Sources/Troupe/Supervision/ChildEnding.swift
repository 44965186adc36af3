//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A child that has been told to end; whoever did that waits for it and reports what went wrong.
struct ChildEnding {
    private let id: String?
    private let shutdown: Shutdown
    private let restart: Restart
    private let pending: PendingShutdown

    init(_ id: String?, _ shutdown: Shutdown, _ restart: Restart, _ pending: PendingShutdown) {
        self.id = id
        self.shutdown = shutdown
        self.restart = restart
        self.pending = pending
    }

    /// Waits until it has ended, and reports if that was not as expected.
    func finish(_ process: some ProcessContext) async throws(ExitReason) {
        report(try await pending.finish(), process)
    }

    /// Waits for all of them at the same time, each with its own deadline.
    static func finishAll(
        _ all: [ChildEnding], _ process: some ProcessContext
    ) async throws(ExitReason) {
        let outcomes = try await PendingShutdown.finishAll(all.map(\.pending))
        for (ending, outcome) in zip(all, outcomes) { ending.report(outcome, process) }
    }

    private func report(_ outcome: ShutdownOutcome, _ process: some ProcessContext) {
        let info = outcome == .stuck ? pending.process.info : nil
        guard let failure = outcome.failure(shutdown, restart, info) else { return }
        process.report(failure, child: id, pending.process.pid)
    }
}

extension ProcessContext {
    /// Tells a child to end.
    ///
    /// - Returns: what to wait for; nil when it has ended already.
    func beginEnding(
        _ pid: Pid, child id: String? = nil, by shutdown: Shutdown,
        restart: Restart = .permanent, killGrace: Duration = .seconds(1)
    ) -> ChildEnding? {
        beginShutDown(pid, by: shutdown, killGrace: killGrace).map {
            ChildEnding(id, shutdown, restart, $0)
        }
    }

    /// Ends a child, and waits until it has ended.
    func end(
        _ pid: Pid, child id: String? = nil, by shutdown: Shutdown,
        restart: Restart = .permanent, killGrace: Duration = .seconds(1)
    ) async throws(ExitReason) {
        let ending = beginEnding(
            pid, child: id, by: shutdown, restart: restart, killGrace: killGrace)
        try await ending?.finish(self)
    }

    /// Reports what has become of a child of this process.
    func report(_ occurrence: SupervisorReport.Occurrence, child: String?, _ childPid: Pid?) {
        node.emit(occurrence.isProgress ? .progress : .supervisorReport) {
            .supervisor(
                SupervisorReport(
                    supervisor: pid, names: names, child: child, pid: childPid,
                    occurrence: occurrence))
        }
    }
}

extension Error {
    /// Whether a start function says that there is nothing to start.
    var isIgnoredStart: Bool {
        self is IgnoreStart || (self as? SpawnError) == .ignored
    }
}

extension ShutdownOutcome {
    /// What there is to report of ending a child.
    ///
    /// - Parameter info: what is known of a child that is stuck.
    func failure(
        _ shutdown: Shutdown, _ restart: Restart, _ info: ProcessSnapshot?
    ) -> SupervisorReport.Occurrence? {
        switch self {
        case .stuck:
            info.map { $0.stuck(for: $0.activityAge) }
        case .ended(let reason):
            switch (shutdown, reason) {
            case (.brutalKill, .killed), (_, .shutdown), (_, .noProcess): nil
            // Of a permanent child nothing but `shutdown` is expected, as in OTP.
            case (_, .normal), (_, .shutdownWith):
                restart == .permanent ? .shutdownFailed(reason) : nil
            default: .shutdownFailed(reason)
            }
        }
    }
}

extension ProcessSnapshot {
    /// What is reported of it when it does not come back from a message.
    func stuck(for duration: Duration) -> SupervisorReport.Occurrence {
        var message: MessageKind?
        if case .handling(let kind) = activity { message = kind }
        return .stuck(
            StuckChild(
                duration: duration, behaviour: behaviour, message: message,
                messageType: messageType))
    }
}
