//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// A server that writes down when it starts (`+id`) and when it ends (`-id reason`), and ends with
/// whatever ``ExitReason`` it is sent.
struct Worker: GenServer {
    struct Argument: Sendable {
        let id: String
        let log: Log<String>
        var onInit: @Sendable (ServerContext<Worker>) throws -> Void = { _ in }
        var onEnd: @Sendable (ServerContext<Worker>) throws -> Void = { _ in }
    }

    let argument: Argument

    init(_ argument: Argument, process: ServerProcess) throws {
        self.argument = argument
        try argument.onInit(process)
        argument.log.append("+\(argument.id)")
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        if let reason = message as? ExitReason { throw reason }
        if let gates = message as? Blocking {
            gates.begun.open()
            gates.until.waitBlocking()
        }
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) throws {
        argument.log.append("-\(argument.id) \(reason)")
        try argument.onEnd(process)
    }
}

/// Makes a ``Worker`` with a thread of its own open the first gate and block until the second is.
struct Blocking: Sendable {
    let begun = Gate(), until = Gate()
}

/// An asynchronous server that does what it is told in its callbacks.
struct Waiter: AsyncGenServer {
    typealias Step = @Sendable (ServerContext<Waiter>) async throws -> Void

    struct Argument: Sendable {
        var onInit: Step = { _ in }
        var onEnd: Step = { _ in }
    }

    let argument: Argument

    init(_ argument: Argument, process: ServerProcess) async throws {
        self.argument = argument
        try await argument.onInit(process)
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
        if let reason = message as? ExitReason { throw reason }
        if let step = message as? Step { try await step(process) }
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        try await argument.onEnd(process)
    }
}

/// A number that several processes change.
final class Count: Sendable {
    private let state = Lock(0)
    var value: Int { state.withLock { $0 } }

    /// - Returns: the number before.
    @discardableResult
    func add(_ amount: Int = 1) -> Int {
        state.withLock { value in
            defer { value += amount }
            return value
        }
    }
}

extension RestartLimit {
    /// More than a test needs.
    static let plenty = RestartLimit(1000, within: .seconds(1000))
}

extension ChildSpec {
    /// A ``Worker``.
    static func worker(
        _ id: String, _ log: Log<String> = Log(), restart: Restart = .permanent,
        shutdown: Shutdown? = nil, isSignificant: Bool = false,
        recovery: ChildRecovery = ChildRecovery(), options: ProcessOptions = .default,
        onInit: @escaping @Sendable (ServerContext<Worker>) throws -> Void = { _ in },
        onEnd: @escaping @Sendable (ServerContext<Worker>) throws -> Void = { _ in }
    ) -> ChildSpec {
        ChildSpec(
            Worker.self, Worker.Argument(id: id, log: log, onInit: onInit, onEnd: onEnd), id: id,
            options: options, restart: restart, shutdown: shutdown, isSignificant: isSignificant,
            recovery: recovery)
    }
}

extension ServerRef where Server == Supervisor {
    /// The process of a child that runs.
    func pid(of id: String) async throws -> Pid {
        let info = try await whichChild(id)
        return try #require(info.pid)
    }

    func pids(of ids: [String]) async throws -> [Pid] {
        var pids: [Pid] = []
        for id in ids { pids.append(try await pid(of: id)) }
        return pids
    }

    func status(of id: String) async throws -> ChildStatus { try await whichChild(id).status }

    /// The ids of all children, in the order of their starts.
    var ids: [String] {
        get async throws { try await whichChildren().reversed().compactMap(\.id) }
    }

    /// Why an operation is refused; nil when it is not.
    func refusal<Value>(
        _ operation: (ServerRef<Supervisor>) async throws(SupervisorError) -> Value
    ) async -> SupervisorError? {
        do throws(SupervisorError) {
            _ = try await operation(self)
            return nil
        } catch { return error }
    }
}

extension Node {
    func supervise(
        limit: RestartLimit = .plenty, autoShutdown: AutoShutdown = .never,
        killGrace: Duration = .seconds(1), _ children: [ChildSpec]
    ) async throws -> ServerRef<Supervisor> {
        try await supervise(
            .oneForOne, limit: limit, autoShutdown: autoShutdown, killGrace: killGrace, children)
    }

    func supervise(
        _ strategy: SupervisorStrategy, limit: RestartLimit = .plenty,
        autoShutdown: AutoShutdown = .never, killGrace: Duration = .seconds(1),
        _ children: [ChildSpec]
    ) async throws -> ServerRef<Supervisor> {
        try await spawn(
            Supervisor.self,
            SupervisorSpec(
                strategy: strategy, limit: limit, autoShutdown: autoShutdown,
                killGrace: killGrace, children: children))
    }

    /// Makes a ``Worker`` end itself with `reason`, or kills a process, and waits until those who are
    /// linked with it have been told.
    func end(_ pid: Pid, _ reason: ExitReason = .custom("crash")) async throws {
        guard case .process(let cell) = locate(pid) else { return }
        if reason == .killed { kill(pid) } else { try send(reason, to: pid) }
        _ = try? await cell.exitReason(deadline: .max)
    }

    /// Waits until a process has ended and those who are linked with it have been told.
    ///
    /// - Parameter end: ends it, now or soon. One that cannot be found any more may have told nobody
    ///   yet: so it is looked for before.
    func waitForEnd(of pid: Pid, after end: () -> Void = {}) async {
        let found = locate(pid)
        end()
        guard case .process(let cell) = found else { return }
        _ = try? await cell.exitReason(deadline: .max)
    }
}

/// A node's options that write down what supervisors report.
func supervisorReports(
    _ kinds: EventKind = [.supervisorReport, .progress], in reports: Log<SupervisorReport>
) -> NodeOptions {
    NodeOptions(
        events: EventHandler(kinds) { event in
            if case .supervisor(let report) = event { reports.append(report) }
        })
}
