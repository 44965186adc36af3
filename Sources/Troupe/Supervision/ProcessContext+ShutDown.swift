//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ProcessContext {
    /// Ends a process of this node as a supervisor ends a child, and waits until it has ended.
    ///
    /// The process gets an exit signal from this one: a linked child that is a server obeys it
    /// even if it traps exits, for this is its parent.
    ///
    /// - Parameters:
    ///   - target: whom to end.
    ///   - shutdown: how, and how long it may take.
    ///   - grace: how long a killed process may take to return from its callback, before it is left
    ///     behind as ``ShutdownOutcome/stuck``.
    /// - Returns: how it ended.
    /// - Throws: ``ExitReason`` when this process is told to end while it waits; the target has got
    ///   its signal then.
    /// - Source: `shutdown/1` of OTP's `supervisor`.
    public func shutDown(
        _ target: Pid, by shutdown: Shutdown, killGrace grace: Duration = .seconds(1)
    ) async throws(ExitReason) -> ShutdownOutcome {
        guard let pending = beginShutDown(target, by: shutdown, killGrace: grace) else {
            return .ended(.noProcess)
        }
        return try await pending.finish()
    }

    /// Sends the signal that ends a process.
    ///
    /// - Returns: what to wait for; nil when there is no such process.
    func beginShutDown(
        _ target: Pid, by shutdown: Shutdown, killGrace: Duration
    ) -> PendingShutdown? {
        guard case .process(let process) = node.locate(target) else { return nil }
        return PendingShutdown(of: process, by: cell, shutdown, killGrace)
    }
}

/// A process that has been told to end and may not have ended yet.
struct PendingShutdown {
    let process: ProcessCell
    private let owner: ProcessCell
    private let shutdown: Shutdown
    private let killGrace: Duration
    private let begin: UInt64
    private let end: TypedReplyCell<ExitReason>

    /// - Returns: nil when the process has ended already.
    init?(
        of process: ProcessCell, by owner: ProcessCell, _ shutdown: Shutdown, _ killGrace: Duration
    ) {
        self.process = process
        self.owner = owner
        self.shutdown = shutdown
        self.killGrace = killGrace
        begin = owner.scheduler.now
        end = TypedReplyCell<ExitReason>(callee: process.pid)
        guard process.waitForExit(end) else { return nil }
        process.receive(ExitSignal(kind: .explicit, reason: shutdown.reason), from: owner.pid)
    }

    /// Waits for the end, and enforces it when the time is over.
    func finish() async throws(ExitReason) -> ShutdownOutcome {
        if let reason = try await endInTime() { return .ended(reason) }
        return try await endAfterKill(since: owner.scheduler.now)
    }

    /// When the process is killed if it has not ended.
    private var deadline: UInt64 {
        switch shutdown {
        case .infinity: .max
        case .timeout(let limit): begin.addingSaturated(limit.clampedNanoseconds)
        case .brutalKill: begin
        }
    }

    /// Waits until the process has ended, or has been killed because its time is over.
    ///
    /// - Returns: nil when it has been killed.
    private func endInTime() async throws(ExitReason) -> ExitReason? {
        if shutdown == .brutalKill { return nil }
        if let reason = try await wait(end, until: deadline) { return reason }
        process.receive(ExitSignal(kind: .explicit, reason: .kill), from: owner.pid)
        return nil
    }

    /// Waits for the end of a process that has been killed.
    private func endAfterKill(since killed: UInt64) async throws(ExitReason) -> ShutdownOutcome {
        // As a fresh one: the first has seen its deadline.
        let end = TypedReplyCell<ExitReason>(callee: process.pid)
        guard process.waitForExit(end) else { return .ended(process.finalReason) }
        let deadline = killed.addingSaturated(killGrace.clampedNanoseconds)
        if let reason = try await wait(end, until: deadline) { return .ended(reason) }
        process.abandon()
        return .stuck
    }

    /// - Returns: nil when the deadline came first.
    private func wait(
        _ end: TypedReplyCell<ExitReason>, until deadline: UInt64
    ) async throws(ExitReason) -> ExitReason? {
        await end.wait(deadline: deadline, on: owner.node.scheduler)
        do {
            return try end.take()
        } catch {
            if case .timeout = error { return nil }
            throw owner.finalReason
        }
    }
}

extension PendingShutdown {
    /// Waits for all of them at the same time, each with its own deadline.
    ///
    /// - Returns: how each has ended, in the order given.
    static func finishAll(
        _ all: [PendingShutdown]
    ) async throws(ExitReason) -> [ShutdownOutcome] {
        var outcomes: [ShutdownOutcome?] = Array(repeating: nil, count: all.count)
        // The earliest deadline first: then nobody is killed late because another takes its time.
        let order = all.indices.sorted { all[$0].deadline < all[$1].deadline }
        for index in order where all[index].shutdown != .infinity {
            outcomes[index] = try await all[index].endInTime().map { .ended($0) }
        }
        let killed = all.first.map { $0.owner.scheduler.now } ?? 0
        for index in order where all[index].shutdown != .infinity && outcomes[index] == nil {
            outcomes[index] = try await all[index].endAfterKill(since: killed)
        }
        for index in order where all[index].shutdown == .infinity {
            outcomes[index] = try await all[index].finish()
        }
        return outcomes.compactMap { $0 }
    }
}

extension ProcessContext {
    /// Runs `body` on a task that is not cancelled when this process is told to end.
    func withoutCancellation(_ body: @escaping @Sendable (ChildStarter) async -> Void) async {
        let isDone = ReplyCell(callee: pid)
        cell.borrowRunner { cell, _ in
            await body(ChildStarter(ProcessHandle(cell)))
            isDone.succeed()
        }
        await isDone.wait(deadline: .max, on: node.scheduler, isCancellable: false)
    }
}

extension ProcessCell {
    /// Whether the process is to end, if it has not ended.
    var isToldToEnd: Bool { withCore { $0.lifecycle.stopReason != nil } }

    /// Why the process has ended, or is to end.
    fileprivate var finalReason: ExitReason {
        withCore { $0.lifecycle.stopReason } ?? .shutdown
    }
}
