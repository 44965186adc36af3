//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension ProcessContext {
    /// Starts a server as a child of this process; see `Node.spawn(_:_:options:)`.
    ///
    /// The child inherits the environment and the group leader. It is not linked: it outlives its
    /// parent.
    @inlinable
    public func spawn<Server: GenServer>(
        _ type: Server.Type, _ argument: Server.Argument, options: ProcessOptions = .default
    ) throws(SpawnError) -> ServerRef<Server> {
        let (cell, _) = try _handle.start(type, argument, options, [])
        return ServerRef(cell)
    }

    /// Starts a server whose `init` takes nothing, as a child of this process.
    @inlinable
    public func spawn<Server: GenServer>(
        _ type: Server.Type, options: ProcessOptions = .default
    ) throws(SpawnError) -> ServerRef<Server> where Server.Argument == Void {
        try spawn(type, (), options: options)
    }

    /// Starts a server as a child that is linked from the beginning. OTP: `gen_server:start_link`.
    ///
    /// - Throws: ``SpawnError``; then there is neither a link nor an exit signal.
    @inlinable
    public func spawnLinked<Server: GenServer>(
        _ type: Server.Type, _ argument: Server.Argument, options: ProcessOptions = .default
    ) throws(SpawnError) -> ServerRef<Server> {
        let (cell, _) = try _handle.start(type, argument, options, .linked)
        return ServerRef(cell)
    }

    /// Starts a server as a child that is monitored from the beginning. OTP:
    /// `gen_server:start_monitor`.
    @inlinable
    public func spawnMonitored<Server: GenServer>(
        _ type: Server.Type, _ argument: Server.Argument, options: ProcessOptions = .default,
        linked: Bool = false
    ) throws(SpawnError) -> (ServerRef<Server>, MonitorRef) {
        let bond: Bond = linked ? [.monitored, .linked] : .monitored
        let (cell, ref) = try _handle.start(type, argument, options, bond)
        guard let ref else { preconditionFailure("a monitored spawn makes a monitor") }
        return (ServerRef(cell), ref)
    }

    /// Starts a server as a child of this process.
    @inlinable
    public func spawn<Server: AsyncGenServer>(
        _ type: Server.Type, _ argument: Server.Argument, options: ProcessOptions = .default
    ) async throws(SpawnError) -> ServerRef<Server> {
        let (cell, _) = try await _handle.start(type, argument, options, [])
        return ServerRef(cell)
    }

    /// Starts a server as a child that is linked from the beginning. OTP: `gen_server:start_link`.
    ///
    /// - Throws: ``SpawnError``; then there is neither a link nor an exit signal.
    @inlinable
    public func spawnLinked<Server: AsyncGenServer>(
        _ type: Server.Type, _ argument: Server.Argument, options: ProcessOptions = .default
    ) async throws(SpawnError) -> ServerRef<Server> {
        let (cell, _) = try await _handle.start(type, argument, options, .linked)
        return ServerRef(cell)
    }

    /// Starts a server as a child that is monitored from the beginning. OTP:
    /// `gen_server:start_monitor`.
    @inlinable
    public func spawnMonitored<Server: AsyncGenServer>(
        _ type: Server.Type, _ argument: Server.Argument, options: ProcessOptions = .default,
        linked: Bool = false
    ) async throws(SpawnError) -> (ServerRef<Server>, MonitorRef) {
        let bond: Bond = linked ? [.monitored, .linked] : .monitored
        let (cell, ref) = try await _handle.start(type, argument, options, bond)
        guard let ref else { preconditionFailure("a monitored spawn makes a monitor") }
        return (ServerRef(cell), ref)
    }

    /// Starts a server whose `init` takes nothing, as a child of this process.
    @inlinable
    public func spawn<Server: AsyncGenServer>(
        _ type: Server.Type, options: ProcessOptions = .default
    ) async throws(SpawnError) -> ServerRef<Server> where Server.Argument == Void {
        try await spawn(type, (), options: options)
    }

    /// Starts a server whose `init` takes nothing, as a child that is linked from the beginning.
    @inlinable
    public func spawnLinked<Server: GenServer>(
        _ type: Server.Type, options: ProcessOptions = .default
    ) throws(SpawnError) -> ServerRef<Server> where Server.Argument == Void {
        try spawnLinked(type, (), options: options)
    }

    /// Starts a server whose `init` takes nothing, as a child that is linked from the beginning.
    @inlinable
    public func spawnLinked<Server: AsyncGenServer>(
        _ type: Server.Type, options: ProcessOptions = .default
    ) async throws(SpawnError) -> ServerRef<Server> where Server.Argument == Void {
        try await spawnLinked(type, (), options: options)
    }

    /// Starts a server whose `init` takes nothing, as a child that is monitored from the beginning.
    @inlinable
    public func spawnMonitored<Server: GenServer>(
        _ type: Server.Type, options: ProcessOptions = .default, linked: Bool = false
    ) throws(SpawnError) -> (ServerRef<Server>, MonitorRef) where Server.Argument == Void {
        try spawnMonitored(type, (), options: options, linked: linked)
    }

    /// Starts a server whose `init` takes nothing, as a child that is monitored from the beginning.
    @inlinable
    public func spawnMonitored<Server: AsyncGenServer>(
        _ type: Server.Type, options: ProcessOptions = .default, linked: Bool = false
    ) async throws(SpawnError) -> (ServerRef<Server>, MonitorRef) where Server.Argument == Void {
        try await spawnMonitored(type, (), options: options, linked: linked)
    }

    /// Starts a closure as a child of this process. OTP: `spawn/1`.
    @discardableResult
    public func spawn<Value: Sendable>(
        options: ProcessOptions = .default,
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) throws(SpawnError) -> ProcessRef<Value> {
        try cell.node.start(options, parent: cell, bond: [], body).0
    }

    /// Starts a closure as a child that is linked from the beginning: however soon it ends, the
    /// exit signal has its real reason. OTP: `spawn_link/1`.
    @discardableResult
    public func spawnLinked<Value: Sendable>(
        options: ProcessOptions = .default,
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) throws(SpawnError) -> ProcessRef<Value> {
        try cell.node.start(options, parent: cell, bond: .linked, body).0
    }

    /// Starts a closure as a child that is monitored from the beginning: however soon it ends, the
    /// DOWN has its real reason. OTP: `spawn_monitor/1`.
    ///
    /// - Parameters:
    ///   - options: how it is spawned.
    ///   - linked: whether it is linked as well. OTP: `spawn_opt` with both.
    ///   - body: what it runs.
    public func spawnMonitored<Value: Sendable>(
        options: ProcessOptions = .default, linked: Bool = false,
        _ body: @escaping @concurrent @Sendable (Process) async throws -> Value
    ) throws(SpawnError) -> (ProcessRef<Value>, MonitorRef) {
        let bond: Bond = linked ? [.monitored, .linked] : .monitored
        let (process, ref) = try cell.node.start(options, parent: cell, bond: bond, body)
        guard let ref else { preconditionFailure("a monitored spawn makes a monitor") }
        return (process, ref)
    }
}

extension ProcessHandle {
    @inlinable
    func start<Server: GenServer>(
        _ type: Server.Type, _ argument: Server.Argument, _ options: ProcessOptions, _ bond: Bond
    ) throws(SpawnError) -> (ProcessCell, MonitorRef?) {
        try cell.node.start(type, argument, options, parent: cell, bond: bond)
    }

    @inlinable
    func start<Server: AsyncGenServer>(
        _ type: Server.Type, _ argument: Server.Argument, _ options: ProcessOptions, _ bond: Bond
    ) async throws(SpawnError) -> (ProcessCell, MonitorRef?) {
        try await cell.node.start(type, argument, options, parent: cell, bond: bond)
    }
}
