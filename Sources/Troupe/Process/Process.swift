//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A closure process's view of itself: OTP's `spawn` and `receive`.
///
/// ```swift
/// let worker = try node.spawn { process in
///     while let message = try await process.receive(timeout: .seconds(5)) {
///         print(message)
///     }
///     return 42
/// }
/// let answer = try await worker.value
/// ```
///
/// Closures infer the type, so the name does not get in the way of Foundation's `Process`; in a
/// file that imports both, write `Troupe.Process`.
public struct Process: ProcessContext {
    /// The process object; not for use outside Troupe.
    public let _handle: ProcessHandle
    let closure: ClosureCell

    init(_ cell: ClosureCell) {
        self._handle = ProcessHandle(cell)
        self.closure = cell
    }

    /// Waits for the next message and takes it out of the mailbox.
    ///
    /// - Throws: ``ExitReason`` when the process has been told to end. Let it pass; a body that
    ///   catches it can clean up, but every later wait throws it again.
    public func receive() async throws(ExitReason) -> any Sendable {
        while true {
            if let message = try await closure.receive(deadline: nil) { return message }
        }
    }

    /// Waits for the next message, but not for ever.
    ///
    /// - Parameter timeout: zero looks into the mailbox without waiting.
    /// - Returns: the message, or nil when none has come in time.
    /// - Throws: ``ExitReason`` when the process has been told to end.
    public func receive(timeout: Duration) async throws(ExitReason) -> (any Sendable)? {
        try await closure.receive(
            deadline: closure.scheduler.now.addingSaturated(timeout.clampedNanoseconds))
    }

    /// Waits for a while without taking messages.
    ///
    /// - Throws: ``ExitReason`` when the process has been told to end.
    public func sleep(for duration: Duration) async throws(ExitReason) {
        try await closure.sleep(for: duration)
    }
}

@available(*, unavailable, message: "only the process itself may use it")
extension Process: Sendable {}

extension ProcessCell {
    func sleep(for duration: Duration) async throws(ExitReason) {
        beginWait(.sleep)
        defer { endWait() }
        let alarm = ReplyCell(callee: pid)
        let deadline = scheduler.now.addingSaturated(duration.clampedNanoseconds)
        if deadline > scheduler.now { await alarm.wait(deadline: deadline, on: node.scheduler) }
        if let reason = withCore({ $0.lifecycle.interruption }) { throw reason }
    }
}

extension ProcessCell {
    /// Notes what this process is about to wait for, for those who look.
    func beginWait(_ wait: Relations.Wait) {
        withCore { $0.makeRelations().waits.append(wait) }
    }

    /// Notes that the wait that began last without a call is over.
    func endWait() {
        withCore { core in
            let index = core.relations?.waits.lastIndex { wait in
                if case .call = wait { false } else { true }
            }
            if let index { core.relations?.waits.remove(at: index) }
        }
    }
}

/// What a spawned closure process is known by outside.
public struct ProcessRef<Value: Sendable>: Sendable {
    @usableFromInline let cell: ProcessCell
    let result: ResultCell

    /// The pid.
    public var pid: Pid { cell.pid }

    /// Why the process has ended; waits until it has.
    ///
    /// - Throws: ``CallError`` — `.cancelled` when the waiting task is cancelled. The process goes
    ///   on.
    public var exitReason: ExitReason {
        get async throws(CallError) { try await cell.exitReason(deadline: .max) }
    }

    /// What the body returns; waits until it has.
    ///
    /// - Throws: ``CallError`` — `.exited(_)` when the process ended without returning; `.cancelled`
    ///   when the waiting task is cancelled. The process goes on then.
    public var value: Value {
        get async throws(CallError) {
            let reason = try await cell.exitReason(deadline: .max)
            guard reason == .normal, let value = result.value as? Value else {
                throw .exited(reason)
            }
            return value
        }
    }

    /// Ends the process with `reason`, whether it traps exits or not, and waits until it has ended.
    /// Its next wait throws the reason; messages that wait are not received any more. OTP:
    /// `proc_lib:stop/1,3`.
    ///
    /// - Parameters:
    ///   - reason: why.
    ///   - timeout: how long to wait at most; nil for as long as it takes. When it is over the
    ///     process is told to end all the same.
    /// - Throws: ``CallError`` — `.noProcess` when it had ended before; `.exited(_)` with the actual
    ///   reason when it ended with another; `.timeout`; `.callingSelf`.
    public func stop(
        _ reason: ExitReason = .normal, timeout: Duration? = nil
    ) async throws(CallError) {
        try await cell.stop(reason, timeout: timeout)
    }

    /// What can be known of the process without asking it; nil when it has ended.
    public var info: ProcessSnapshot? { cell.infoIfAlive }

    /// Sends a message to the process.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered.
    public func send<Message: Sendable>(_ message: Message) throws(SendError<Message>) {
        try cell.deliver(message)
    }

    /// As ``send(_:)``, waiting for room when the mailbox is full: back-pressure.
    ///
    /// - Parameters:
    ///   - message: what to send.
    ///   - timeout: how long to wait at most.
    /// - Throws: ``SendError``, with the message, when it was not delivered: `.timeout` when there
    ///   was no room in time, `.cancelled` when the waiting task was cancelled.
    public func send<Message: Sendable>(
        _ message: Message, waitingUpTo timeout: Duration
    ) async throws(SendError<Message>) {
        if let failure = await cell.sendWaiting(message, upTo: timeout) {
            throw SendError(failure, message: message)
        }
    }
}
