//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a process can do to itself, seen from inside: its identity, links, monitors, timers, names.
///
/// Servers get it as a ``ServerContext`` in every callback, closure processes as a ``Process``.
/// Neither is `Sendable`: the compiler keeps them inside their process.
public protocol ProcessContext {
    /// The process object; not for use outside Troupe.
    var _handle: ProcessHandle { get }
}

/// Wraps the process object, so that ``ProcessContext`` can be public.
public struct ProcessHandle: Sendable {
    @usableFromInline let cell: ProcessCell

    @inlinable
    init(_ cell: ProcessCell) {
        self.cell = cell
    }
}

extension ProcessContext {
    var cell: ProcessCell { _handle.cell }

    // MARK: - Who I am

    /// The pid of this process. OTP: `self()`.
    public var pid: Pid { cell.pid }

    /// The node that this process runs on.
    public var node: Node { cell.node }

    /// Who spawned this process; nil when its node did. It says nothing about who lives how long.
    public var parent: Pid? { cell.parentID == 0 ? nil : cell.node.pid(id: cell.parentID) }

    /// The group leader: the spawn option, else the parent's, else none.
    public var groupLeader: Pid? { cell.traits.groupLeader }

    /// The names of this process, in the order in which they were registered.
    public var names: [String] { cell.names }

    // MARK: - Links and exits

    /// Links this process with another, in both directions: when one ends, the other gets an exit
    /// signal. OTP: `link/1`.
    ///
    /// Linking to oneself does nothing.
    ///
    /// - Returns: whether the link is new.
    /// - Throws: ``SignalError`` — `.processUnknown` when there is no such process on this node,
    ///   and then no exit signal is sent; `.incarnation` for a pid of an earlier start of this node.
    @discardableResult
    public func link(to target: Pid) throws(SignalError) -> LinkResult {
        switch cell.node.locate(target) {
        case .process(let other):
            switch cell.link(to: other) {
            case .linked: return .linked
            case .alreadyLinked: return .alreadyLinked
            case .targetEnded, .selfEnded: throw .processUnknown(target)
            }
        case .unknown: throw .processUnknown(target)
        case .incarnation: throw .incarnation(target)
        case .remote:
            // As OTP does it: the call succeeds, and the exit signal tells.
            cell.receiveUnlinkedExit(.noConnection, from: target)
            return .linked
        }
    }

    /// Removes the link with another process; nothing happens if there is none. OTP: `unlink/1`.
    ///
    /// When this returns, no exit signal of that link is received any more; one that was received
    /// before is in the mailbox.
    public func unlink(from target: Pid) {
        cell.unlink(from: target)
    }

    /// The pids of the processes that this one is linked to.
    public var links: [Pid] {
        cell.withCore { $0.relations?.links.pids ?? [] }
    }

    /// Sets whether exit signals become ``MessageExit`` messages instead of ending this process.
    /// OTP: `process_flag(trap_exit, Bool)`.
    ///
    /// The flag counts when a signal is received. A kill cannot be trapped, and a server that was
    /// started linked obeys the exit of its parent in any case.
    ///
    /// - Returns: what was set before; false at first.
    @discardableResult
    public func setTrapsExits(_ traps: Bool) -> Bool {
        cell.setTrapsExits(traps)
    }

    /// Whether exit signals become messages.
    public var trapsExits: Bool { cell.withCore { $0.trapsExits } }

    /// Sets whether a linked process that ends with `normal` stops this one, too: Ergo's rule.
    ///
    /// - Returns: what was set before; see ``ProcessOptions/stopsOnNormalLink``.
    @discardableResult
    public func setStopsOnNormalLink(_ stops: Bool) -> Bool {
        cell.withCore { core in
            defer { core.stopsOnNormalLink = stops }
            return core.stopsOnNormalLink
        }
    }

    /// The options of this process as they are now: what it was spawned with, and what it has set
    /// since. The name is the oldest that it still has; a lifetime and a start timeout are over or
    /// running, and not shown.
    public var options: ProcessOptions {
        let (traits, name) = (cell.traits, cell.names.first)
        return cell.withCore { core in
            ProcessOptions(
                name: name, mailbox: traits.mailbox,
                leftovers: traits.leftovers, trapsExits: core.trapsExits,
                environment: core.environment,
                groupLeader: traits.groupLeader, ownThread: traits.hasOwnThread,
                stopsOnNormalLink: core.stopsOnNormalLink)
        }
    }

    /// Sends an exit signal to a process. OTP: `exit/2`.
    ///
    /// `.kill` ends the receiver with `.killed` whatever it does; `.normal` is ignored by others
    /// than oneself; any other reason ends a receiver that does not trap exits. A process that has
    /// ended already is left in peace.
    public func exit(_ target: Pid, _ reason: ExitReason) {
        cell.node.signal(target, reason, from: pid)
    }

    // MARK: - Monitors

    /// Watches a process: when it ends, this one gets one ``MessageDown``. OTP: `monitor/2`.
    ///
    /// Every call makes another monitor. A process that does not exist gives a DOWN with
    /// `.noProcess` at once; oneself gives none ever.
    ///
    /// - Parameters:
    ///   - target: whom to watch.
    ///   - tag: comes back in ``MessageDown/tag``.
    public func monitor(_ target: Pid, tag: (any Sendable)? = nil) -> MonitorRef {
        cell.monitor(target, tag: tag, alias: nil)
    }

    /// Watches a process, and makes an alias for its answer: so that a reply and a DOWN exclude each
    /// other, or a late reply goes nowhere.
    ///
    /// - Parameters:
    ///   - target: whom to watch.
    ///   - alias: how long the alias works.
    ///   - tag: comes back in ``MessageDown/tag``.
    /// - Source: the `alias` option of OTP's `monitor/3`.
    public func monitor(
        _ target: Pid, alias: MonitorAlias, tag: (any Sendable)? = nil
    ) -> (ref: MonitorRef, alias: Alias) {
        let ref = cell.monitor(target, tag: tag, alias: alias)
        return (ref, Alias(reference: ref.reference))
    }

    /// Watches the process that holds `name` now. The DOWN carries the name, not the pid.
    ///
    /// - Parameters:
    ///   - name: if nobody holds it, the DOWN comes at once with `.noProcess`.
    ///   - node: the name of a node; nil for this one. One without a connection gives a DOWN with
    ///     `.noConnection`.
    ///   - tag: comes back in ``MessageDown/tag``.
    public func monitor(
        name: String, node: String? = nil, tag: (any Sendable)? = nil
    ) -> MonitorRef {
        let object = MonitoredObject.name(name, node: node ?? cell.node.name)
        if let node, node != cell.node.name {
            return cell.monitor(nil, as: object, missing: .noConnection, tag: tag)
        }
        return cell.monitor(cell.node.holder(of: name), as: object, tag: tag)
    }

    /// Removes a monitor; when this returns, no DOWN of it is ever seen, even if it was in the
    /// mailbox. OTP: `demonitor(Ref, [flush, info])`.
    ///
    /// - Returns: whether the monitor was still armed. False when the target has ended, so that its
    ///   DOWN was on its way, was in the mailbox or has been handled; when it was killed and left
    ///   behind, as its callback does not return; and for the monitor of another process, which stays.
    @discardableResult
    public func demonitor(_ ref: MonitorRef) -> Bool {
        cell.demonitor(ref)
    }

    // MARK: - Names and aliases

    /// Registers this process under a name. A process may have several.
    ///
    /// - Throws: ``RegistryError`` — `.nameTaken` or `.nameInvalid`; `.processUnknown` in a callback that
    ///   did not return when it had to, so that the process was left behind.
    public func register(_ name: String) throws(RegistryError) {
        try cell.node.names.insert(name, for: cell, pid: cell.pid)
    }

    /// Gives a name back.
    ///
    /// - Throws: ``RegistryError`` — `.nameUnknown` when nobody holds it. As in OTP the holder may be
    ///   another process.
    public func unregister(_ name: String) throws(RegistryError) {
        try cell.node.unregister(name)
    }

    /// Makes a second address for this process, which works until it is removed or the process ends.
    /// OTP: `alias/0`.
    ///
    /// - Parameter forOneReply: whether the first message that arrives through it removes it.
    public func makeAlias(forOneReply: Bool = false) -> Alias {
        cell.makeAlias(isOneReply: forOneReply)
    }

    /// Switches an alias off. Messages that are in the mailbox stay. OTP: `unalias/1`.
    ///
    /// - Returns: whether it was an active alias of this process.
    @discardableResult
    public func removeAlias(_ alias: Alias) -> Bool {
        cell.withCore { core in cell.removeAlias(alias.reference.id, &core) != nil }
    }

    // MARK: - Environment

    /// A value of the environment: this process's, else its group leader's, else its node's.
    ///
    /// What the parent had when it spawned this process counts as this process's own.
    public func environment<Key: EnvironmentKey>(_ key: Key.Type) -> Key.Value? {
        if let value = cell.withCore({ $0.environment[key] }) { return value }
        if let value = localGroupLeader?.withCore({ $0.environment[key] }) {
            return value
        }
        return cell.node.environment[key]
    }

    /// Sets a value for this process and the processes that it spawns from now on; nil removes it.
    public func setEnvironment<Key: EnvironmentKey>(_ key: Key.Type, to value: Key.Value?) {
        cell.withCore { $0.environment[key] = value }
    }

    /// All values that this process sees, with one entry for each key.
    public var environment: Environment {
        let leaders = localGroupLeader?.withCore { $0.environment } ?? Environment()
        let own = cell.withCore { $0.environment }
        return cell.node.environment.merging(leaders).merging(own)
    }

    /// The group leader, if it is a living process of this node.
    private var localGroupLeader: ProcessCell? {
        guard let pid = groupLeader, case .process(let leader) = cell.node.locate(pid) else {
            return nil
        }
        return leader
    }

    // MARK: - Sending

    /// Sends a message to a process of this node. A server gets it in `handleInfo`.
    ///
    /// Two messages from one process to another arrive in the order in which they were sent.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered. Who does not care
    ///   writes `try?`.
    public func send<Message: Sendable>(
        _ message: Message, to target: Pid
    ) throws(SendError<Message>) {
        try cell.node.send(message, to: target)
    }

    /// Sends a message to whoever a destination names: a pid, a name, an alias.
    ///
    /// - Throws: ``SendError``, with the message, when it was not delivered.
    public func send<Message: Sendable>(
        _ message: Message, to target: Destination
    ) throws(SendError<Message>) {
        try cell.node.send(message, to: target)
    }

    // MARK: - Timers

    /// Sends a message after a delay. OTP: `erlang:send_after/3`.
    ///
    /// - Parameters:
    ///   - message: what to send.
    ///   - target: to whom; looked up when the timer fires. Nil for this process itself.
    ///   - delay: at least this long, never early. Zero sends it as soon as possible.
    /// - Returns: the timer, for ``TimerRef/cancel()``. It dies with this process, whoever the receiver is.
    /// - Throws: ``TimerError`` when the delay is negative or too long, or the receiver is named by a
    ///   pid of another node or of an earlier start of this one.
    @discardableResult
    public func send(
        _ message: any Sendable, to target: Destination? = nil, after delay: Duration
    ) throws(TimerError) -> TimerRef {
        let cell = cell
        return try MessageTimer.start(
            message, to: target ?? .pid(cell.pid), on: cell.node, owner: cell, after: delay)
    }

    /// Sends a ``MessageTimeout`` after a delay: the message with the timer it came from, so that one
    /// of a timer that was replaced can be told from the current one. OTP: `erlang:start_timer/3`.
    ///
    /// - Returns: the timer. It dies with this process, whoever the receiver is.
    /// - Throws: ``TimerError``, as `send(_:to:after:)`.
    @discardableResult
    public func startTimer(
        _ message: any Sendable, to target: Destination? = nil, after delay: Duration
    ) throws(TimerError) -> TimerRef {
        try MessageTimer.start(
            message, to: target ?? .pid(pid), on: cell.node, owner: cell, after: delay,
            isNamed: true)
    }

    /// Sends a message at an instant of the node's clock, or as soon as possible when it has passed.
    /// OTP: `erlang:send_after/4` with `abs`.
    ///
    /// - Returns: the timer, for ``TimerRef/cancel()``. It dies with this process.
    /// - Throws: ``TimerError/tooLong(_:)``.
    @discardableResult
    public func send(
        _ message: any Sendable, to target: Destination? = nil, at instant: NodeClock.Instant
    ) throws(TimerError) -> TimerRef {
        let delay = cell.node.clock.now.duration(to: instant)
        return try send(message, to: target, after: max(delay, .zero))
    }

    /// Sends a message again and again, first after one interval.
    ///
    /// The times are multiples of the interval counted from now: one that is late does not delay
    /// the next. When the program was stopped for a while, the missed ones are left out.
    ///
    /// - Parameters:
    ///   - message: what to send.
    ///   - target: to whom; looked up each time. Nil for this process itself.
    ///   - interval: at least 1 ms.
    /// - Returns: the timer, for ``TimerRef/cancel()``. It dies with this process.
    /// - Throws: ``TimerError`` when the interval is too short or too long, or the receiver is named
    ///   by a pid of another node or of an earlier start of this one.
    /// - Source: OTP's `timer:send_interval/2,3`.
    @discardableResult
    public func send(
        _ message: any Sendable, to target: Destination? = nil, every interval: Duration
    ) throws(TimerError) -> TimerRef {
        try MessageTimer.start(
            message, to: target ?? .pid(pid), on: cell.node, owner: cell, after: interval,
            every: interval)
    }

    /// A reference that is unlike any other. OTP: `make_ref/0`.
    public func makeReference() -> Reference {
        let reference = cell.node.makeReference()
        cell.madeReference(reference.id)
        return reference
    }
}

/// Why two processes could not be linked.
@nonexhaustive
public enum SignalError: Error, Hashable, Sendable {
    /// There is no such process (any more).
    case processUnknown(Pid)
    /// The pid belongs to an earlier life of this node.
    case incarnation(Pid)
}

extension SignalError: CustomStringConvertible {
    /// What happened and to whom.
    public var description: String {
        switch self {
        case .processUnknown(let pid): SendFailure.processUnknown(pid).description
        case .incarnation(let pid): SendFailure.incarnation(pid).description
        }
    }
}

extension ProcessCell {
    /// Monitors whom a pid names.
    fileprivate func monitor(
        _ target: Pid, tag: (any Sendable)?, alias: MonitorAlias?
    ) -> MonitorRef {
        switch node.locate(target) {
        case .process(let other): monitor(other, as: .pid(target), tag: tag, alias: alias)
        case .unknown, .incarnation: monitor(nil, as: .pid(target), tag: tag, alias: alias)
        case .remote:
            monitor(nil, as: .pid(target), missing: .noConnection, tag: tag, alias: alias)
        }
    }

    /// An exit signal as by a link, without a link: what linking to an unreachable process sends.
    func receiveUnlinkedExit(_ reason: ExitReason, from target: Pid) {
        receive(ExitSignal(kind: .explicit, reason: reason), from: target)
    }

    @usableFromInline
    func reportOverflow() {
        let count = withCore { $0.dropped }
        node.emit(.messageDropped) {
            .messageDropped(pid, policy: traits.mailbox.overflow, droppedSoFar: count)
        }
    }
}
