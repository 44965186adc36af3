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
        return try await pending.finish().outcome
    }

    /// Sends the signal that ends a process.
    ///
    /// - Returns: what to wait for; nil when there is no such process.
    func beginShutDown(
        _ target: Pid, by shutdown: Shutdown, killGrace: Duration
    ) -> PendingShutdown? {
        guard case .process(let process) = node.locate(target) else { return nil }
        return PendingShutdown(of: process, by: cell, shutdown, killGrace: killGrace)
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
        of process: ProcessCell, by owner: ProcessCell, _ shutdown: Shutdown,
        killGrace: Duration
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
    ///
    /// - Returns: how it ended, and what was seen of a process that is stuck.
    func finish() async throws(ExitReason) -> (outcome: ShutdownOutcome, seen: ProcessSnapshot?) {
        switch shutdown {
        case .infinity:
            if let reason = try await wait(end, until: .max) { return (.ended(reason), nil) }
        case .timeout(let limit):
            let deadline = begin.addingSaturated(limit.clampedNanoseconds)
            if let reason = try await wait(end, until: deadline) { return (.ended(reason), nil) }
            process.receive(ExitSignal(kind: .explicit, reason: .kill), from: owner.pid)
        case .brutalKill: break
        }
        let killed = TypedReplyCell<ExitReason>(callee: process.pid)
        // As a fresh one: the first has seen its deadline.
        guard process.waitForExit(killed) else {
            return (.ended(process.finalReason), nil)
        }
        let deadline = owner.scheduler.now.addingSaturated(killGrace.clampedNanoseconds)
        if let reason = try await wait(killed, until: deadline) { return (.ended(reason), nil) }
        let seen = process.infoIfAlive
        process.abandon()
        return (.stuck, seen)
    }

    /// - Returns: nil when the deadline came first.
    private func wait(
        _ end: TypedReplyCell<ExitReason>, until deadline: UInt64
    ) async throws(ExitReason) -> ExitReason? {
        await end.wait(deadline: deadline, timers: owner.node.timers)
        do {
            return try end.take()
        } catch {
            if case .timeout = error { return nil }
            throw owner.finalReason
        }
    }
}

extension ProcessCell {
    /// Why the process has ended, or is to end.
    fileprivate var finalReason: ExitReason {
        core.withLock { $0.lifecycle.stopReason } ?? .shutdown
    }
}
