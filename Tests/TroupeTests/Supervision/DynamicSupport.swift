//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// Runs `body` with a node, and everything that its supervisors report.
func withReports(_ body: (Node, Log<SupervisorReport>) async throws -> Void) async throws {
    let reports = Log<SupervisorReport>()
    let events = EventHandler([.progress, .supervisorReport]) { event in
        if case .supervisor(let report) = event { reports.append(report) }
    }
    try await withNode(NodeOptions(events: events)) { node in try await body(node, reports) }
}

extension ServerRef {
    /// What starting a child fails with; nil when it does not.
    func startFailure<Argument>(
        _ argument: Argument
    ) async -> SupervisorError? where Server == DynamicSupervisor<Argument> {
        do {
            try await startChild(argument)
            return nil
        } catch { return error }
    }

    /// What ending a child fails with; nil when it does not.
    func terminateFailure<Argument>(
        _ pid: Pid
    ) async -> SupervisorError? where Server == DynamicSupervisor<Argument> {
        do {
            try await terminateChild(pid)
            return nil
        } catch { return error }
    }

    /// Starts a child that there has to be something to start of.
    func startPid<Argument>(
        _ argument: Argument
    ) async throws -> Pid where Server == DynamicSupervisor<Argument> {
        guard let child = try await startChild(argument) else { throw IgnoreStart() }
        return child.pid
    }
}

/// Waits when it is told to end: it says so, and goes on when the gate opens.
struct SlowChild: AsyncGenServer {
    struct Argument: Sendable {
        var isEnding: @Sendable () -> Void = {}
        var mayEnd = Gate()
    }

    let argument: Argument

    init(_ argument: Argument, process: ServerProcess) {
        self.argument = argument
        // Else it would end without `terminate` being told of anything but its parent's order.
        process.setTrapsExits(true)
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) async {
        argument.isEnding()
        await argument.mayEnd.wait()
    }
}

/// A value that several threads share.
final class Shared<Value: Sendable>: Sendable {
    private let state: Lock<Value>

    init(_ value: Value) { state = Lock(value) }

    var value: Value {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }

    func update<Result>(_ body: (inout Value) -> Result) -> Result { state.withLock { body(&$0) } }
}

extension Shared where Value == Int {
    /// Counts one more, and returns how many there are now.
    @discardableResult
    func increment() -> Int {
        update { value in
            value += 1
            return value
        }
    }
}
