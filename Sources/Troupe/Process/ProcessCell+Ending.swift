//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What ended a process, for its crash report. Type names only, never contents.
@usableFromInline
struct Ending: Sendable {
    /// The reason that the process itself gives; nil when it was ordered to end.
    @usableFromInline var own: ExitReason?
    /// The type of the message that was being handled.
    @usableFromInline var lastMessage: String?
    /// The state, if the server describes it for such reports.
    @usableFromInline var state: String?

    @inlinable
    init(own: ExitReason?, lastMessage: String? = nil) {
        self.own = own
        self.lastMessage = lastMessage
    }

    @usableFromInline
    mutating func describe<Server: ServerProtocol>(_ server: Server) {
        state = formattedStatus(of: server)
    }
}

extension ProcessCell {
    /// The end begins.
    ///
    /// - Returns: the reason so far, and whether `terminate` is to run.
    @usableFromInline
    final func beginTermination(_ ending: Ending) -> (reason: ExitReason, runsTerminate: Bool) {
        withCore { $0.lifecycle.terminationBegan(own: ending.own) }
    }

    /// The end: gives back names, aliases, timers and attachments, then leaves the tables, then tells everybody.
    ///
    /// To be called once, by whoever runs the process, after `terminate` and after the state is
    /// gone. The order is OTP's: whoever sees an EXIT, a DOWN or a failed call finds the name free.
    /// What is to be done with unread messages is done before it leaves the table of processes.
    ///
    /// - Parameters:
    ///   - thrown: what `terminate` threw.
    ///   - batch: messages that were taken from the mailbox but not handled.
    ///   - isQuiet: makes no crash report, because the failure is returned to a starter.
    /// - Returns: the final reason, which a kill may have changed since the end began.
    @usableFromInline
    @discardableResult
    final func finish(
        _ ending: Ending, thrown: ExitReason? = nil, batch: inout MessageQueue,
        isQuiet: Bool = false
    ) -> ExitReason {
        noteUnclaimed()
        let (names, farewells) = releaseResources()
        var queue = MessageQueue()
        var (reason, relations): (ExitReason, Relations?) = (.normal, nil)
        withCore { core in
            reason = core.lifecycle.ended(thrown: thrown)
            relations = core.relations
            core.relations = nil
            core.runner = nil
            core.environment = Environment()
            core.queue.prepend(&batch)
            core.queue.moveAll(to: &queue)
        }
        // Calls that wait in the mailbox fail with the reason, at once.
        let areDropped = traits.leftovers.areDropped
        if !areDropped {
            // Who finds no process any more may start the next one of its kind.
            withUnsafeMutablePointer(to: &queue) { _ = behaviour(self, .rescue($0, reason)) }
        }
        node.table.remove(id)
        if !isQuiet { report(reason, ending, names, relations) }
        if areDropped {
            withUnsafeMutablePointer(to: &queue) { _ = behaviour(self, .discard($0, reason)) }
        }
        queue.trimToFirstChunk()
        for farewell in farewells { farewell(reason) }
        if let relations {
            sendSignals(reason, relations)
            relations.release()
        }
        if traits.hasOwnThread { scheduler.shutDown() }
        node.processEnded(id)
        let waiters = withCore { core in
            core.isOver = true
            // What is left is small. It goes with the process, to the thread whose memory it most often
            // is; see ``ReturnBox``.
            queue.moveAll(to: &core.queue)
            defer { core.exitWaiters = [] }
            return core.exitWaiters
        }
        for waiter in waiters { waiter.complete(reason) }
        return reason
    }

    /// What the user has put into the reason goes now, not with this process, which has ended and which
    /// nobody refers to any more.
    final func forgetReason() {
        let reason = withCore { $0.lifecycle.stopReason.take() }
        // Not destroyed with the lock held.
        _ = reason
    }

    /// Names, aliases, timers, and what is attached, so that the process holds nothing when its end
    /// is seen.
    ///
    /// - Returns: the names that the process had, and what to do when the others are told.
    final func releaseResources() -> ([String], [@Sendable (ExitReason) -> Void]) {
        let (trail, timers, rare) = withCore {
            core -> (NameTrail, [OwnedTimer], RareRelations?) in
            core.isClosing = true
            guard let relations = core.relations else { return (core.names, [], nil) }
            return (core.names, relations.timers.removeAll(of: self), relations.rare)
        }
        let names = trail.isEmpty ? [] : node.names.removeAll(on: trail, of: id)
        for timer in timers { _ = timer.cancel() }
        return (names, rare.map(releaseResources) ?? [])
    }

    private func releaseResources(
        _ rare: RareRelations
    ) -> [@Sendable (ExitReason) -> Void] {
        var attached: [UInt64: any Attachment] = [:]
        let aliases = withCore { _ in
            defer {
                rare.aliases = [:]
                rare.idleTimer?.cancel()
                rare.idleTimer = nil
            }
            swap(&attached, &rare.attachments)
            return Array(rare.aliases.keys)
        }
        for alias in aliases { node.aliases.remove(alias) }
        return release(attached)
    }

    /// Ends what was attached to this process, which is closing.
    ///
    /// - Returns: what to do when the others are told of the end.
    final func release(
        _ attached: [UInt64: any Attachment]
    ) -> [@Sendable (ExitReason) -> Void] {
        if attached.isEmpty { return [] }
        return attached.sorted { $0.key < $1.key }
            .compactMap { id, object in object.holderEnds(id, self) }
    }

    /// Exit signals to links, DOWN to monitors, failures to callers and senders that wait.
    private func sendSignals(_ reason: ExitReason, _ relations: Relations) {
        let pid = pid
        if let rare = relations.rare {
            let calls = rare.deferredCalls.values.sorted { $0.position < $1.position }
            for deferred in calls { deferred.call.fail(.exited(reason)) }
            for waiter in withCore({ _ in dismissWaiters(rare) }) { waiter.resume() }
        }
        let signal = ExitSignal(kind: .link, reason: reason)
        if !relations.signals.isEmpty {
            for case .request(let request) in relations.signals.removeAll() {
                // Who waits for a stop is told of the end below, with its reason.
                if case .stop = request.kind { continue }
                request.reply.fail(.exited(reason))
            }
        }
        // The parent comes last: when a supervisor starts this process again its children have been
        // told already.
        var parent: ProcessCell?
        relations.links.ended { partner in
            if partner.id == parentID {
                parent = partner
            } else {
                partner.receive(signal, from: pid)
            }
        }
        parent?.receive(signal, from: pid)
        // A kill may have come after the body had returned.
        let result = reason == .normal ? self.result : nil
        relations.monitoredBy.ended { id, watcher, isPlain in
            watcher.receiveDown(
                id, ofPlain: isPlain ? pid : nil, reason: reason, result: result)
        }
        relations.monitors.ended { id, target in disarm(id, target) }
    }

    private func report(
        _ reason: ExitReason, _ ending: Ending, _ names: [String], _ relations: Relations?
    ) {
        node.emit(.exited) { .exited(pid, reason: reason) }
        guard !reason.isClean else { return }
        node.emit(.crashed) {
            .crashed(
                CrashReport(
                    pid: pid, node: node.name, names: names, label: relations?.rare?.label,
                    behaviour: traits.typeName, reason: reason, lastMessage: ending.lastMessage,
                    state: ending.state,
                    parent: parentID == 0 ? nil : node.pid(id: parentID),
                    links: relations?.links.pids.sorted { $0.id < $1.id } ?? []))
        }
    }
}
