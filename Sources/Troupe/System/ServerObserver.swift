//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// Something that a watched server does with a message.
///
/// - Source: the `system_event()` of OTP's `sys`.
public struct ServerEvent: Sendable {
    /// What is done.
    public enum Action: Sendable, Hashable {
        /// It takes this message to handle it.
        case received(MessageKind)
        /// It has answered the call that it took last. A reply that is given later is not seen.
        case replied
    }

    /// What is done.
    public let action: Action
    /// The server.
    public let pid: Pid
    /// The type of the message or, for an enum, its case; for a reply, its type.
    public let type: String
    /// The message; nil for a reply and for a timeout.
    public let message: (any Sendable)?
}

extension ServerEvent: CustomStringConvertible {
    /// Who does what with which type; never what the message carries.
    public var description: String {
        switch action {
        case .received(let kind): "\(pid) got \(kind) \(type)"
        case .replied: "\(pid) replied \(type)"
        }
    }
}

/// Whether a hook wants to be called again.
public enum HookResult: Sendable {
    /// It stays.
    case keep
    /// It is removed.
    case remove
}

extension ServerRef {
    // MARK: - Watching

    /// Calls a function for everything that the server does with a message, on the server's thread.
    /// OTP: `sys:install/2,3`.
    ///
    /// While a server is watched its calls are not handled on their callers' threads.
    ///
    /// - Parameters:
    ///   - id: names the hook. If there is one of this name already, nothing happens.
    ///   - state: what the hook keeps between its calls.
    ///   - hook: is called with its state and the event. Keep it short: the server waits for it.
    /// - Returns: whether it was installed.
    /// - Throws: ``CallError/noProcess(_:)``.
    @discardableResult
    public func installHook<State: Sendable>(
        _ id: String, state: State,
        _ hook: @escaping @Sendable (inout State, ServerEvent) -> HookResult
    ) throws(CallError) -> Bool {
        var state = Optional(state)
        return try cell.changeObserver { observer in
            guard !observer.hooks.contains(where: { $0.id == id }), let first = state.take() else {
                return false
            }
            let box = HookState(first)
            observer.hooks.append((id, { hook(&box.value, $0) }))
            return true
        }
    }

    /// Removes a hook. OTP: `sys:remove/2`.
    ///
    /// - Returns: whether there was one of this name.
    /// - Throws: ``CallError/noProcess(_:)``.
    @discardableResult
    public func removeHook(_ id: String) throws(CallError) -> Bool {
        try cell.changeObserver { observer in
            let count = observer.hooks.count
            observer.hooks.removeAll { $0.id == id }
            return observer.hooks.count < count
        }
    }

    /// Prints a line for everything that the server does with a message. OTP: `sys:trace/2`.
    ///
    /// - Parameter print: prints one line; nil ends the trace.
    /// - Throws: ``CallError/noProcess(_:)``.
    public func trace(_ print: (@Sendable (String) -> Void)?) throws(CallError) {
        try cell.changeObserver { $0.trace = print }
    }

    /// Keeps the last events from now on; zero keeps none and forgets those that were kept. OTP:
    /// `sys:log/2`.
    ///
    /// - Throws: ``CallError/noProcess(_:)``.
    public func keepLog(ofLast count: Int) throws(CallError) {
        try cell.changeObserver { observer in
            observer.logCapacity = max(count, 0)
            observer.trimLog()
        }
    }

    /// The events that were kept, oldest first; see ``keepLog(ofLast:)``.
    ///
    /// - Throws: ``CallError/noProcess(_:)``.
    public var log: [ServerEvent] {
        get throws(CallError) { try cell.changeObserver { $0.log } }
    }

    /// Removes all hooks, the trace and the log. OTP: `sys:no_debug/1`.
    ///
    /// - Throws: ``CallError/noProcess(_:)``.
    public func stopWatching() throws(CallError) {
        try cell.changeObserver { $0 = ServerObserver.State() }
    }
}

/// Where a hook keeps its state. Only touched by the process that the hook watches.
private final class HookState<Value>: @unchecked Sendable {
    var value: Value

    init(_ value: Value) {
        self.value = value
    }
}

/// Those who watch one server.
@usableFromInline
final class ServerObserver: Sendable {
    struct State: Sendable {
        var hooks: [(id: String, call: @Sendable (ServerEvent) -> HookResult)] = []
        var trace: (@Sendable (String) -> Void)?
        var log: [ServerEvent] = []
        var logCapacity = 0

        var isEmpty: Bool { hooks.isEmpty && trace == nil && logCapacity == 0 }

        mutating func trimLog() {
            if log.count > logCapacity { log.removeFirst(log.count - logCapacity) }
        }
    }

    /// Ranks after the lock of a process.
    let state = Lock(State())

    /// Something was done. To be called by whoever runs the process, without a lock.
    func note(_ event: ServerEvent) {
        let (hooks, trace) = state.withLock { state in
            if state.logCapacity > 0 {
                state.log.append(event)
                state.trimLog()
            }
            return (state.hooks, state.trace)
        }
        trace?("\(event)")
        for hook in hooks where hook.call(event) == .remove {
            state.withLock { state in state.hooks.removeAll { $0.id == hook.id } }
        }
    }
}

extension ServerObserver {
    /// A message is about to be handled.
    @usableFromInline
    func received<Server: ServerProtocol>(_ envelope: Envelope<Server>, by cell: ProcessCell) {
        let (kind, message): (MessageKind, (any Sendable)?) =
            switch envelope {
            case .call(let request, _): (.call, request)
            case .cast(let message), .ask(let message, _): (.cast, message)
            case .direct(let request, _): (.direct, request)
            case .info(let message): (.info, message)
            case .continuation(let message): (.continue, message)
            case .timeout: (.timeout, nil)
            }
        note(
            ServerEvent(
                action: .received(kind), pid: cell.pid, type: envelope.contentName,
                message: message))
    }

    /// A message was handled.
    @usableFromInline
    func handled<Server: ServerProtocol>(_ envelope: Envelope<Server>, by cell: ProcessCell) {
        let type: String
        switch envelope {
        case .call(_, let reply) where reply.isDone: type = "\(Server.Reply.self)"
        case .direct(_, let reply) where reply.isDone: type = "\(Server.DirectReply.self)"
        case .call, .direct, .cast, .ask, .info, .continuation, .timeout: return
        }
        note(ServerEvent(action: .replied, pid: cell.pid, type: type, message: nil))
    }
}

extension ProcessCell {
    /// Changes who watches the server, and switches the watching on or off as needed.
    final func changeObserver<Result: Sendable>(
        _ change: (inout ServerObserver.State) -> Result
    ) throws(CallError) -> Result {
        let result = withCore { core -> Result? in
            guard core.lifecycle.phase != .ended, !core.isClosing else { return nil }
            let rare = core.makeRelations().makeRare()
            let observer = rare.observer ?? ServerObserver()
            let (result, isEmpty) = observer.state.withLock { state in
                (change(&state), state.isEmpty)
            }
            rare.observer = isEmpty ? nil : observer
            core.lifecycle.isObserved = !isEmpty
            if !isEmpty { attention.store(true, ordering: .relaxed) }
            return result
        }
        guard let result else { throw .noProcess(pid) }
        return result
    }
}
