//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ServerRef {
    /// Starts a child of a dynamic supervisor. OTP: `supervisor:start_child/2`.
    ///
    /// - Parameters:
    ///   - argument: what the child is started with, also when it is started again.
    ///   - timeout: how long to wait for the supervisor at most. When it is over the child may be
    ///     started all the same.
    /// - Returns: what its start function has returned; nil when there was nothing to start.
    /// - Throws: ``SupervisorError``; nothing is kept of the child then.
    @discardableResult
    public func startChild<Argument>(
        _ argument: Argument, timeout: Duration = .seconds(60)
    ) async throws(SupervisorError) -> StartedChild? where Server == DynamicSupervisor<Argument> {
        try await request(timeout) { .start(argument, $0) }
    }

    /// Ends a child of a dynamic supervisor; it is not started again. OTP:
    /// `supervisor:terminate_child/2`.
    ///
    /// Nothing happens to a process that has ended already. The pid that a child had before it
    /// failed stands for the child as long as that has not been started again.
    ///
    /// - Throws: ``SupervisorError`` — `.processNotFound` for a living process that is no child.
    public func terminateChild<Argument>(
        _ pid: Pid, timeout: Duration = .seconds(60)
    ) async throws(SupervisorError) where Server == DynamicSupervisor<Argument> {
        try await request(timeout) { .terminate(pid, $0) }
    }

    /// All children of a dynamic supervisor, the newest first. OTP: `supervisor:which_children/1`.
    ///
    /// - Throws: ``SupervisorError`` — `.call(_)`.
    public func whichChildren<Argument>(
        timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) -> [ChildInfo] where Server == DynamicSupervisor<Argument> {
        do {
            return try await ask(timeout: timeout) { Server.Request(kind: .children($0)) }
        } catch { throw .call(error) }
    }

    /// How many children a dynamic supervisor has; it has one specification. OTP:
    /// `supervisor:count_children/1`.
    ///
    /// - Throws: ``SupervisorError`` — `.call(_)`.
    public func countChildren<Argument>(
        timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) -> ChildCount where Server == DynamicSupervisor<Argument> {
        do {
            return try await ask(timeout: timeout) { Server.Request(kind: .count($0)) }
        } catch { throw .call(error) }
    }

    private func request<Argument, Value: Sendable>(
        _ timeout: Duration,
        _ make: (ReplyTo<Result<Value, SupervisorError>>) -> Server.Request.Kind
    ) async throws(SupervisorError) -> Value where Server == DynamicSupervisor<Argument> {
        let answer: Result<Value, SupervisorError>
        do throws(CallError) {
            answer = try await ask(timeout: timeout) { Server.Request(kind: make($0)) }
        } catch { throw .call(error) }
        return try answer.get()
    }
}
