//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Synchronization

/// The process of an ``AsyncGenServer``: when it has something to do it borrows a runner.
///
/// The generic code here is inlinable for the same reason as that of ``DirectCell``.
@usableFromInline
final class AsyncCell<Server: AsyncGenServer>: ProcessCell, @unchecked Sendable {
    // Unchecked: what `server` points to belongs to whoever has the process in the phase `running`
    // or `starting`.

    /// Behind a pointer, because an access to a property across `await` is checked at run time.
    @usableFromInline let server: UnsafeMutablePointer<Server?>
    @usableFromInline let spareReply = SpareReply<Server.Reply>()

    @inlinable
    init(seed: consuming ProcessSeed) {
        self.server = .allocate(capacity: 1)
        self.server.initialize(to: nil)
        super.init(seed: seed) { cell, command in
            let cell = unsafeDowncast(cell, to: AsyncCell<Server>.self)
            switch consume command {
            case .step:
                cell.borrowRunner { cell, runner in
                    await unsafeDowncast(cell, to: AsyncCell<Server>.self).step(runner)
                }
                return .accepted
            case .put(let message):
                return cell.put(envelope: Envelope<Server>.info(message))
            case .enqueue(let message, let delivery):
                return cell.enqueue(envelope: Envelope<Server>.info(message), delivery)
            case .append(let message, let queue):
                queue.pointee.append(Envelope<Server>.info(message))
                return .accepted
            case .discard(let queue, let reason):
                ProcessCell.discard(queue, reason, of: Server.self)
                return .accepted
            case .rescue(let queue, let reason):
                cell.rescue(queue, reason, of: Server.self)
                return .accepted
            case .refill(let refill):
                cell.refill(refill, of: Server.self)
                return .accepted
            }
        }
    }

    deinit {
        server.deinitialize(count: 1)
        server.deallocate()
    }

    @usableFromInline
    override var borrowsRunner: Bool { true }

    @inlinable
    @inline(__always)
    func step(_ runner: Runner) async {
        var batch = MessageQueue()
        var budget = traits.stepBudget
        // One for all messages: to make it retains the process.
        let process = ServerContext<Server>(self)
        noteBegin()
        while true {
            switch takeWork(&batch, hasBudget: budget > 0, by: runner) {
            case .messages:
                while let envelope = batch.takeFirst(as: Envelope<Server>.self) {
                    countPopped()
                    budget -= 1
                    if let ending = await handle(envelope.move(), process) {
                        return await end(ending, batch: &batch, runner)
                    }
                    if budget <= 0 || attention.load(ordering: .relaxed) { break }
                }
            case .info(let message):
                budget -= 1
                note(info: message)
                do {
                    try await server.pointee?.handleInfo(message, process: process)
                } catch {
                    let ending = failed(error, nil) { Envelope<Server>.info(message).typeName }
                    return await end(ending, batch: &batch, runner)
                }
            case .single(let work):
                budget -= 1
                guard let envelope: Envelope<Server> = envelope(of: work, &batch) else { continue }
                work.observer?.received(envelope, by: self)
                if let ending = await handle(envelope, process) {
                    return await end(ending, batch: &batch, runner)
                }
                work.observer?.handled(envelope, by: self)
            case .inspect(let body):
                body(server)
            case .stop(let reason):
                return await end(Ending(own: reason), batch: &batch, runner)
            case .done:
                return
            }
        }
    }

    /// Handles one message.
    ///
    /// What is caught is caught in each case: a closure around the handlers, or a function that is not
    /// inlined, would be one more that is `async`, and each of those asks the runtime twice on which
    /// executor it has to run, which is more than a message costs.
    ///
    /// - Returns: how the process ends, if it does.
    @inlinable
    @inline(__always)
    func handle(
        _ envelope: consuming Envelope<Server>, _ process: ServerContext<Server>
    ) async -> Ending? {
        // Taken apart before the handler runs, as in ``DirectCell``.
        switch envelope {
        case .cast(let message):
            note(.cast)
            do {
                try await server.pointee?.handleCast(message, process: process)
            } catch {
                return failed(error, nil) { Envelope<Server>.cast(message).typeName }
            }
        case .call(let request, let reply):
            note(.call)
            do {
                let result = try await server.pointee?.handleCall(
                    request, from: From(reply), process: process)
                return answer(result, to: reply, Envelope<Server>.call(request, reply))
            } catch {
                return failed(error, reply) { Envelope<Server>.call(request, reply).typeName }
            }
        case .ask(let message, let reply):
            note(.cast)
            do {
                try await server.pointee?.handleCast(message, process: process)
                deferCall(reply)
            } catch {
                return failed(error, reply) { Envelope<Server>.ask(message, reply).typeName }
            }
        case .direct(let request, let reply):
            note(.direct)
            do {
                let result = try await server.pointee?.handleDirect(
                    request, from: From(reply), process: process)
                return answer(result, to: reply, Envelope<Server>.direct(request, reply))
            } catch {
                return failed(error, reply) { Envelope<Server>.direct(request, reply).typeName }
            }
        case .info(let message):
            note(info: message)
            do {
                try await server.pointee?.handleInfo(message, process: process)
            } catch {
                return failed(error, nil) { Envelope<Server>.info(message).typeName }
            }
        case .continuation(let message):
            note(.continue)
            do {
                try await server.pointee?.handleContinue(message, process: process)
            } catch {
                return failed(error, nil) { Envelope<Server>.continuation(message).typeName }
            }
        case .timeout:
            note(.timeout)
            do {
                try await server.pointee?.handleTimeout(process: process)
            } catch {
                return failed(error, nil) { Envelope<Server>.timeout.typeName }
            }
        }
        return nil
    }

    /// The end of the process, from `terminate` to the last signal.
    @inlinable
    func end(_ ending: Ending, batch: inout MessageQueue, _ runner: Runner) async {
        let (reason, runsTerminate) = beginTermination(ending)
        if runsTerminate, runner.isRetired {
            // The order to end has cancelled this task. `terminate` may have to wait for something
            // itself, so it gets a task that is not cancelled.
            giveBack(&batch)
            borrowRunner { cell, runner in
                _ = cell.attach(runner)
                await unsafeDowncast(cell, to: AsyncCell<Server>.self)
                    .terminate(ending, reason, runs: true)
            }
            return
        }
        giveBack(&batch)
        await terminate(ending, reason, runs: runsTerminate)
    }

    @inlinable
    func terminate(_ ending: Ending, _ reason: ExitReason, runs: Bool) async {
        var ending = ending
        var thrown: ExitReason?
        if runs {
            if !reason.isClean, let state = server.pointee { ending.describe(state) }
            do {
                try await server.pointee?.terminate(
                    reason: reason, process: ServerContext<Server>(self))
            } catch {
                thrown = ExitReason(thrown: error)
            }
        }
        server.pointee = nil
        var batch = MessageQueue()
        finish(ending, thrown: thrown, batch: &batch)
    }
}

extension ProcessCell {
    /// Runs `body` on a runner of the scheduler.
    @usableFromInline
    final func borrowRunner(_ body: @escaping RunnerBody) {
        scheduler.runners.run(RunnerAssignment(cell: self, body: body), on: scheduler)
    }

    /// From now on the runner is the one to cancel when the process is told to end.
    ///
    /// - Returns: whether the process had been told to end before.
    @usableFromInline
    final func attach(_ runner: Runner) -> Bool {
        withCore { core in
            core.runner = runner
            return core.lifecycle.stopReason != nil
        }
    }

    /// Puts messages that were taken but not handled back into the mailbox.
    @usableFromInline
    final func giveBack(_ batch: inout MessageQueue) {
        withCore { $0.queue.prepend(&batch) }
    }
}
