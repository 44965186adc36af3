//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ChildSpec {
    /// A server as a child.
    ///
    /// - Parameters:
    ///   - server: the type of the server.
    ///   - argument: what its `init` is given, each time that it is started.
    ///   - id: what the supervisor knows it by; nil for its name, or else the name of its type.
    ///   - name: a name to register, under which the child can be reached whichever instance runs;
    ///     see ``NamedServer``.
    ///   - options: how it is spawned. Its name gives way to `name`.
    ///   - restart: which ends are repaired.
    ///   - shutdown: how it is ended; nil for five seconds.
    ///   - isSignificant: whether its end can end the supervisor.
    ///   - recovery: what is done beyond OTP.
    @inlinable
    public init<Server: GenServer>(
        _ server: Server.Type, _ argument: Server.Argument, id: String? = nil,
        name: String? = nil, options: ProcessOptions = .default, restart: Restart = .permanent,
        shutdown: Shutdown? = nil, isSignificant: Bool = false,
        recovery: ChildRecovery = ChildRecovery()
    ) {
        let options = options.named(name)
        self.init(
            id: id ?? options.name ?? "\(server)", restart: restart, shutdown: shutdown,
            isSignificant: isSignificant, recovery: recovery, type: .worker,
            behaviour: "\(server)", options: options
        ) { starter in
            StartedChild(
                try starter.spawnLinked(server, argument, options: starter.options(options)).pid)
        }
    }

    /// A server whose `init` takes nothing as a child; see the initializer with an argument.
    @inlinable
    public init<Server: GenServer>(
        _ server: Server.Type, id: String? = nil, name: String? = nil,
        options: ProcessOptions = .default, restart: Restart = .permanent,
        shutdown: Shutdown? = nil, isSignificant: Bool = false,
        recovery: ChildRecovery = ChildRecovery()
    ) where Server.Argument == Void {
        self.init(
            server, (), id: id, name: name, options: options, restart: restart,
            shutdown: shutdown, isSignificant: isSignificant, recovery: recovery)
    }

    /// A server whose handlers may wait as a child; see the initializer for a ``GenServer``.
    @inlinable
    public init<Server: AsyncGenServer>(
        _ server: Server.Type, _ argument: Server.Argument, id: String? = nil,
        name: String? = nil, options: ProcessOptions = .default, restart: Restart = .permanent,
        shutdown: Shutdown? = nil, isSignificant: Bool = false,
        recovery: ChildRecovery = ChildRecovery()
    ) {
        let options = options.named(name)
        self.init(
            id: id ?? options.name ?? "\(server)", restart: restart, shutdown: shutdown,
            isSignificant: isSignificant, recovery: recovery,
            type: ChildType(of: server),
            behaviour: "\(server)", options: options
        ) { starter in
            let child = try await starter.spawnLinked(
                server, argument, options: starter.options(options))
            return StartedChild(child.pid)
        }
    }

    /// A server whose handlers may wait and whose `init` takes nothing as a child.
    @inlinable
    public init<Server: AsyncGenServer>(
        _ server: Server.Type, id: String? = nil, name: String? = nil,
        options: ProcessOptions = .default, restart: Restart = .permanent,
        shutdown: Shutdown? = nil, isSignificant: Bool = false,
        recovery: ChildRecovery = ChildRecovery()
    ) where Server.Argument == Void {
        self.init(
            server, (), id: id, name: name, options: options, restart: restart,
            shutdown: shutdown, isSignificant: isSignificant, recovery: recovery)
    }

    /// A closure process as a child.
    ///
    /// - Parameters:
    ///   - id: what the supervisor knows it by.
    ///   - name: a name to register.
    ///   - options: how it is spawned. Its name gives way to `name`.
    ///   - restart: which ends are repaired; of a permanent child also its return.
    ///   - shutdown: how it is ended; nil for five seconds.
    ///   - isSignificant: whether its end can end the supervisor.
    ///   - recovery: what is done beyond OTP.
    ///   - body: what the process runs.
    public init(
        _ id: String, name: String? = nil, options: ProcessOptions = .default,
        restart: Restart = .permanent, shutdown: Shutdown? = nil, isSignificant: Bool = false,
        recovery: ChildRecovery = ChildRecovery(),
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Void
    ) {
        let options = options.named(name)
        self.init(
            id: id, restart: restart, shutdown: shutdown, isSignificant: isSignificant,
            recovery: recovery, type: .worker, behaviour: "closure", options: options
        ) { starter in
            StartedChild(try starter.spawnLinked(options: starter.options(options), body).pid)
        }
    }

    /// Whatever a function starts as a child. OTP: the `start` of a child specification.
    ///
    /// - Parameters:
    ///   - id: what the supervisor knows it by.
    ///   - type: whether it is a supervisor.
    ///   - restart: which ends are repaired.
    ///   - shutdown: how it is ended; nil for five seconds, or no limit for a supervisor.
    ///   - isSignificant: whether its end can end the supervisor.
    ///   - recovery: what is done beyond OTP.
    ///   - function: starts the child and returns its pid. It runs in the supervisor, which waits
    ///     for it. The child should be linked from the beginning; one that is not is linked
    ///     afterwards. Throw ``IgnoreStart`` when there is nothing to start.
    public static func startFunction(
        _ id: String, type: ChildType = .worker, restart: Restart = .permanent,
        shutdown: Shutdown? = nil, isSignificant: Bool = false,
        recovery: ChildRecovery = ChildRecovery(),
        _ function: @escaping @concurrent @Sendable (ChildStarter) async throws -> StartedChild
    ) -> ChildSpec {
        ChildSpec(
            id: id, restart: restart, shutdown: shutdown, isSignificant: isSignificant,
            recovery: recovery, type: type, behaviour: "function", options: nil
        ) { starter in
            let child = try await function(starter.copy())
            // A child that is linked tells its own reason, however soon it ends. One that is not is
            // linked now; if it has ended before, that is seen all the same.
            if starter.cell.isLinked(to: child.pid) { return child }
            do {
                try starter.link(to: child.pid)
            } catch {
                starter.cell.receiveUnlinkedExit(.noProcess, from: child.pid)
            }
            return child
        }
    }

    /// A supervisor as a child.
    ///
    /// - Parameters:
    ///   - id: what the outer supervisor knows it by.
    ///   - name: a name to register.
    ///   - strategy: which children are started again together.
    ///   - limit: how many restarts there may be before the inner supervisor gives up.
    ///   - autoShutdown: whether the end of significant children ends it.
    ///   - restart: which ends are repaired. One that has given up ends with `.shutdown`, so only a
    ///     permanent one is started again then.
    ///   - isSignificant: whether its end can end the outer supervisor.
    ///   - children: its children.
    public static func supervisor(
        _ id: String, name: String? = nil, strategy: SupervisorStrategy = .oneForOne,
        limit: RestartLimit = RestartLimit(), autoShutdown: AutoShutdown = .never,
        restart: Restart = .permanent, isSignificant: Bool = false,
        @ChildrenBuilder children: () -> [ChildSpec]
    ) -> ChildSpec {
        supervisor(
            id,
            SupervisorSpec(
                strategy: strategy, limit: limit, autoShutdown: autoShutdown, children: children),
            name: name, restart: restart, isSignificant: isSignificant)
    }

    /// A supervisor as a child.
    ///
    /// - Parameters:
    ///   - id: what the outer supervisor knows it by.
    ///   - spec: its strategy and children.
    ///   - name: a name to register.
    ///   - options: how it is spawned. Its name gives way to `name`.
    ///   - restart: which ends are repaired.
    ///   - shutdown: how it is ended; nil for as long as it takes.
    ///   - isSignificant: whether its end can end the outer supervisor.
    ///   - recovery: what is done beyond OTP.
    public static func supervisor(
        _ id: String, _ spec: SupervisorSpec, name: String? = nil,
        options: ProcessOptions = .default, restart: Restart = .permanent,
        shutdown: Shutdown? = nil, isSignificant: Bool = false,
        recovery: ChildRecovery = ChildRecovery()
    ) -> ChildSpec {
        let options = options.named(name)
        return ChildSpec(
            id: id, restart: restart, shutdown: shutdown, isSignificant: isSignificant,
            recovery: recovery, type: .supervisor, behaviour: "Supervisor", options: options,
            children: spec
        ) { starter in
            let child = try await starter.spawnLinked(
                Supervisor.self, spec, options: starter.options(options))
            return StartedChild(child.pid)
        }
    }

    /// A dynamic supervisor as a child.
    ///
    /// - Parameters:
    ///   - id: what the outer supervisor knows it by.
    ///   - spec: its flags, and what its children are.
    ///   - name: a name to register.
    ///   - options: how it is spawned. Its name gives way to `name`.
    ///   - restart: which ends are repaired. Its children are lost with it: only they know what they
    ///     were started with.
    ///   - shutdown: how it is ended; nil for as long as it takes.
    ///   - isSignificant: whether its end can end the outer supervisor.
    ///   - recovery: what is done beyond OTP.
    public static func dynamicSupervisor<Argument: Sendable>(
        _ id: String, _ spec: DynamicSupervisorSpec<Argument>, name: String? = nil,
        options: ProcessOptions = .default, restart: Restart = .permanent,
        shutdown: Shutdown? = nil, isSignificant: Bool = false,
        recovery: ChildRecovery = ChildRecovery()
    ) -> ChildSpec {
        var child = ChildSpec(
            DynamicSupervisor<Argument>.self, spec, id: id, name: name, options: options,
            restart: restart, shutdown: shutdown, isSignificant: isSignificant,
            recovery: recovery)
        child.ownMistakes = spec.mistakes.map(\.kind)
        return child
    }
}

extension ProcessCell {
    /// Whether there is a link, or an exit signal of it on its way.
    fileprivate func isLinked(to other: Pid) -> Bool {
        withCore { $0.relations?.links[other] != nil }
    }
}

extension ChildType {
    @usableFromInline
    init(of server: Any.Type) {
        self = server is any SupervisorBehaviour.Type ? .supervisor : .worker
    }
}

extension ProcessOptions {
    @usableFromInline
    func named(_ name: String?) -> ProcessOptions {
        guard let name else { return self }
        var options = self
        options.name = name
        return options
    }
}
