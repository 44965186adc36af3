//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Synchronization

/// What has become of a call that was handled on its caller's thread.
@usableFromInline
enum ClaimedReply<Reply: Sendable> {
    case now(Reply)
    /// The outcome is, or will be, where replies are put.
    case there(TypedReplyCell<Reply>)
}

/// The process of a ``GenServer``: its handlers run straight on a scheduler thread.
///
/// The generic code here is inlinable so that it is specialised where a server is spawned; see
/// ``ProcessCell/behaviour``. Measured: an unspecialised step costs a multiple of a message.
@usableFromInline
final class DirectCell<Server: GenServer>: ProcessCell, @unchecked Sendable {
    // Unchecked: the variables belong to whoever has the process in the phase `running` or
    // `starting`.

    // The phase excludes what the compiler would check for at run time, twice for each step.
    @exclusivity(unchecked)
    @usableFromInline var server: Server?
    /// A place for the reply to the next call that is handled on its caller's thread, which nearly
    /// always needs none: making one costs more than the rest of such a call.
    @exclusivity(unchecked)
    @usableFromInline var spareReply: TypedReplyCell<Server.Reply>?
    /// Counts the calls that were handled on their caller's thread, modulo the step budget of 256:
    /// when it wraps, the caller gives others a turn if ``Scheduler/isTurnOver()``.
    @usableFromInline var claimedCalls: UInt8 = 0

    @inlinable
    init(seed: consuming ProcessSeed) {
        self.server = nil
        self.spareReply = nil
        super.init(seed: seed) { cell, command in
            let cell = unsafeDowncast(cell, to: DirectCell<Server>.self)
            switch consume command {
            case .step:
                return cell.step() ? .gone : .accepted
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

    /// Makes the server. The caller has the process in the phase `starting`.
    @inlinable
    func start(_ argument: Server.Argument) throws {
        server = try Server(argument, process: ServerContext<Server>(self))
    }

    @inlinable
    func step() -> Bool {
        noteBegin()
        return withUnsafeMutablePointer(to: &server) { server in
            var batch = MessageQueue()
            var budget = traits.stepBudget
            // One for all messages: to make it retains the process.
            let process = ServerContext<Server>(self)
            while true {
                switch takeWork(&batch, hasBudget: budget > 0) {
                case .messages:
                    while let envelope = batch.takeFirst(as: Envelope<Server>.self) {
                        countPopped()
                        budget -= 1
                        if let ending = handle(envelope.move(), server, process) {
                            end(ending, server, batch: &batch)
                            return true
                        }
                        if budget <= 0 || attention.load(ordering: .relaxed) { break }
                    }
                case .info(let message):
                    budget -= 1
                    if let ending = handle(info: message, server, process) {
                        end(ending, server, batch: &batch)
                        return true
                    }
                case .single(let work):
                    budget -= 1
                    guard let envelope: Envelope<Server> = envelope(of: work, &batch) else {
                        continue
                    }
                    work.observer?.received(envelope, by: self)
                    if let ending = handle(envelope, server, process) {
                        end(ending, server, batch: &batch)
                        return true
                    }
                    work.observer?.handled(envelope, by: self)
                case .inspect(let body):
                    body(server)
                case .stop(let reason):
                    end(Ending(own: reason), server, batch: &batch)
                    return true
                case .done:
                    return false
                }
            }
        }
    }

    /// Handles one message.
    ///
    /// - Returns: how the process ends, if it does.
    @inlinable
    func handle(
        _ envelope: consuming Envelope<Server>, _ server: UnsafeMutablePointer<Server?>,
        _ process: ServerContext<Server>
    ) -> Ending? {
        // Taken apart before the handler runs: to keep the whole for the case that it throws would
        // be a copy of each message.
        switch envelope {
        case .cast(let message):
            note(.cast)
            return attempt(nil, naming: Envelope<Server>.cast(message)) {
                try server.pointee?.handleCast(message, process: process)
                return nil
            }
        case .call(let request, let reply):
            note(.call)
            return attempt(reply, naming: Envelope<Server>.call(request, reply)) {
                let result = try server.pointee?.handleCall(
                    request, from: From(reply), process: process)
                return answer(result, to: reply, Envelope<Server>.call(request, reply))
            }
        case .ask(let message, let reply):
            note(.cast)
            return attempt(reply, naming: Envelope<Server>.ask(message, reply)) {
                try server.pointee?.handleCast(message, process: process)
                deferCall(reply)
                return nil
            }
        case .direct(let request, let reply):
            note(.direct)
            return attempt(reply, naming: Envelope<Server>.direct(request, reply)) {
                let result = try server.pointee?.handleDirect(
                    request, from: From(reply), process: process)
                return answer(result, to: reply, Envelope<Server>.direct(request, reply))
            }
        case .info(let message):
            return handle(info: message, server, process)
        case .continuation(let message):
            note(.continue)
            return attempt(nil, naming: Envelope<Server>.continuation(message)) {
                try server.pointee?.handleContinue(message, process: process)
                return nil
            }
        case .timeout:
            note(.timeout)
            return attempt(nil, naming: Envelope<Server>.timeout) {
                try server.pointee?.handleTimeout(process: process)
                return nil
            }
        }
    }

    /// Handles a message that the server's types do not know.
    ///
    /// - Returns: how the process ends, if it does.
    @inlinable
    func handle(
        info message: any Sendable, _ server: UnsafeMutablePointer<Server?>,
        _ process: ServerContext<Server>
    ) -> Ending? {
        note(info: message)
        return attempt(nil, naming: Envelope<Server>.info(message)) {
            try server.pointee?.handleInfo(message, process: process)
            return nil
        }
    }

    /// Runs a handler.
    ///
    /// - Parameters:
    ///   - awaited: the call that is being handled.
    ///   - envelope: what is being handled.
    /// - Returns: how the process ends, if it does.
    @inlinable
    @inline(__always)
    func attempt(
        _ awaited: ReplyCell?, naming envelope: @autoclosure () -> Envelope<Server>,
        _ handler: () throws -> Ending?
    ) -> Ending? {
        do {
            return try handler()
        } catch {
            return failed(error, awaited) { envelope().typeName }
        }
    }

    /// Handles a call on the thread of the caller, who has claimed the process.
    @inlinable
    func handleClaimed(_ request: Server.Call) -> ClaimedReply<Server.Reply> {
        claimedCalls &+= 1
        note(.call)
        noteClaim()
        var reply = spareReply ?? TypedReplyCell<Server.Reply>(callee: pid)
        spareReply = nil
        do {
            let result = try server?.handleCall(
                request, from: From(reply), process: ServerContext<Server>(self))
            switch result {
            case .reply(let value):
                // Has nobody else a `From`, and has nobody replied through one?
                if isKnownUniquelyReferenced(&reply), !reply.isDone {
                    spareReply = reply
                    unclaim()
                    return .now(value)
                }
                reply.complete(value)
                unclaim()
            case .noReply, nil:
                deferCall(reply)
                unclaim()
            case .stop(let reason, let value):
                reply.complete(value)
                var batch = MessageQueue()
                end(Ending(own: reason), &server, batch: &batch)
            }
        } catch {
            var batch = MessageQueue()
            let ending = failed(error, reply) {
                Envelope<Server>.call(request, reply).typeName
            }
            end(ending, &server, batch: &batch)
        }
        return .there(reply)
    }

    /// The end of the process, from `terminate` to the last signal.
    @inlinable
    func end(
        _ ending: Ending, _ server: UnsafeMutablePointer<Server?>, batch: inout MessageQueue
    ) {
        let (reason, runsTerminate) = beginTermination(ending)
        var ending = ending
        var thrown: ExitReason?
        if runsTerminate {
            if !reason.isClean, let state = server.pointee { ending.describe(state) }
            do {
                try server.pointee?.terminate(reason: reason, process: ServerContext<Server>(self))
            } catch {
                thrown = ExitReason(thrown: error)
            }
        }
        server.pointee = nil
        spareReply = nil
        finish(ending, thrown: thrown, batch: &batch)
    }
}

extension ProcessCell {
    /// Carries out what a handler answers to a call.
    ///
    /// - Returns: how the process ends, if it does.
    @inlinable
    final func answer<Server: ServerProtocol, Reply: Sendable>(
        _ result: CallResult<Reply>?, to reply: TypedReplyCell<Reply>,
        _ envelope: @autoclosure () -> Envelope<Server>
    ) -> Ending? {
        switch result {
        case .reply(let value):
            reply.complete(value)
            return nil
        case .noReply, nil:
            deferCall(reply)
            return nil
        case .stop(let reason, let value):
            reply.complete(value)
            return Ending(own: reason, lastMessage: reason.isClean ? nil : envelope().typeName)
        }
    }

    /// A callback has thrown.
    ///
    /// - Parameter awaited: the call that was being handled; it fails when the process has ended.
    @usableFromInline
    final func failed(
        _ error: any Error, _ awaited: ReplyCell?, _ lastMessage: () -> String
    ) -> Ending {
        let reason = ExitReason(thrown: error)
        if node.options.crashesOnError, case .error(let error) = reason {
            fatalError(
                "\(traits.typeName) \(pid) threw while handling \(lastMessage()): \(error) "
                    + "(NodeOptions.crashesOnError is set)")
        }
        if let awaited { deferCall(awaited) }
        // Looking into the message is slow; only a crash report needs it.
        return Ending(own: reason, lastMessage: reason.isClean ? nil : lastMessage())
    }
}
