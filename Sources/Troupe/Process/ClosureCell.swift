//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// The process of a closure: it keeps one runner for life.
final class ClosureCell: ProcessCell, @unchecked Sendable {
    // Unchecked: the variables belong to the body, which is the only one that receives.

    /// Messages that were taken from the mailbox and not received yet.
    private var batch = MessageQueue()
    /// How many messages the body may receive before others get a turn.
    private var budget: Int
    /// What has been looked at and not taken.
    var received = ReceiveQueue()
    /// The references that the process has made last, each with how many messages had come before.
    private var marks: [(id: UInt64, position: UInt64)] = []
    private static let markCountMax = 64

    /// Nil once it runs: what it refers to is let go when it has ended, not when the last has
    /// forgotten the process.
    private var body: Body?
    /// Where the value of the body is put.
    private let resultCell: ResultCell

    /// An element of the mailbox: a message in a wrapper, because a bare existential that is passed
    /// to a generic function would be opened, and the queue would get elements of many types.
    private struct Item: MailboxElement {
        let message: any Sendable

        var typeName: String { caseName(of: message, type: type(of: message as Any)) }

        func wasDropped(by cell: ProcessCell) {
            // Kept until then: the user's code may run when it is destroyed.
            withExtendedLifetime(message) { cell.reportOverflow() }
        }
    }

    typealias Body = @concurrent @Sendable (Process) async throws -> any Sendable

    init(seed: consuming ProcessSeed, body: @escaping Body, result: ResultCell) {
        self.resultCell = result
        self.body = body
        self.budget = seed.traits.stepBudget
        super.init(seed: seed) { cell, command in
            let cell = unsafeDowncast(cell, to: ClosureCell.self)
            switch consume command {
            case .step:
                guard let body = cell.body.take() else { return .accepted }
                cell.borrowRunner { cell, runner in
                    await unsafeDowncast(cell, to: ClosureCell.self).run(body, runner)
                }
                return .accepted
            case .put(let message):
                return cell.put(Item(message: message))
            case .enqueue(let message, let delivery):
                return cell.enqueue(Item(message: message), delivery)
            case .append(let message, let queue):
                queue.pointee.append(Item(message: message))
                return .accepted
            case .discard(let queue, _):
                cell.body = nil
                _ = cell.received.removeAllMessages()
                while queue.pointee.popFirst(as: Item.self) != nil {}
                return .accepted
            case .rescue(let queue, _):
                // What was looked at and passed over has come first.
                var unread = cell.received.removeAllMessages().map { Item(message: $0) }
                while let item = queue.pointee.popFirst(as: Item.self) { unread.append(item) }
                cell.leave(unread) { $0.message }
                return .accepted
            case .refill(let refill):
                cell.refill(refill, with: Item.self)
                return .accepted
            }
        }
    }

    private func run(_ body: Body, _ runner: Runner) async {
        var ending = Ending(own: .normal)
        if !begin(runner) {
            do {
                let value = try await body(Process(self))
                withCore { core in
                    // Told to end meanwhile: then there is no result, whatever the body returns.
                    guard core.lifecycle.stopReason == nil else { return }
                    resultCell.value = value
                }
            } catch {
                if case .error(let error) = ExitReason(thrown: error), node.options.crashesOnError {
                    fatalError(
                        "the body of \(pid) threw \(error) (NodeOptions.crashesOnError is set)")
                }
                ending = Ending(own: ExitReason(thrown: error))
            }
        }
        _ = beginTermination(ending)
        finish(ending, batch: &batch)
    }

    override var result: (any Sendable)? { resultCell.value }

    /// - Returns: whether the process was told to end before it began.
    private func begin(_ runner: Runner) -> Bool {
        withCore { core in
            core.lifecycle.turnCame()
            core.runner = runner
            return core.lifecycle.stopReason != nil
        }
    }

    // MARK: - Receiving

    /// What comes next of what nobody has looked at.
    private enum Fetched {
        case content(ReceiveQueue.Entry.Content)
        case nothing
        case toldToEnd(ExitReason)
    }

    override func forgetLinkExits(from pids: Set<Pid>) {
        received.removeAll { content in
            guard case .signal(let received) = content,
                case .exit(let exit, isOfLink: true) = received.signal
            else { return false }
            return pids.contains(exit.from)
        }
    }

    /// The next message that no channel claims, or nil when the deadline has passed.
    ///
    /// - Throws: the exit reason when the process has been told to end.
    func receive(deadline: UInt64?) async throws(ExitReason) -> (any Sendable)? {
        try await giveOthersATurn()
        while true {
            if !received.isUnused {
                if let message = try await nextOfRest() { return message }
            } else {
                switch fetch() {
                case .content(let content):
                    if let message = accept(content) { return message }
                    continue
                case .toldToEnd(let reason): throw reason
                case .nothing: break
                }
            }
            if let deadline, scheduler.now >= deadline { return nil }
            await park(deadline: deadline)
        }
    }

    private func nextOfRest() async throws(ExitReason) -> (any Sendable)? {
        while true {
            try await fetchAll()
            guard let entry = received.popFirst() else { return nil }
            if let message = accept(entry.content) { return message }
        }
    }

    /// The next message that is wanted, or nil when the deadline has passed.
    ///
    /// - Parameter position: how many messages, from the first on, need not be looked at.
    func receive<Message>(
        _ type: Message.Type, from position: UInt64, deadline: UInt64?,
        _ isWanted: (Message) -> Bool
    ) async throws(ExitReason) -> Message? {
        try await giveOthersATurn()
        while true {
            try await fetchAll()
            while let entry = received.popFirst(
                from: position,
                where: { entry in
                    (Self.message(of: entry.content) as? Message).map(isWanted) ?? false
                })
            {
                if let message = accept(entry.content) as? Message { return message }
            }
            if let deadline, scheduler.now >= deadline { return nil }
            await park(deadline: deadline)
        }
    }

    /// The next message of a channel; nil when the deadline has passed or the channel is closed.
    func receive<Element>(
        _ channel: Channel<Element>, deadline: UInt64?
    ) async throws(ExitReason) -> Element? {
        try await giveOthersATurn()
        while true {
            try await fetchAll()
            while received.firstOrder(of: channel.listener) != nil {
                guard let content = take(channel.listener) else { continue }
                if let element = channel.element(content) { return element }
            }
            if !channel.isOpen { return nil }
            if let deadline, scheduler.now >= deadline { return nil }
            await park(deadline: deadline)
        }
    }

    /// Everything that is there and that no channel claims.
    func flush() async throws(ExitReason) -> [any Sendable] {
        try await fetchAll()
        var messages: [any Sendable] = []
        while let entry = received.popFirst() {
            if let message = accept(entry.content) { messages.append(message) }
        }
        return messages
    }

    /// Opens a channel for what `element` makes something of.
    func open<Element: Sendable>(
        _ element: @escaping @Sendable (ReceiveQueue.Entry.Content) -> Element?
    ) -> Channel<Element> {
        let listener = received.open { element($0) != nil }
        return Channel(cell: self, listener: listener, element: element)
    }

    /// Takes the first thing of a channel.
    ///
    /// - Returns: nil when it is a DOWN or response that is not wanted any more.
    func take(_ listener: Int?) -> ReceiveQueue.Entry.Content? {
        let entry = listener.map { received.popFirst(of: $0) } ?? received.popFirst()
        guard let entry, accept(entry.content) != nil else { return nil }
        return entry.content
    }

    private static func message(of content: ReceiveQueue.Entry.Content) -> (any Sendable)? {
        switch content {
        case .message(let message): message
        case .signal(let received): received.message
        }
    }

    /// Something leaves the mailbox for the body.
    ///
    /// - Returns: nil when it is a DOWN or response that is not wanted any more.
    private func accept(_ content: ReceiveQueue.Entry.Content) -> (any Sendable)? {
        budget -= 1
        switch content {
        case .message(let message):
            countPopped()
            return message
        case .signal(let received):
            let isWanted = withCore { core in
                core.relations.map { isWantedStill(received.signal, $0) } ?? false
            }
            return isWanted ? received.message : nil
        }
    }

    private func giveOthersATurn() async throws(ExitReason) {
        guard budget <= 0 else { return }
        budget = traits.stepBudget
        await Task.yield()
        // A batch can be as large as the mailbox.
        withCore { core in
            if core.relations?.rare?.sendWaiters.isEmpty == false {
                attention.store(true, ordering: .relaxed)
            }
        }
    }

    /// Looks at everything that has come, and puts it where it belongs.
    ///
    /// - Throws: the exit reason when the process has been told to end.
    func fetchAll() async throws(ExitReason) {
        while true {
            let position = fetchedCount
            switch fetch() {
            case .content(let content): received.append(content, position: position)
            case .nothing: return
            case .toldToEnd(let reason): throw reason
            }
            budget -= 1
            try await giveOthersATurn()
        }
    }

    /// How many ordinary messages have been looked at.
    private var fetchedCount: UInt64 {
        popped.load(ordering: .relaxed) + UInt64(received.messageCount)
    }

    /// Looks at what comes next, the fast way first.
    private func fetch() -> Fetched {
        if !attention.load(ordering: .relaxed), let item = batch.popFirst(as: Item.self) {
            return .content(.message(item.message))
        }
        var waiters: [SendWaiter] = []
        var signal: SignalQueue.Signal?
        let fetched = withCore { core -> Fetched in
            if let reason = core.lifecycle.stopReason { return .toldToEnd(reason) }
            if let relations = core.relations {
                signal = relations.signals.popFirst(popped: fetchedCount)
                if signal != nil { return .nothing }
                admitWaiters(&core, relations, isDry: false, resuming: &waiters)
                attention.store(relations.needsAttention, ordering: .relaxed)
            }
            if batch.isEmpty {
                if core.overflow == .dropOldest {
                    // One by one, so that what has not been looked at can still be dropped.
                    let item = core.queue.popFirst(as: Item.self)
                    return item.map { .content(.message($0.message)) } ?? .nothing
                }
                core.queue.moveAll(to: &batch)
            }
            return batch.popFirst(as: Item.self).map { .content(.message($0.message)) } ?? .nothing
        }
        for waiter in waiters { waiter.resume() }
        if let signal { return .content(.signal(.init(signal, on: node))) }
        return fetched
    }

    // MARK: - Marks

    /// Notes that the process has made a reference: no message that has come before can carry it.
    override func madeReference(_ reference: UInt64) {
        let position = withCore { $0.accepted }
        if marks.count == Self.markCountMax { marks.removeFirst() }
        marks.append((reference, position))
    }

    func position(of reference: Reference) -> UInt64 {
        guard reference.nodeName == node.nodeName, reference.creation == node.creation else {
            return 0
        }
        return marks.last { $0.id == reference.id }?.position ?? 0
    }

    // MARK: - Waiting

    func park(deadline: UInt64?) async {
        let wakeUp = deadline.map { _ in WakeUp(cell: self) }
        var timer: TimerToken?
        if let deadline, let wakeUp { timer = node.timers.schedule(at: deadline, wakeUp) }
        scheduler.willSuspend()
        await withUnsafeContinuation { continuation in
            var waiters: [SendWaiter] = []
            let mayPark = withCore { core in
                let hasWork =
                    core.lifecycle.stopReason != nil || !core.queue.isEmpty
                    || core.relations?.hasWork ?? false
                    || wakeUp?.hasFired ?? false
                guard !hasWork else { return false }
                // What has been looked at and passed over still takes up room.
                if let relations = core.relations {
                    admitWaiters(&core, relations, isDry: true, resuming: &waiters)
                    guard waiters.isEmpty else { return false }
                }
                core.lifecycle.parked()
                core.parked = continuation
                return true
            }
            for waiter in waiters { waiter.resume() }
            if !mayPark { continuation.resume() }
        }
        if let timer { node.timers.cancel(timer) }
        budget = traits.stepBudget
    }

    /// Ends a wait when its deadline has come.
    private final class WakeUp: TimerTarget, @unchecked Sendable {
        // Unchecked: `hasFired` is only touched with the lock of `cell` held.
        let cell: ClosureCell
        var hasFired = false

        init(cell: ClosureCell) {
            self.cell = cell
        }

        func timerFired() {
            let arrival = cell.withCore { core -> Arrival in
                hasFired = true
                guard core.lifecycle.phase == .parked else { return .none }
                return core.arrived()
            }
            arrival.perform(for: cell)
        }
    }
}

/// Where the value of a closure process is put for those who await it.
final class ResultCell: @unchecked Sendable {
    // Unchecked: `value` is written by the body before the process ends, and read after that.

    var value: (any Sendable)?
}
