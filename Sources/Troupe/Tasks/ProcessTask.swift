//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A process that computes one value for another: its owner, who has started it with
/// ``ProcessContext/async(options:linked:_:)``.
///
/// ```swift
/// let task = try process.async { child in try await fetch(page) }
/// …
/// let text = try await task.value()
/// ```
///
/// The owner takes the outcome once, with ``value(timeout:)``, ``yield(upTo:)``,
/// ``shutdown(_:)``, or as a message with ``ProcessContext/requestOutcome(of:)``. Nothing of the task
/// is in the owner's mailbox then: when the outcome is there the process has ended, and neither its
/// EXIT nor anything else of it comes any more.
///
/// - Source: Elixir's `Task`.
public struct ProcessTask<Value: Sendable>: Sendable {
    let process: ProcessCell
    let owner: ProcessCell
    let outcome: OutcomeCell<Value>
    /// Completed when the process has ended and has told everybody else.
    let end: TypedReplyCell<ExitReason>

    /// The pid of the task.
    public var pid: Pid { process.pid }

    /// The pid of the process that has started the task and may wait for it.
    public var ownerPid: Pid { owner.pid }

    /// Whether the task has ended, so that waiting returns at once.
    public var hasEnded: Bool { end.isDone }

    /// Waits for the value and takes it.
    ///
    /// - Parameter timeout: how long to wait at most; 5 s unless you say otherwise, nil for as long
    ///   as it takes.
    /// - Returns: what the body has returned.
    /// - Throws: ``TaskError`` — `.exited(_)` when the task has ended without a value; `.timeout`,
    ///   after which the task goes on; `.notOwner`; `.cycle` when the task waits for its owner;
    ///   `.cancelled` when the owner has been told to end. The failure of a linked task tells its
    ///   owner to end, unless that traps exits.
    /// - Note: After a timeout Elixir's `Task.await/2` does not take the outcome any more; here you
    ///   can wait again.
    /// - Source: Elixir's `Task.await/2`.
    public func value(timeout: Duration? = .seconds(5)) async throws(TaskError) -> Value {
        guard let outcome = try await take(upTo: timeout) else { throw .timeout(pid) }
        do throws(ExitReason) { return try outcome.get() } catch { throw .exited(error) }
    }

    /// Waits for the outcome, but takes it only when it is there in time.
    ///
    /// - Parameter timeout: how long to wait at most; zero looks whether the task has ended.
    /// - Returns: the value, or the reason with which the task has ended; nil when it goes on.
    /// - Throws: ``TaskError`` — `.notOwner`, `.cycle`, `.cancelled`.
    /// - Source: Elixir's `Task.yield/2`.
    public func yield(
        upTo timeout: Duration = .seconds(5)
    ) async throws(TaskError) -> Result<Value, ExitReason>? {
        try await take(upTo: timeout)
    }

    /// Ends the task and waits until it has ended. Its link is removed first, so the owner is not
    /// told otherwise.
    ///
    /// As every exit, it takes effect when the body returns or waits in an operation of this
    /// library; a body that does neither, and does not heed its cancellation, is waited for.
    ///
    /// - Parameter manner: how it is told.
    /// - Returns: nil when the task ended because of this. The value, when its body had returned; the
    ///   reason, when it has ended with another one, `.killed` among them when it had to be killed
    ///   after the timeout.
    /// - Throws: ``TaskError`` — `.notOwner`; `.cancelled` when the owner has been told to end: then
    ///   the task is killed at once.
    /// - Source: Elixir's `Task.shutdown/2`.
    @discardableResult
    public func shutdown(
        _ manner: Shutdown = .timeout(.seconds(5))
    ) async throws(TaskError) -> Result<Value, ExitReason>? {
        try checkOwner()
        if outcome.isClaimed { return .failure(.noProcess) }
        detach()
        if !end.isDone { tell(manner.reason) }
        owner.beginWait(.call(end))
        defer { owner.endWaiting(for: end) }
        var limit: Duration? = nil
        if case .timeout(let duration) = manner { limit = duration }
        do {
            if try await !waitForEnd(upTo: limit) {
                tell(.kill)
                _ = try await waitForEnd(upTo: nil)
            }
        } catch {
            tell(.kill)
            throw error
        }
        return manner.answer(takeOutcome() ?? .failure(.noProcess))
    }
}

extension ProcessTask: Hashable, CustomStringConvertible {
    /// Whether both are the same task.
    public static func == (left: ProcessTask, right: ProcessTask) -> Bool {
        left.process === right.process
    }

    /// Hashes the identity of the task.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(process)) }

    /// The type of the value and the pid.
    public var description: String { "ProcessTask<\(Value.self)>\(pid)" }
}

// MARK: - How it is done

/// Where the body of a task leaves its value; the driver of ``OutcomeSlot``.
final class OutcomeCell<Value: Sendable>: Sendable {
    /// A leaf lock.
    private let slot = Lock(OutcomeSlot<Value>())

    func bodyReturned(_ value: Value) { slot.withLock { $0.bodyReturned(value) } }
    func claim() -> Bool { slot.withLock { $0.claimed() } }
    func handOver(_ reason: ExitReason) -> Result<Value, ExitReason> {
        slot.withLock { $0.handedOver(reason) }
    }

    var isClaimed: Bool { slot.withLock { $0.isClaimed } }
    var hasValue: Bool { slot.withLock { $0.hasValue } }
}

extension ProcessTask {
    func checkOwner() throws(TaskError) {
        guard CurrentProcess.cell === owner else { throw .notOwner(owner.pid) }
    }

    /// The outcome, if it is there in time.
    private func take(upTo timeout: Duration?) async throws(TaskError) -> Result<Value, ExitReason>?
    {
        try checkOwner()
        if outcome.isClaimed { return .failure(.noProcess) }
        if !end.isDone, let cycle = owner.beginWaiting(for: end, at: process) {
            throw .cycle(cycle)
        }
        defer { owner.endWaiting(for: end) }
        guard try await waitForEnd(upTo: timeout) else { return nil }
        detach()
        return takeOutcome() ?? .failure(.noProcess)
    }

    /// Waits until the task has ended.
    ///
    /// - Returns: false when it has not in time.
    private func waitForEnd(upTo timeout: Duration?) async throws(TaskError) -> Bool {
        let inbox = ReplyInbox()
        end.observe(inbox, token: 0)
        defer { end.stopTelling(inbox) }
        return try await owner.waitForTask(inbox, by: owner.deadline(after: timeout)) != nil
    }

    /// The outcome of a task that has ended; nil when it has been taken before.
    func takeOutcome() -> Result<Value, ExitReason>? {
        guard outcome.claim() else { return nil }
        return handOver()
    }

    /// As ``takeOutcome()``, for those who want the value.
    func takeValue() throws(TaskError) -> Value {
        do throws(ExitReason) {
            return try (takeOutcome() ?? .failure(.noProcess)).get()
        } catch { throw .exited(error) }
    }

    /// Whether there is nothing to wait for.
    var isSettled: Bool { end.isDone || outcome.isClaimed }

    /// The outcome of a task that has ended, for whoever has claimed it.
    func handOver() -> Result<Value, ExitReason> {
        outcome.handOver((try? end.take()) ?? .noProcess)
    }

    /// Removes the link between owner and task, if there is one, and the EXIT that has come over it.
    func detach() {
        owner.detach([pid])
    }

    private func tell(_ reason: ExitReason) {
        process.receive(ExitSignal(kind: .explicit, reason: reason), from: owner.pid)
    }

    /// Ends the task without waiting, whether it traps exits or not, and forgets it.
    func dismiss() {
        detach()
        process.receive(ExitSignal(kind: .order, reason: .shutdown), from: nil)
    }
}

extension ProcessCell {
    /// Removes the links with these processes, and what has come over them.
    func detach(_ pids: Set<Pid>) {
        for pid in pids { unlink(from: pid) }
        _ = withCore { core in core.relations?.signals.removeLinkExits(from: pids) }
        forgetLinkExits(from: pids)
    }

    /// Waits, as the owner of tasks, until one of those has ended that `inbox` is told of.
    ///
    /// - Returns: its token; nil when none has ended in time.
    func waitForTask(_ inbox: ReplyInbox, by deadline: UInt64) async throws(TaskError) -> Int? {
        let token: Int?
        do { token = try await inbox.next(deadline: deadline, on: node) } catch { throw .cancelled }
        // The signal of a link comes before the end is known: so an owner that does not trap exits
        // always finds that it has to end, and never the reason of its task.
        if withCore({ $0.lifecycle.interruption }) != nil { throw .cancelled }
        return token
    }
}

extension Node {
    /// Starts the process of a task.
    ///
    /// - Parameters:
    ///   - parent: whom it is the child of, and linked to if the bond says so.
    ///   - owner: who may take the outcome.
    func startTask<Value: Sendable>(
        _ options: ProcessOptions, parent: ProcessCell, bond: Bond, owner: ProcessCell,
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) throws(SpawnError) -> ProcessTask<Value> {
        let outcome = OutcomeCell<Value>()
        let cell = ClosureCell(
            seed: try makeSeed(
                options, Process.self, isServer: false, parent: parent, bond: bond),
            body: { process in
                let value = try await body(process)
                // Told to end meanwhile: then the body may have returned early, and it does not
                // count.
                if process.cell.withCore({ $0.lifecycle.stopReason == nil }) {
                    outcome.bodyReturned(value)
                }
                return value
            }, result: ResultCell())
        _ = try launch(cell, options, parent: parent, bond: bond)
        let end = TypedReplyCell<ExitReason>(callee: cell.pid)
        // Before the body runs, so that the process cannot have ended.
        _ = cell.waitForExit(end)
        let callers = [owner.pid] + owner.callers.prefix(ProcessCell.callersMax - 1)
        cell.withCore { $0.makeRelations().makeRare().callers = callers }
        cell.startBody()
        return ProcessTask(process: cell, owner: owner, outcome: outcome, end: end)
    }
}

extension ProcessCell {
    /// How many callers a task knows: a task that starts a task, and so on, must not cost more and
    /// more.
    static var callersMax: Int { 64 }

    var callers: [Pid] { withCore { $0.relations?.rare?.callers ?? [] } }
}

extension Shutdown {
    /// What the owner is told of the outcome of a task that it has shut down.
    ///
    /// - Returns: nil when the task ended because of the shutdown.
    func answer<Value>(_ outcome: Result<Value, ExitReason>) -> Result<Value, ExitReason>? {
        switch (self, outcome) {
        case (.timeout, .failure(.shutdown)), (.infinity, .failure(.shutdown)),
            (.brutalKill, .failure(.killed)):
            nil
        case (_, .success), (_, .failure): outcome
        }
    }
}
