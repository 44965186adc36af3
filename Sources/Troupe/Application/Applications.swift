//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The applications of a node: loads, starts, stops and configures them. See ``Application``.
///
/// Applications run independently of each other. One whose callback hangs does not keep others from
/// starting or stopping.
///
/// - Source: OTP's `application` module.
public struct Applications: Sendable {
    let node: Node

    // MARK: - Load and unload

    /// Makes an application known, with those that it includes, and its environment readable.
    ///
    /// - Throws: ``ApplicationError`` — `.specInvalid` with all mistakes of the specification;
    ///   `.alreadyLoaded`, `.includedTwice`, `.included`. Nothing was loaded then.
    /// - Source: OTP's `application:load/1`.
    public func load(_ application: any Application) async throws(ApplicationError) {
        let loaded = try LoadedApplication(application)
        try await ask { .load(loaded, $0) }
    }

    /// Forgets an application that does not run, with those that it includes, and what of its
    /// environment was not set persistently.
    ///
    /// - Throws: ``ApplicationError`` — `.notLoaded`, `.running`, `.included`.
    /// - Source: OTP's `application:unload/1`.
    public func unload(_ name: String) async throws(ApplicationError) {
        try await ask { .unload(name, $0) }
    }

    // MARK: - Start and stop

    /// Starts an application whose dependencies run, and returns when its top process has started and
    /// its start phases have been carried out.
    ///
    /// One that has ended by itself can be started again.
    ///
    /// - Parameters:
    ///   - name: a loaded application.
    ///   - mode: what its end, and a failed start, mean for the node.
    ///   - timeout: how long to wait at most; nil for as long as it takes. The start goes on
    ///     afterwards.
    /// - Throws: ``ApplicationError`` — `.notLoaded`; `.alreadyStarted`; `.dependencyNotStarted` or
    ///   `.dependencyNotRunning`; `.startFailed` with the reason, and then nothing of the application
    ///   runs, and unless the mode is `.temporary` the node may stop; `.starting` when the time is
    ///   over; `.stopping` when it is being stopped.
    /// - Source: OTP's `application:start/2`.
    public func start(
        _ name: String, mode: ApplicationMode = .temporary, timeout: Duration? = nil
    ) async throws(ApplicationError) {
        try await ask(timeout, or: .starting(name)) { .start(name, mode, ensures: false, $0) }
    }

    /// As ``start(_:mode:timeout:)``, content with an application that runs already.
    ///
    /// - Source: OTP's `application:ensure_started/2`.
    public func ensureStarted(
        _ name: String, mode: ApplicationMode = .temporary, timeout: Duration? = nil
    ) async throws(ApplicationError) {
        try await ask(timeout, or: .starting(name)) { .start(name, mode, ensures: true, $0) }
    }

    /// Starts an application, and before it whatever it needs that does not run.
    ///
    /// When one of them fails, those that this has started are stopped again, in reverse order.
    ///
    /// - Parameters:
    ///   - name: a loaded application, whose dependencies are loaded.
    ///   - mode: the mode of all that is started.
    ///   - timeout: how long to wait at most; nil for as long as it takes. It goes on afterwards.
    /// - Returns: what was newly started, in order; empty when it runs already.
    /// - Throws: ``ApplicationError``, as ``start(_:mode:timeout:)``; also `.dependencyCycle`.
    /// - Source: OTP's `application:ensure_all_started/2`.
    @discardableResult
    public func ensureAllStarted(
        _ name: String, mode: ApplicationMode = .temporary, timeout: Duration? = nil
    ) async throws(ApplicationError) -> [String] {
        try await ask(timeout, or: .starting(name)) { .startAll(name, mode, $0) }
    }

    /// Stops an application, and returns when nothing of it runs any more. It stays loaded.
    ///
    /// Its ``Application/prepareStop(process:)`` runs; its top process is told to end with
    /// `.shutdown`, and awaited; what is left of its processes is killed; its
    /// ``Application/stop(process:)`` runs. This never stops the node, whatever the mode.
    ///
    /// An application that is being started is stopped as soon as its callback heeds it.
    ///
    /// - Parameters:
    ///   - name: an application that runs, or has ended by itself.
    ///   - timeout: how long to wait at most; nil for as long as it takes. The stop goes on
    ///     afterwards.
    /// - Throws: ``ApplicationError`` — `.notLoaded`, `.notStarted`; `.stopping` when the time is
    ///   over.
    /// - Source: OTP's `application:stop/1`.
    public func stop(_ name: String, timeout: Duration? = nil) async throws(ApplicationError) {
        try await ask(timeout, or: .stopping(name)) { .stop(name, $0) }
    }

    // MARK: - Look

    /// All loaded applications, by name. OTP: `application:loaded_applications/0`.
    ///
    /// - Throws: ``ApplicationError/unavailable(_:)``, ``ApplicationError/nodeStopped(node:)``.
    public func loaded() async throws(ApplicationError) -> [ApplicationSnapshot] {
        guard let controller = node.applicationStore.controller else { return [] }
        do {
            return try await controller.ask(timeout: .seconds(5)) { .list($0) }
        } catch { throw failure(error) }
    }

    /// The applications that run, by name. OTP: `application:which_applications/0`.
    ///
    /// - Throws: ``ApplicationError/unavailable(_:)``, ``ApplicationError/nodeStopped(node:)``.
    public func running() async throws(ApplicationError) -> [ApplicationSnapshot] {
        try await loaded().filter { $0.state == .running }
    }

    /// The application that a process belongs to; nil when it belongs to none.
    ///
    /// - Source: OTP's `application:get_application/1`.
    public func application(of pid: Pid) -> String? {
        guard case .process(let cell) = node.locate(pid) else { return nil }
        return node.applicationStore.application(ledBy: cell.traits.groupLeader ?? pid)
            ?? node.applicationStore.application(ledBy: pid)
    }

    // MARK: - Environment

    /// A value of an application's environment; nil when it, or the application, is not there.
    ///
    /// The processes of the application see it with ``ProcessContext/environment(_:)``.
    ///
    /// - Source: OTP's `application:get_env/2`.
    public func environment<Key: EnvironmentKey>(
        _ key: Key.Type, of name: String
    ) -> Key.Value? {
        environment(of: name)[key]
    }

    /// All values of an application's environment. OTP: `application:get_all_env/1`.
    public func environment(of name: String) -> Environment {
        node.applicationStore.environment(of: name)
    }

    /// Sets a value in an application's environment, or removes it. Its processes see that at once.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - value: nil to remove it.
    ///   - name: the application; it need not be loaded yet. Then the specification's value replaces
    ///     this one when it is loaded, unless this one is persistent.
    ///   - persistently: whether the value comes before that of the specification, and stays when
    ///     the application is unloaded. It is removed only persistently.
    /// - Source: OTP's `application:set_env/4`, `unset_env/3`.
    public func setEnvironment<Key: EnvironmentKey>(
        _ key: Key.Type, to value: Key.Value?, of name: String, persistently: Bool = false
    ) {
        node.applicationStore.changeEnvironments { environments in
            environments.change(name, persistently: persistently) { $0[key] = value }
        }
    }

    /// Puts another environment in the place of an application's, and if it runs tells it what has
    /// changed; returns when it has taken note, or has ended. Persistent values stay.
    ///
    /// - Parameters:
    ///   - name: a loaded application.
    ///   - environment: what it is to see from now on.
    ///   - timeout: how long to wait at most for ``Application/configurationChanged(_:process:)``.
    /// - Throws: ``ApplicationError`` — `.notLoaded`; `.unavailable` when the callback takes longer,
    ///   or too many changes wait for it; the environment is changed then.
    /// - Source: OTP's `config_change/3`, which comes with a release upgrade.
    public func changeConfiguration(
        of name: String, to environment: Environment, timeout: Duration = .seconds(5)
    ) async throws(ApplicationError) {
        try await ask(timeout, or: nil) { .change(name, environment, $0) }
    }

    // MARK: - How it is done

    /// Asks the controller, which is made with the first request.
    ///
    /// - Parameter late: what it means when the time is over.
    @discardableResult
    private func ask(
        _ timeout: Duration? = nil, or late: ApplicationError? = nil,
        _ message: (ReplyTo<ApplicationAnswer>) -> ApplicationController.Cast
    ) async throws(ApplicationError) -> [String] {
        let controller = try await controller()
        let answer: ApplicationAnswer
        do {
            answer = try await controller.ask(
                timeout: timeout ?? ApplicationMaster.patience, message)
        } catch {
            if let late, case .timeout = error { throw late }
            throw failure(error)
        }
        return try answer.get()
    }

    private func failure(_ error: CallError) -> ApplicationError {
        if error == .cancelled { return .cancelled }
        return node.isStopping ? .nodeStopped(node: node.name) : .unavailable(error)
    }

    private func controller() async throws(ApplicationError) -> ServerRef<ApplicationController> {
        let store = node.applicationStore
        let old = store.controller
        if let old, node.isAlive(old.pid) { return old }
        if node.isStopping { throw .nodeStopped(node: node.name) }
        let new: ServerRef<ApplicationController>
        do {
            new = try await node.spawn(
                ApplicationController.self, options: .init(mailbox: .init(capacity: 1 << 20)))
        } catch {
            if case .nodeStopped = error { throw .nodeStopped(node: node.name) }
            throw Task.isCancelled ? .cancelled : .unavailable(.exited(.error(error)))
        }
        let current = store.setController(new, after: old)
        if current != new { try? await new.stop() }
        return current
    }
}

extension Node {
    /// The applications of this node.
    public var applications: Applications { Applications(node: self) }

    /// Begins to stop the applications.
    ///
    /// - Returns: what opens when all of them have stopped; nil when there never was one.
    func beginApplicationShutdown() -> ReplyCell? {
        guard let controller = applicationStore.controller else { return nil }
        let reply = TypedReplyCell<ApplicationAnswer>(callee: controller.pid)
        let result = controller.cell.put(
            envelope: Envelope<ApplicationController>.ask(.shutDown(ReplyTo(reply)), reply))
        return result == .accepted ? reply : nil
    }
}
