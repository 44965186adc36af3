//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

@testable import Troupe

/// What the steps of a ``Script`` can do, whichever of the two servers runs them.
protocol ScriptContext: ProcessContext {
    func setIdleTimeout(after span: Duration?)
    func setIdleTimeout(at instant: NodeClock.Instant)
    func `continue`(with message: String)
}

extension ServerContext: ScriptContext where Server.Continue == String {}

/// What a scripted server does in callbacks that nobody sends it a command for.
struct Script: Sendable {
    typealias Step = @Sendable (any ScriptContext) throws -> Void

    var log = Log<String>()
    /// `init` waits in the middle: it opens the first gate and goes on when the second is open.
    var initWaits: (begun: Gate, until: Gate)?
    var onInit: Step = { _ in }
    var onInfo: Step = { _ in }
    var onContinue: @Sendable (String, any ScriptContext) throws -> Void = { _, _ in }
    var onTimeout: Step = { _ in }
    var onTerminate: Step = { _ in }
    /// What `formatStatus` returns.
    var status: String?
}

/// What a scripted server is told to do by a call or a cast.
enum Command: Sendable {
    /// Write this down; a call is answered with 1.
    case note(String)
    case run(Script.Step)
    /// Open the first gate and wait for the second. Give a plain server its own thread for it.
    case wait(begun: Gate, until: Gate)
    /// Put the reply off; the gate is opened when that is done.
    case deferReply(isDeferred: Gate)
    case replyToDeferred(Int)
    /// Reply with 1, then stop.
    case stop(ExitReason)
    /// What only a handler that waits can do.
    case await(@Sendable (ServerContext<WaitingServer>) async throws -> Void)
}

/// What both scripted servers have in common.
private struct ScriptState {
    let script: Script
    var deferred: From<Int>?

    mutating func perform(
        _ command: Command, from: From<Int>?, process: some ScriptContext
    ) throws -> CallResult<Int> {
        switch command {
        case .note(let text): script.log.append(text)
        case .run(let step): try step(process)
        case .wait, .await: break
        case .deferReply(let isDeferred):
            deferred = from
            isDeferred.open()
            return .noReply
        case .replyToDeferred(let reply):
            let isFirst = deferred?.reply(reply) ?? false
            script.log.append(isFirst ? "replied" : "reply dropped")
        case .stop(let reason): return .stop(reason, reply: 1)
        }
        return .reply(1)
    }

    func info(_ message: any Sendable, _ process: some ScriptContext) throws {
        switch message {
        case let exit as MessageExit: script.log.append("exit \(exit.reason)")
        case let down as MessageDown: script.log.append("down \(down.reason)")
        case let response as MessageResponse: script.log.append("response \(response.result)")
        default: script.log.append("info \(message)")
        }
        try script.onInfo(process)
    }

    func continued(_ message: String, _ process: some ScriptContext) throws {
        script.log.append("continue \(message)")
        try script.onContinue(message, process)
    }

    func timedOut(_ process: some ScriptContext) throws {
        script.log.append("timeout")
        try script.onTimeout(process)
    }

    func terminate(_ reason: ExitReason, _ process: some ScriptContext) throws {
        script.log.append("terminate \(reason)")
        try script.onTerminate(process)
    }
}

/// A ``GenServer`` that does what it is told, and writes down what happens to it.
struct PlainServer: GenServer {
    private var state: ScriptState

    init(_ script: Script, process: ServerProcess) throws {
        if let (begun, until) = script.initWaits {
            begun.open()
            until.waitBlocking()
        }
        try script.onInit(process)
        state = ScriptState(script: script)
    }

    mutating func handleCall(
        _ request: Command, from: From<Int>, process: ServerProcess
    ) throws -> CallResult<Int> {
        if case .wait(let begun, let until) = request {
            begun.open()
            until.waitBlocking()
        }
        return try state.perform(request, from: from, process: process)
    }

    mutating func handleCast(_ message: Command, process: ServerProcess) throws {
        if case .wait(let begun, let until) = message {
            begun.open()
            until.waitBlocking()
        }
        _ = try state.perform(message, from: nil, process: process)
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        try state.info(message, process)
    }

    mutating func handleContinue(_ message: String, process: ServerProcess) throws {
        try state.continued(message, process)
    }

    mutating func handleTimeout(process: ServerProcess) throws { try state.timedOut(process) }

    mutating func terminate(reason: ExitReason, process: ServerProcess) throws {
        try state.terminate(reason, process)
    }

    func formatStatus() throws -> String? { state.script.status }
}

/// An ``AsyncGenServer`` that does the same.
struct WaitingServer: AsyncGenServer {
    private var state: ScriptState

    init(_ script: Script, process: ServerProcess) async throws {
        if let (begun, until) = script.initWaits {
            begun.open()
            await until.wait()
        }
        try script.onInit(process)
        state = ScriptState(script: script)
    }

    mutating func handleCall(
        _ request: Command, from: From<Int>, process: ServerProcess
    ) async throws -> CallResult<Int> {
        try await wait(for: request, process)
        return try state.perform(request, from: from, process: process)
    }

    mutating func handleCast(_ message: Command, process: ServerProcess) async throws {
        try await wait(for: message, process)
        _ = try state.perform(message, from: nil, process: process)
    }

    private func wait(for command: Command, _ process: ServerProcess) async throws {
        if case .wait(let begun, let until) = command {
            begun.open()
            await until.wait()
        }
        if case .await(let step) = command { try await step(process) }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
        try state.info(message, process)
    }

    mutating func handleContinue(_ message: String, process: ServerProcess) async throws {
        try state.continued(message, process)
    }

    mutating func handleTimeout(process: ServerProcess) async throws {
        try state.timedOut(process)
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        try state.terminate(reason, process)
    }

    func formatStatus() throws -> String? { state.script.status }
}

/// Which of the two scripted servers a test starts.
enum ServerKind: CaseIterable, Sendable {
    case plain, waiting

    func spawn(
        on node: Node, _ script: Script = Script(), options: ProcessOptions = .default
    ) async throws(SpawnError) -> ScriptedRef {
        switch self {
        case .plain: .plain(try node.spawn(PlainServer.self, script, options: options))
        case .waiting: .waiting(try await node.spawn(WaitingServer.self, script, options: options))
        }
    }

    func spawn(
        from process: some ProcessContext, _ script: Script = Script(),
        options: ProcessOptions = .default
    ) async throws(SpawnError) -> ScriptedRef {
        switch self {
        case .plain: .plain(try process.spawn(PlainServer.self, script, options: options))
        case .waiting:
            .waiting(try await process.spawn(WaitingServer.self, script, options: options))
        }
    }

    func spawnLinked(
        from process: some ProcessContext, _ script: Script = Script(),
        options: ProcessOptions = .default
    ) async throws(SpawnError) -> ScriptedRef {
        switch self {
        case .plain: .plain(try process.spawnLinked(PlainServer.self, script, options: options))
        case .waiting:
            .waiting(try await process.spawnLinked(WaitingServer.self, script, options: options))
        }
    }

    func spawnMonitored(
        from process: some ProcessContext, _ script: Script = Script(),
        options: ProcessOptions = .default
    ) async throws(SpawnError) -> (ScriptedRef, MonitorRef) {
        switch self {
        case .plain:
            let (server, ref) = try process.spawnMonitored(
                PlainServer.self, script, options: options)
            return (.plain(server), ref)
        case .waiting:
            let (server, ref) = try await process.spawnMonitored(
                WaitingServer.self, script, options: options)
            return (.waiting(server), ref)
        }
    }

    /// The options of a server whose handlers wait in the middle: a plain one blocks its thread.
    func waitingOptions(trapsExits: Bool = false) -> ProcessOptions {
        ProcessOptions(trapsExits: trapsExits, ownThread: self == .plain)
    }
}

/// One of the two scripted servers.
enum ScriptedRef: Hashable, Sendable {
    case plain(ServerRef<PlainServer>)
    case waiting(ServerRef<WaitingServer>)

    var pid: Pid {
        switch self {
        case .plain(let server): server.pid
        case .waiting(let server): server.pid
        }
    }

    var exitReason: ExitReason {
        get async throws(CallError) {
            switch self {
            case .plain(let server): try await server.exitReason
            case .waiting(let server): try await server.exitReason
            }
        }
    }

    @discardableResult
    func call(
        _ command: Command, timeout: Duration = .seconds(30)
    ) async throws(CallError) -> Int {
        switch self {
        case .plain(let server): try await server.call(command, timeout: timeout)
        case .waiting(let server): try await server.call(command, timeout: timeout)
        }
    }

    /// The error that a call fails with.
    func failure(of command: Command, timeout: Duration = .seconds(30)) async -> CallError? {
        do {
            try await call(command, timeout: timeout)
            return nil
        } catch { return error }
    }

    func direct(_ command: Command) async throws(CallError) -> Int {
        switch self {
        case .plain(let server): try await server.direct(command)
        case .waiting(let server): try await server.direct(command)
        }
    }

    func cast(_ command: Command) throws(SendError<Command>) {
        switch self {
        case .plain(let server): try server.cast(command)
        case .waiting(let server): try server.cast(command)
        }
    }

    func send(_ message: String) throws(SendError<String>) {
        switch self {
        case .plain(let server): try server.send(message)
        case .waiting(let server): try server.send(message)
        }
    }

    func sendRequest(_ command: Command) -> PendingReply<Int> {
        switch self {
        case .plain(let server): server.sendRequest(command)
        case .waiting(let server): server.sendRequest(command)
        }
    }

    func stop(
        _ reason: ExitReason = .normal, timeout: Duration? = nil
    ) async throws(CallError) {
        switch self {
        case .plain(let server): try await server.stop(reason, timeout: timeout)
        case .waiting(let server): try await server.stop(reason, timeout: timeout)
        }
    }

    func suspend() async throws(CallError) {
        switch self {
        case .plain(let server): try await server.suspend()
        case .waiting(let server): try await server.suspend()
        }
    }

    func resume() async throws(CallError) {
        switch self {
        case .plain(let server): try await server.resume()
        case .waiting(let server): try await server.resume()
        }
    }

    func status() async throws(CallError) -> ServerStatus {
        switch self {
        case .plain(let server): try await server.status()
        case .waiting(let server): try await server.status()
        }
    }
}

extension ProcessContext {
    /// Sends a request to a scripted server; the response comes as a message.
    func sendRequest(
        _ command: Command, to server: ScriptedRef, timeout: Duration = .seconds(30)
    ) -> RequestID {
        switch server {
        case .plain(let server): sendRequest(command, to: server, timeout: timeout)
        case .waiting(let server): sendRequest(command, to: server, timeout: timeout)
        }
    }
}

extension Node {
    /// Runs `body` in a process that traps exits.
    ///
    /// - Returns: what `body` returns, and what it has left in the mailbox.
    func runProcess<Value: Sendable>(
        _ body: @escaping @Sendable (Process) async throws -> Value
    ) async throws -> (value: Value, left: [String]) {
        let process = try spawn(options: .init(trapsExits: true, ownThread: true)) { process in
            let value = try await body(process)
            var left: [String] = []
            while let message = try await process.receive(timeout: .zero) {
                left.append("\(message)")
            }
            return (value, left)
        }
        return try await process.value
    }

    /// Runs `body` on a thread of its own, for what blocks.
    func runBlocking<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            Platform.startThread(name: "test") { continuation.resume(returning: body()) }
        }
    }
}

extension SpawnError {
    /// Why `init` has failed; nil when the start has failed for another reason.
    var initReason: ExitReason? {
        if case .initFailed(let reason) = self { reason } else { nil }
    }

    var isIgnored: Bool {
        if case .ignored = self { true } else { false }
    }

    var isStartTimeout: Bool {
        if case .startTimeout = self { true } else { false }
    }
}

/// The error that a spawn fails with; nil when it does not.
func spawnFailure<Result>(
    _ spawn: () async throws(SpawnError) -> Result
) async -> SpawnError? {
    do {
        _ = try await spawn()
        return nil
    } catch { return error }
}

/// Keeps the thread busy for a while: a handler that does not wait, but takes long.
func spin(for duration: Duration, on node: Node) {
    let end = node.clock.now.advanced(by: duration)
    while node.clock.now < end {}
}

/// A node's options that write down every crash report and unhandled message.
func problemsLogged(in events: Log<Event>) -> NodeOptions {
    NodeOptions(events: EventHandler(.problems) { events.append($0) })
}

extension Event {
    var crashReport: CrashReport? {
        if case .crashed(let report) = self { report } else { nil }
    }
}
