//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// How a new process is tied to its spawner, before it runs.
@usableFromInline
struct Bond: OptionSet, Sendable {
    @usableFromInline let rawValue: UInt8

    @inlinable
    init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable static var linked: Bond { Bond(rawValue: 1) }
    @inlinable static var monitored: Bond { Bond(rawValue: 2) }
}

extension Node {
    /// Starts a server and waits until its `init` has returned.
    ///
    /// `init` runs in the new process. When it is a plain ``GenServer`` it runs on the calling
    /// thread, so this needs no `await` and can be called from anywhere.
    ///
    /// - Parameters:
    ///   - type: the server.
    ///   - argument: what its `init` is given.
    ///   - options: how it is spawned.
    /// - Returns: a typed reference to the process.
    /// - Throws: ``SpawnError``; then nothing of the process remains.
    /// - Source: OTP's `gen_server:start/3,4`.
    @inlinable
    public func spawn<Server: GenServer>(
        _ type: Server.Type, _ argument: Server.Argument, options: ProcessOptions = .default
    ) throws(SpawnError) -> ServerRef<Server> {
        let (cell, _) = try start(type, argument, options, parent: nil, bond: [])
        return ServerRef(cell)
    }

    /// Starts a server whose `init` takes nothing; see `spawn(_:_:options:)`.
    @inlinable
    public func spawn<Server: GenServer>(
        _ type: Server.Type, options: ProcessOptions = .default
    ) throws(SpawnError) -> ServerRef<Server> where Server.Argument == Void {
        try spawn(type, (), options: options)
    }

    /// Starts a server and waits until its `init` has returned.
    ///
    /// - Parameters:
    ///   - type: the server.
    ///   - argument: what its `init` is given.
    ///   - options: how it is spawned.
    /// - Returns: a typed reference to the process.
    /// - Throws: ``SpawnError``; then nothing of the process remains. When the calling task is
    ///   cancelled while it waits, the new process is killed.
    /// - Source: OTP's `gen_server:start/3,4`.
    @inlinable
    public func spawn<Server: AsyncGenServer>(
        _ type: Server.Type, _ argument: Server.Argument, options: ProcessOptions = .default
    ) async throws(SpawnError) -> ServerRef<Server> {
        let (cell, _) = try await start(type, argument, options, parent: nil, bond: [])
        return ServerRef(cell)
    }

    /// Starts a server whose `init` takes nothing.
    @inlinable
    public func spawn<Server: AsyncGenServer>(
        _ type: Server.Type, options: ProcessOptions = .default
    ) async throws(SpawnError) -> ServerRef<Server> where Server.Argument == Void {
        try await spawn(type, (), options: options)
    }

    /// Starts a process that runs a closure, without waiting for anything. OTP: `spawn/1`.
    ///
    /// - Parameters:
    ///   - options: how it is spawned.
    ///   - body: what it runs. The process ends when it returns, with `.normal`, or throws, with an
    ///     ``ExitReason`` that is thrown or `.error(_)`.
    /// - Returns: the process from outside, with its value to come.
    /// - Throws: ``SpawnError``, except `.initFailed` and `.ignored`.
    @discardableResult
    public func spawn<Value: Sendable>(
        options: ProcessOptions = .default,
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) throws(SpawnError) -> ProcessRef<Value> {
        try start(options, parent: nil, bond: [], body).0
    }

    // MARK: - How it is done

    @inlinable
    func start<Server: GenServer>(
        _ type: Server.Type, _ argument: Server.Argument, _ options: ProcessOptions,
        parent: ProcessCell?, bond: Bond
    ) throws(SpawnError) -> (ProcessCell, MonitorRef?) {
        let cell = DirectCell<Server>(
            seed: try makeSeed(options, type, isServer: true, parent: parent, bond: bond))
        let ref = try launch(cell, options, parent: parent, bond: bond)
        let failure: SpawnError?
        if cell.enterInit() {
            failure = cell.runInit(parent: parent, timeout: options.startTimeout) {
                try cell.start(argument)
            }
            cell.leaveInit()
        } else {
            failure = cell.runElsewhere {
                cell.runInit(parent: parent, timeout: options.startTimeout) {
                    try cell.start(argument)
                }
            }
        }
        if let failure {
            forget(ref, of: parent)
            throw failure
        }
        return (cell, ref)
    }

    @inlinable
    func start<Server: AsyncGenServer>(
        _ type: Server.Type, _ argument: Server.Argument, _ options: ProcessOptions,
        parent: ProcessCell?, bond: Bond
    ) async throws(SpawnError) -> (ProcessCell, MonitorRef?) {
        let cell = AsyncCell<Server>(
            seed: try makeSeed(options, type, isServer: true, parent: parent, bond: bond))
        let ref = try launch(cell, options, parent: parent, bond: bond)
        let failure = await cell.runInitOnRunner(
            parent: parent, timeout: options.startTimeout
        ) { cell in
            let cell = unsafeDowncast(cell, to: AsyncCell<Server>.self)
            cell.server.pointee = try await Server(argument, process: ServerContext<Server>(cell))
        }
        if let failure {
            forget(ref, of: parent)
            throw failure
        }
        return (cell, ref)
    }

    /// The starter is told of a failed start by what the spawn throws, not by a DOWN besides.
    @usableFromInline
    func forget(_ ref: MonitorRef?, of parent: ProcessCell?) {
        if let ref, let parent { _ = parent.demonitor(ref) }
    }

    func start<Value: Sendable>(
        _ options: ProcessOptions, parent: ProcessCell?, bond: Bond,
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) throws(SpawnError) -> (ProcessRef<Value>, MonitorRef?) {
        let result = ResultCell()
        let cell = ClosureCell(
            seed: try makeSeed(
                options, Process.self, isServer: false, parent: parent, bond: bond),
            body: { try await body($0) }, result: result)
        let ref = try launch(cell, options, parent: parent, bond: bond)
        cell.startBody()
        return (ProcessRef(cell: cell, result: result), ref)
    }

    /// Checks the options, counts the process, and puts together what it is made from.
    @usableFromInline
    func makeSeed(
        _ options: ProcessOptions, _ type: Any.Type, isServer: Bool, parent: ProcessCell?,
        bond: Bond
    ) throws(SpawnError) -> ProcessSeed {
        guard MailboxOptions.capacityRange.contains(options.mailbox.capacity) else {
            throw .mailboxCapacityInvalid(options.mailbox.capacity)
        }
        if let name = options.name, !NameRegistry.isValid(name) { throw .nameInvalid(name) }
        let id = try countProcess()
        let obeysParent = bond.contains(.linked) && isServer
        return ProcessSeed(
            node: self,
            traits: makeTraits(options, type, isServer, obeysParent, parent?.traits.groupLeader),
            id: id, parentID: parent?.id ?? 0, startedAt: scheduler.coarseNow)
    }

    private func makeTraits(
        _ options: ProcessOptions, _ type: Any.Type, _ isServer: Bool, _ obeysParent: Bool,
        _ parentsLeader: Pid?
    ) -> ProcessTraits {
        let leader = options.groupLeader ?? parentsLeader
        let key = TraitsTable.Key(
            type: ObjectIdentifier(type), obeysParent: obeysParent, thread: traits.ownThread)
        let isPlain =
            !options.ownThread && !options.stopsOnNormalLink
            && options.mailbox == MailboxOptions() && options.leftovers.areDropped
        if isPlain, leader == nil, let found = traits.find(key) { return found }
        func make() -> ProcessTraits {
            ProcessTraits(
                key, options: options, groupLeader: leader, type: type, isServer: isServer,
                on: scheduler)
        }
        guard isPlain else { return make() }
        guard let leader else { return traits.insert(make()) }
        guard case .process(let cell) = locate(leader) else { return make() }
        return cell.groupTraits(for: key, make)
    }

    /// Makes a new process known: by pid, by name, to its spawner.
    @usableFromInline
    func launch(
        _ cell: ProcessCell, _ options: ProcessOptions, parent: ProcessCell?, bond: Bond
    ) throws(SpawnError) -> MonitorRef? {
        cell.adopt(options, from: parent)
        let refill = cell.refill()
        table.insert(cell)
        if let name = options.name {
            do {
                try names.insert(name, for: cell, pid: cell.pid)
            } catch {
                endUnstarted(cell)
                switch error {
                case .nameTaken(let name, let pid): throw .nameTaken(name, by: pid)
                // The node has stopped meanwhile, and taken the process out of its tables.
                case .processUnknown: throw .nodeStopped(node: self.name)
                default: throw .nameInvalid(name)
                }
            }
        }
        if let failure = options.registration?.register(cell) {
            endUnstarted(cell)
            throw .registrationFailed(failure)
        }
        // A parent that has ended meanwhile would leave an orphan.
        if bond.contains(.linked), let parent, parent.link(to: cell) != .linked {
            cell.receiveUnlinkedExit(.noProcess, from: parent.pid)
        }
        let ref =
            bond.contains(.monitored) ? parent?.monitor(cell, as: .pid(cell.pid)) : nil
        if let lifetime = options.lifetime { cell.begin(lifetime) }
        emit(.spawned) { .spawned(cell.pid, behaviour: cell.traits.typeName) }
        refill?.report(for: cell)
        if refusesProcesses { cell.orderShutdown() }
        return ref
    }

    /// Ends a process that cannot be started. It may have been found by now, and be sent to, so it
    /// ends as every process does.
    private func endUnstarted(_ cell: ProcessCell) {
        let ending = Ending(own: .noProcess)
        _ = cell.beginTermination(ending)
        var batch = MessageQueue()
        cell.finish(ending, batch: &batch, isQuiet: true)
    }
}

extension ClosureCell {
    func startBody() {
        let arrival = withCore { core in
            core.arrival(for: core.lifecycle.started(hasWork: true))
        }
        arrival.perform(for: self)
    }
}

extension ProcessCell {
    /// Completes the core of this process, which nobody else knows yet.
    fileprivate final func adopt(_ options: ProcessOptions, from parent: ProcessCell?) {
        core.adopt(traits)
        core.trapsExits = options.trapsExits
        let inherited = parent?.withCore { $0.environment } ?? Environment()
        core.environment = inherited.merging(options.environment)
    }

    /// The traits for a process that has this one as its group leader, and otherwise differs from
    /// others in nothing but its type.
    fileprivate final func groupTraits(
        for key: TraitsTable.Key, _ makeTraits: () -> ProcessTraits
    ) -> ProcessTraits {
        let found = withCore { $0.relations?.rare?.groupTraits[key] }
        if let found { return found }
        let made = makeTraits()
        withCore { core in
            guard core.lifecycle.phase != .ended, !core.isClosing else { return }
            core.makeRelations().makeRare().groupTraits[key] = made
        }
        return made
    }

    /// Runs `init`; the process is in the phase `starting`.
    ///
    /// - Parameter timeout: when `init` takes longer the process is killed. It has to return for
    ///   that: it runs on the thread of its starter.
    /// - Returns: why the process was not started, when it was not. It has ended then.
    @usableFromInline
    final func runInit(
        parent: ProcessCell?, timeout: Duration?, _ body: () throws -> Void
    ) -> SpawnError? {
        let begin = timeout.map { _ in scheduler.now }
        do {
            try throwIfToldToEnd()
            try failIfSimulated()
            try body()
            if let begin, let timeout, scheduler.now - begin > timeout.clampedNanoseconds {
                killSelf()
            }
            try throwIfToldToEnd()
            started()
            return nil
        } catch {
            let failure = startFailed(error, parent: parent)
            if let begin, let timeout, scheduler.now - begin > timeout.clampedNanoseconds,
                case .initFailed(.killed) = failure
            {
                return .startTimeout(timeout)
            }
            return failure
        }
    }

    /// Runs `init` on a runner and waits for it.
    @usableFromInline
    final func runInitOnRunner(
        parent: ProcessCell?, timeout: Duration?,
        _ body: @escaping @Sendable (ProcessCell) async throws -> Void
    ) async -> SpawnError? {
        let outcome = TypedReplyCell<SpawnError?>(callee: pid)
        borrowRunner { cell, runner in
            do {
                _ = cell.attach(runner)
                try cell.throwIfToldToEnd()
                try cell.failIfSimulated()
                try await body(cell)
                try cell.throwIfToldToEnd()
                cell.detachRunner()
                cell.started()
                outcome.complete(nil)
            } catch {
                outcome.complete(cell.startFailed(error, parent: parent))
            }
        }
        let inbox = ReplyInbox()
        outcome.observe(inbox, token: 0)
        // At once, not when this task gets its turn: init might return before that.
        let failure = await withTaskCancellationHandler {
            await startTimeout(timeout, inbox, parent: parent)
        } onCancel: {
            // A supervisor has to end the children that it has started so far.
            let signal =
                self.traits.childReader != nil
                ? ExitSignal(kind: .order, reason: .shutdown)
                : ExitSignal(kind: .explicit, reason: .kill)
            // Whose init has returned has been started, whether or not its starter knows already.
            self.receiveNow(signal, from: self.pid, onlyDuringInit: true)
        }
        if let failure { return failure }
        return outcome.withState { _ in outcome.value ?? nil }
    }

    /// Waits for `init`, but no longer than the start timeout.
    private func startTimeout(
        _ timeout: Duration?, _ inbox: ReplyInbox, parent: ProcessCell?
    ) async -> SpawnError? {
        let deadline = timeout.map { scheduler.now.addingSaturated($0.clampedNanoseconds) } ?? .max
        if await isStarted(inbox, by: deadline) { return nil }
        // Init may return right now. The process ends all the same, and its starter is told of that
        // by what the spawn throws, not by an exit signal besides.
        parent?.unlink(from: pid)
        let end = TypedReplyCell<ExitReason>(callee: pid)
        let isAlive = waitForExit(end)
        killSelf()
        guard isAlive else { return .startTimeout(timeout ?? .zero) }
        // An init that waits in an operation of this library, or heeds its cancellation, ends now.
        // One that does not is left behind, so that the starter is not held up by it.
        let grace = Self.startGrace.clampedNanoseconds
        await end.wait(
            deadline: scheduler.now.addingSaturated(grace), on: node.scheduler,
            isCancellable: false)
        if (try? end.take()) == nil { abandon() }
        return .startTimeout(timeout ?? .zero)
    }

    /// How long a process whose start took too long gets to end.
    private static var startGrace: Duration { .seconds(1) }

    /// Waits until `init` has returned; when the task is cancelled, which kills the process, until
    /// that has ended.
    private func isStarted(_ inbox: ReplyInbox, by deadline: UInt64) async -> Bool {
        do {
            return try await inbox.next(deadline: deadline, on: node) != nil
        } catch {
            await inbox.nextIgnoringCancellation(on: scheduler)
            return true
        }
    }

    private func killSelf() {
        receive(ExitSignal(kind: .explicit, reason: .kill), from: pid)
    }

    final func detachRunner() {
        withCore { $0.runner = nil }
    }

    @usableFromInline
    final func throwIfToldToEnd() throws {
        // Set with every order to end.
        guard attention.load(ordering: .relaxed) else { return }
        if let reason = withCore({ $0.lifecycle.stopReason }) { throw reason }
    }

    /// `init` has thrown: ends the process.
    @usableFromInline
    final func startFailed(_ error: any Error, parent: ProcessCell?) -> SpawnError {
        let ending: Ending
        let isIgnored = error is IgnoreStart
        if isIgnored {
            ending = Ending(own: .normal)
        } else {
            ending = failed(error, nil) { "init" }
        }
        // The starter is told by what the spawn throws, not by an exit signal besides.
        if let parent { parent.unlink(from: pid) }
        _ = beginTermination(ending)
        var batch = MessageQueue()
        let reason = finish(ending, batch: &batch, isQuiet: isIgnored)
        return isIgnored && reason == .normal ? .ignored : .initFailed(reason)
    }

    /// Whether `init` of this process may run on the calling thread; then ``leaveInit()`` follows.
    ///
    /// Servers that start servers in their `init`, and so on, nest on the stack. Where that gets
    /// too deep the next one runs on a fresh thread, and the caller waits for it. A process with a
    /// thread of its own runs there from the beginning.
    @usableFromInline
    final func enterInit() -> Bool {
        // A simulation has one thread, with a large stack.
        traits.isSimulated || !traits.hasOwnThread && Nesting.enter()
    }

    @usableFromInline
    final func leaveInit() {
        if !traits.isSimulated { Nesting.leave() }
    }

    /// Runs `body` for this process on another thread, and waits for it; see ``enterInit()``.
    @usableFromInline
    final func runElsewhere<Result: Sendable>(
        _ body: @escaping @Sendable () -> Result
    ) -> Result {
        let parker = Parker()
        let box = TypedReplyCell<Result>(callee: pid)
        if traits.hasOwnThread {
            Task.detached(executorPreference: scheduler) {
                box.complete(body())
                parker.unpark()
            }
        } else {
            Platform.startThread(name: "troupe-init") {
                box.complete(body())
                parker.unpark()
            }
        }
        parker.park()
        guard let result = box.withState({ _ in box.value }) else {
            preconditionFailure("the thread has put its result before it gave the permit")
        }
        return result
    }
}

/// How deep inits nest on the stack of this thread.
enum Nesting {
    static let depthMax = 32
    private static let slot = ThreadLocalPointer()

    /// The depth on the threads of schedulers is kept with what else is theirs.
    private static func withDepth<Result>(_ body: (inout Int) -> Result) -> Result {
        if let thread = WorkerLocal.current { return body(&thread.pointee.initDepth) }
        var depth = Int(bitPattern: slot.value)
        defer { slot.value = UnsafeMutableRawPointer(bitPattern: depth) }
        return body(&depth)
    }

    static func enter() -> Bool {
        withDepth { depth in
            guard depth < depthMax else { return false }
            depth += 1
            return true
        }
    }

    static func leave() { withDepth { $0 -= 1 } }
}
