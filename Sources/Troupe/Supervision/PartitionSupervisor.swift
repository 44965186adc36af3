//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A supervisor of several servers of one type, each of which is responsible for some of the keys: so
/// that one busy server becomes many.
///
/// ```swift
/// let supervisor = try await node.spawn(
///     PartitionSupervisor<Cache>.self,
///     PartitionSupervisorSpec(Cache.self, named: "cache", count: 8) { number in limit })
/// let cache = try await supervisor.partitions()
/// try cache["some key"].cast(.store("some key", value))
/// ```
///
/// The partitions are called `name/0`, `name/1` and so on, and the supervisor has the name itself.
/// One that fails is started again alone, and those who use it by its key do not notice but for
/// what they sent meanwhile.
///
/// - Source: Elixir's `PartitionSupervisor`.
public struct PartitionSupervisor<Server: ServerProtocol>: AsyncGenServer, SupervisorBehaviour {
    /// What the supervisor is asked for; made by the operations on its ``ServerRef``.
    public struct Request: Sendable {
        enum Kind: Sendable {
            case children(ReplyTo<[ChildInfo]>)
            case partitions(ReplyTo<Partitions<Server>>)
        }

        let kind: Kind
    }

    private let partitions: Partitions<Server>
    private var driver: SupervisorDriver

    var children: [ChildInfo] { driver.children }

    /// Registers the name, then starts the partitions.
    ///
    /// - Throws: ``SpecInvalid``; ``RegistryError`` when the name is taken; or
    ///   `.shutdown(ChildStartFailure)` for the first partition that does not start, and then those
    ///   before it have been ended again.
    public init(
        _ spec: PartitionSupervisorSpec<Server>, process: ServerProcess
    ) async throws {
        try spec.check()
        try process.register(spec.name)
        partitions = Partitions(
            (0..<spec.count).map { spec.server(process.node, spec.partitionName($0)) })
        driver = try await SupervisorDriver(spec.children, process)
    }

    /// Does what it is asked for.
    public mutating func handleCast(_ message: Request, process: ServerProcess) async throws {
        switch message.kind {
        case .children(let replyTo): try await driver.handle(.children(replyTo), process)
        case .partitions(let replyTo):
            replyTo.reply(partitions)
            try await driver.handleTime(process)
        }
    }

    /// Takes note of partitions that have ended.
    public mutating func handleInfo(
        _ message: any Sendable, process: ServerProcess
    ) async throws {
        if try await !driver.handle(message, process) { process.reportUnhandled(message) }
    }

    /// Ends the partitions, the last first.
    public mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        try await driver.endAll(process)
    }
}

/// The servers of a ``PartitionSupervisor``, and which of them is responsible for a key.
///
/// It needs nobody to be asked, and works as long as the node does, across all restarts.
public struct Partitions<Server: ServerProtocol>: Sendable {
    /// All of them, by number.
    public let all: [NamedServer<Server>]

    init(_ all: [NamedServer<Server>]) {
        self.all = all
    }

    /// How many there are, at least one.
    public var count: Int { all.count }

    /// The one that is responsible for a key: for an integer its magnitude modulo the count, for
    /// other keys by their hash.
    ///
    /// For the same key it is always the same one, as long as the program runs: hashes are others in
    /// the next run.
    public subscript(key: some Hashable) -> NamedServer<Server> {
        all[number(of: key)]
    }

    private func number(of key: some Hashable) -> Int {
        if let integer = key as? any BinaryInteger { return remainder(integer) }
        return Int(UInt(bitPattern: key.hashValue) % UInt(count))
    }

    private func remainder(_ integer: some BinaryInteger) -> Int {
        Int(UInt64(truncatingIfNeeded: integer.magnitude) % UInt64(count))
    }
}

extension ServerRef {
    /// The partitions, and which of them is responsible for a key.
    ///
    /// - Throws: ``CallError``.
    public func partitions<Partition>(
        timeout: Duration = .seconds(5)
    ) async throws(CallError) -> Partitions<Partition>
    where Server == PartitionSupervisor<Partition> {
        try await ask(timeout: timeout) { Server.Request(kind: .partitions($0)) }
    }

    /// The partitions as children, the last first; their ids are their numbers. OTP:
    /// `supervisor:which_children/1`.
    ///
    /// - Throws: ``SupervisorError`` — `.call(_)`.
    public func whichChildren<Partition>(
        timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) -> [ChildInfo]
    where Server == PartitionSupervisor<Partition> {
        do {
            return try await ask(timeout: timeout) { Server.Request(kind: .children($0)) }
        } catch { throw .call(error) }
    }

    /// How many partitions there are. OTP: `supervisor:count_children/1`.
    ///
    /// - Throws: ``SupervisorError`` — `.call(_)`.
    public func countChildren<Partition>(
        timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) -> ChildCount
    where Server == PartitionSupervisor<Partition> {
        ChildCount(try await whichChildren(timeout: timeout))
    }
}
