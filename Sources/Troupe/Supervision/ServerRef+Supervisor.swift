//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ServerRef where Server == Supervisor {
    /// Adds a child after the others and starts it. OTP: `supervisor:start_child/2`.
    ///
    /// - Parameters:
    ///   - spec: the child.
    ///   - timeout: how long to wait for the supervisor at most. When it is over the child may be
    ///     started all the same.
    /// - Returns: what its start function has returned; nil when there was nothing to start.
    /// - Throws: ``SupervisorError``.
    @discardableResult
    public func startChild(
        _ spec: ChildSpec, timeout: Duration = .seconds(60)
    ) async throws(SupervisorError) -> StartedChild? {
        try await request(timeout) { .start(spec, $0) }
    }

    /// Ends a child. Its specification stays, unless it is temporary. OTP:
    /// `supervisor:terminate_child/2`.
    ///
    /// A child that is stopped already is left as it is; one that waits to be started again does
    /// not any more, and those that were ended to be started together with it are started now. A restart
    /// of its group starts it all the same, as in OTP.
    ///
    /// - Throws: ``SupervisorError`` — `.notFound`.
    public func terminateChild(
        _ id: String, timeout: Duration = .seconds(60)
    ) async throws(SupervisorError) {
        try await request(timeout) { .terminate(id, $0) }
    }

    /// Starts a child that is stopped. OTP: `supervisor:restart_child/2`.
    ///
    /// - Returns: what its start function has returned; nil when there was nothing to start.
    /// - Throws: ``SupervisorError``. The child stays stopped then.
    @discardableResult
    public func restartChild(
        _ id: String, timeout: Duration = .seconds(60)
    ) async throws(SupervisorError) -> StartedChild? {
        try await request(timeout) { .restart(id, $0) }
    }

    /// Forgets a child that is stopped. OTP: `supervisor:delete_child/2`.
    ///
    /// - Throws: ``SupervisorError``.
    public func deleteChild(
        _ id: String, timeout: Duration = .seconds(60)
    ) async throws(SupervisorError) {
        try await request(timeout) { .delete(id, $0) }
    }

    /// The specification of a child. OTP: `supervisor:get_childspec/2`.
    ///
    /// - Throws: ``SupervisorError`` — `.notFound`.
    public func childSpec(
        _ id: String, timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) -> ChildSpec {
        try await request(timeout) { .find(id, $0) }.0
    }

    /// What the supervisor knows of a child. OTP: `supervisor:which_child/2`.
    ///
    /// - Throws: ``SupervisorError`` — `.notFound`.
    public func whichChild(
        _ id: String, timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) -> ChildInfo {
        try await request(timeout) { .find(id, $0) }.1
    }

    /// All children, the newest first. OTP: `supervisor:which_children/1`.
    ///
    /// - Throws: ``SupervisorError`` — `.call(_)`.
    public func whichChildren(
        timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) -> [ChildInfo] {
        do {
            return try await ask(timeout: timeout) { Supervisor.Request(kind: .children($0)) }
        } catch { throw .call(error) }
    }

    /// How many children there are. OTP: `supervisor:count_children/1`.
    ///
    /// - Throws: ``SupervisorError`` — `.call(_)`.
    public func countChildren(
        timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) -> ChildCount {
        ChildCount(try await whichChildren(timeout: timeout))
    }

    /// Gives the supervisor other flags and specifications, without ending a process.
    ///
    /// Children that run go on and are treated by their new specifications from now on. New ones
    /// are not started; see ``restartChild(_:timeout:)``. Those that are not in the new
    /// specification stay. Who waits to be started together with a child that has failed, and is of its
    /// group no more, is started now.
    ///
    /// - Throws: ``SupervisorError`` — `.specInvalid(_)`; the supervisor goes on with the old one.
    /// - Source: what an upgrade does with OTP's `supervisor`.
    public func change(
        to spec: SupervisorSpec, timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) {
        try await request(timeout) { .change(spec, $0) }
    }

    private func request<Value: Sendable>(
        _ timeout: Duration,
        _ make: (ReplyTo<Result<Value, SupervisorError>>) -> SupervisorRequest
    ) async throws(SupervisorError) -> Value {
        let answer: Result<Value, SupervisorError>
        do throws(CallError) {
            answer = try await ask(timeout: timeout) { Supervisor.Request(kind: make($0)) }
        } catch { throw .call(error) }
        return try answer.get()
    }
}

extension ChildCount {
    init(_ children: [ChildInfo]) {
        for child in children {
            specs += 1
            if child.pid != nil { active += 1 }
            switch child.type {
            case .supervisor: supervisors += 1
            case .worker: workers += 1
            }
        }
    }
}
