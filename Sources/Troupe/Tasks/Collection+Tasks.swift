//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension Collection {
    /// Waits for several tasks together, and takes the outcomes that are there in time.
    ///
    /// - Parameter timeout: how long to wait at most, for all together.
    /// - Returns: for each task, in the order of the collection, its value or the reason with which
    ///   it has ended; nil when it goes on. A task that is there twice is taken the first time, and
    ///   gives `.noProcess` the second.
    /// - Throws: ``TaskError`` — `.notOwner`, `.cancelled`; then no outcome has been taken.
    /// - Source: Elixir's `Task.yield_many/2`.
    public func yieldMany<Value>(
        upTo timeout: Duration = .seconds(5)
    ) async throws(TaskError) -> [Result<Value, ExitReason>?] where Element == ProcessTask<Value> {
        let tasks = Array(self)
        guard let crowd = try TaskCrowd(tasks) else { return [] }
        let deadline = crowd.owner.deadline(after: timeout)
        while try await crowd.next(by: deadline) != nil {}
        let ended = tasks.filter { $0.end.isDone && !$0.outcome.isClaimed }
        crowd.owner.detach(Set(ended.map(\.pid)))
        var isEnded = Set(ended)
        return tasks.map { task in
            if isEnded.remove(task) != nil { return task.takeOutcome() }
            return task.outcome.isClaimed ? .failure(.noProcess) : nil
        }
    }

    /// Waits for the values of several tasks together. Elixir: `Task.await_many/2`.
    ///
    /// - Parameter timeout: how long to wait at most, for all together; nil for as long as it takes.
    /// - Returns: the values, in the order of the collection.
    /// - Throws: ``TaskError`` — `.exited(_)` as soon as one of the tasks has ended without a value,
    ///   `.timeout` with one that has not ended, `.notOwner`, `.cancelled`; then no outcome has been
    ///   taken, and the others go on.
    public func values<Value>(
        timeout: Duration? = .seconds(5)
    ) async throws(TaskError) -> [Value] where Element == ProcessTask<Value> {
        let tasks = Array(self)
        guard let crowd = try TaskCrowd(tasks) else { return [] }
        let deadline = crowd.owner.deadline(after: timeout)
        while let index = try await crowd.next(by: deadline) {
            if tasks[index].outcome.isClaimed { throw .exited(.noProcess) }
            if tasks[index].outcome.hasValue { continue }
            throw .exited((try? tasks[index].end.take()) ?? .noProcess)
        }
        if let late = tasks.first(where: { !$0.end.isDone }) { throw .timeout(late.pid) }
        crowd.owner.detach(Set(tasks.map(\.pid)))
        return try tasks.map { task throws(TaskError) in try task.takeValue() }
    }
}

/// Waits for several tasks of one owner.
private final class TaskCrowd<Value: Sendable> {
    let owner: ProcessCell
    private let tasks: [ProcessTask<Value>]
    private let inbox = ReplyInbox()
    private var remaining: Int
    /// The first task that has not ended; it stands for all, for those who ask what the owner waits
    /// for.
    private var firstAwaited = 0

    /// - Returns: nil when there are no tasks.
    init?(_ tasks: [ProcessTask<Value>]) throws(TaskError) {
        guard let first = tasks.first else { return nil }
        for task in tasks { try task.checkOwner() }
        (owner, self.tasks, remaining) = (first.owner, tasks, tasks.count)
        for (index, task) in tasks.enumerated() {
            // There is nothing to wait for where the outcome has been taken.
            if task.outcome.isClaimed {
                inbox.replyArrived(token: index)
            } else {
                task.end.observe(inbox, token: index)
            }
        }
    }

    deinit {
        for task in tasks { task.end.stopTelling(inbox) }
    }

    /// The index of a task that has ended, each once; nil when all have, or when it is too late.
    func next(by deadline: UInt64) async throws(TaskError) -> Int? {
        guard remaining > 0 else { return nil }
        while firstAwaited < tasks.count, tasks[firstAwaited].isSettled { firstAwaited += 1 }
        let awaited = firstAwaited < tasks.count ? tasks[firstAwaited].end : nil
        if let awaited { owner.beginWait(.call(awaited)) }
        defer { if let awaited { owner.endWaiting(for: awaited) } }
        let index = try await owner.waitForTask(inbox, by: deadline)
        if index != nil { remaining -= 1 }
        return index
    }
}
