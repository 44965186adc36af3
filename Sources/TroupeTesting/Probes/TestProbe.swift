//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Troupe

/// A process of a test's own: it keeps every message that it gets, and the test takes them out.
///
/// Give its ``pid`` to what is tested, as the process that is to be told something, or as a fake of
/// a server that is only sent messages. It traps exits, so that links with it are seen as
/// `MessageExit`, and monitors of it as `MessageDown`.
///
/// ```swift
/// let probe = try TestProbe(on: node)
/// try worker.cast(.start(reportTo: probe.pid))
/// let report = try await probe.next(Report.self) { $0.isFinal }
/// ```
///
/// Works on real threads, with a ``VirtualClock``, and under simulation. Waits go by the clock of
/// the node; when that one is virtual and stands still, by real time.
///
/// - Source: Akka's `TestProbe`; in OTP a test is a process itself, and receives.
public final class TestProbe: Sendable {
    /// The node that the probe runs on.
    public let node: Node
    private let server: ServerRef<ProbeServer>
    private let arrivals: Arrivals<any Sendable>
    private let name: String?

    /// Starts a probe. It ends with its node, or by ``stop()``.
    ///
    /// - Parameters:
    ///   - node: where it runs.
    ///   - name: is registered for it; nil for none.
    /// - Throws: `SpawnError`, when the name is taken or the node has stopped.
    public init(on node: Node, name: String? = nil) throws(SpawnError) {
        let arrivals = Arrivals<any Sendable>(describedBy: messageName)
        self.arrivals = arrivals
        self.node = node
        self.name = name
        self.server = try node.spawn(
            ProbeServer.self, arrivals,
            options: ProcessOptions(
                name: name, mailbox: MailboxOptions(capacity: 1 << 24), trapsExits: true))
    }

    /// The pid.
    public var pid: Pid { server.pid }

    // MARK: - What has come

    /// Everything that the probe has got so far, in order, whether it was taken or not.
    public var received: [any Sendable] { arrivals.all }

    /// Takes the next message of a type, and leaves the others for later, in their order.
    ///
    /// - Parameters:
    ///   - type: of the message.
    ///   - limit: how long to wait at most. With zero it looks at what has been sent already.
    ///   - isWanted: whether to take this one; nil for any.
    ///   - fileID: for the error.
    ///   - line: for the error.
    /// - Returns: the message.
    /// - Throws: ``ProbeError/timeout(_:)``, which says what came instead; `CancellationError` when
    ///   the task is cancelled.
    /// - Source: Akka's `expectMsgType` and `fishForMessage`; a `receive` with `after` in OTP.
    @discardableResult
    public func next<Message>(
        _ type: Message.Type, within limit: Duration = .seconds(5),
        where isWanted: ((Message) -> Bool)? = nil, fileID: String = #fileID, line: Int = #line
    ) async throws -> Message {
        if limit <= .zero { await catchUp() }
        let search = Arrivals<any Sendable>.Search<Message>(
            awaited: "\(type)\(isWanted == nil ? "" : " that matches")", limit: limit,
            location: CallLocation(fileID: fileID, line: line)
        ) { message in
            (message as? Message).flatMap { isWanted?($0) ?? true ? $0 : nil }
        }
        return try await arrivals.take(search, for: description, on: node.scheduler.forWaiting)
    }

    /// Takes the next message, whatever it is.
    ///
    /// - Parameters:
    ///   - limit: how long to wait at most.
    ///   - fileID: for the error.
    ///   - line: for the error.
    /// - Throws: as `next(_:within:where:)`.
    /// - Source: Akka's `receiveOne`.
    @discardableResult
    public func next(
        within limit: Duration = .seconds(5), fileID: String = #fileID, line: Int = #line
    ) async throws -> any Sendable {
        if limit <= .zero { await catchUp() }
        let search = Arrivals<any Sendable>.Search<any Sendable>(
            awaited: "a message", limit: limit,
            location: CallLocation(fileID: fileID, line: line)
        ) { $0 }
        return try await arrivals.take(search, for: description, on: node.scheduler.forWaiting)
    }

    /// Waits for a while, during which nothing may come. Nor may there be anything that was not
    /// taken before.
    ///
    /// With a ``VirtualClock`` that waits in real time: let its time pass first, and then expect no
    /// message for zero.
    ///
    /// - Parameters:
    ///   - span: how long. With zero it looks at what has been sent already.
    ///   - fileID: for the error.
    ///   - line: for the error.
    /// - Throws: ``ProbeError/unexpected(_:)`` as soon as something comes; `CancellationError`.
    /// - Source: Akka's `expectNoMessage`.
    public func expectNoMessage(
        for span: Duration, fileID: String = #fileID, line: Int = #line
    ) async throws {
        await catchUp()
        let count = arrivals.all.count
        var hasCome = !arrivals.kept.isEmpty
        if !hasCome, span > .zero {
            hasCome = try await arrivals.arrives(
                after: count, within: span, on: node.scheduler.forWaiting)
        }
        guard hasCome else { return }
        throw ProbeError.unexpected(
            UnexpectedMessages(
                who: description, messages: arrivals.names(of: arrivals.kept),
                location: CallLocation(fileID: fileID, line: line)))
    }

    // MARK: - What it does

    /// Monitors a process: its end arrives as `MessageDown`. OTP: `monitor/2`.
    ///
    /// - Throws: ``ProbeError/stopped(probe:)``; `CancellationError`.
    @discardableResult
    public func monitor(_ target: Pid) async throws -> MonitorRef {
        try await perform { $0.monitor(target) }
    }

    /// Links the probe with a process, whose end arrives as `MessageExit`. OTP: `link/1`.
    ///
    /// - Throws: `SignalError` when there is no such process; ``ProbeError/stopped(probe:)``;
    ///   `CancellationError`.
    public func link(_ target: Pid) async throws {
        _ = try await perform { process in Result { try process.link(to: target) } }.get()
    }

    /// Removes the link with a process. OTP: `unlink/1`.
    ///
    /// - Throws: ``ProbeError/stopped(probe:)``; `CancellationError`.
    public func unlink(_ target: Pid) async throws {
        try await perform { $0.unlink(from: target) }
    }

    /// Sends a message in the name of the probe: after what it has sent to the same process before.
    ///
    /// - Throws: `SendError` when it was not delivered; ``ProbeError/stopped(probe:)``;
    ///   `CancellationError`.
    public func send<Message: Sendable>(
        _ message: Message, to target: Destination
    ) async throws {
        try await perform { process in Result { try process.send(message, to: target) } }.get()
    }

    /// Sends a message in the name of the probe; see `send(_:to:)` for a destination.
    public func send<Message: Sendable>(_ message: Message, to target: Pid) async throws {
        try await send(message, to: .pid(target))
    }

    /// Ends the probe with `normal`, and waits until it has ended. What it has got remains.
    ///
    /// Nothing happens when it has ended already.
    public func stop() async { try? await server.stop() }

    /// Waits until the probe has got what was sent before.
    private func catchUp() async { try? await perform { _ in } }

    private func perform<Result: Sendable>(
        _ body: @escaping @Sendable (ProbeServer.ServerProcess) -> Result
    ) async throws -> Result {
        let result = LockBox<Result?>(nil)
        do {
            try await server.call(
                ProbeServer.Call { process in
                    let value = body(process)
                    result.lock.withLock { $0 = value }
                }, timeout: .seconds(Int64.max))
        } catch {
            if error == .cancelled { throw CancellationError() }
            throw ProbeError.stopped(probe: description)
        }
        guard let value = result.lock.withLock({ $0 }) else {
            preconditionFailure("a call that has a reply was handled")
        }
        return value
    }
}

extension TestProbe: CustomStringConvertible {
    /// `probe`, its name if it has one, and its pid.
    public var description: String { name.map { "probe \"\($0)\" \(pid)" } ?? "probe \(pid)" }
}

/// The process of a probe.
struct ProbeServer: GenServer {
    /// Something to do within the process.
    struct Call: Sendable {
        let body: @Sendable (ServerContext<ProbeServer>) -> Void
    }

    private let arrivals: Arrivals<any Sendable>

    init(_ arrivals: Arrivals<any Sendable>, process: ServerProcess) {
        self.arrivals = arrivals
    }

    mutating func handleCall(
        _ request: Call, from: From<Void>, process: ServerProcess
    ) -> CallResult<Void> {
        request.body(process)
        return .reply(())
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
        arrivals.append(message)
    }
}

/// The type of a message and, for an enum, its case; for the end of a process who and why.
func messageName(_ message: any Sendable) -> String {
    switch message {
    case let down as MessageDown:
        switch down.object {
        case .pid(let pid): "MessageDown(\(pid): \(down.reason))"
        case .name(let name, _): "MessageDown(\"\(name)\": \(down.reason))"
        }
    case let exit as MessageExit: "MessageExit(\(exit.from): \(exit.reason))"
    default: caseName(of: message, type: type(of: message as Any))
    }
}
