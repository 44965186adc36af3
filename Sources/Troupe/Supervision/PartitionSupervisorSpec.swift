//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a ``PartitionSupervisor`` is started with.
public struct PartitionSupervisorSpec<Server: ServerProtocol>: Sendable {
    /// The name of the supervisor; those of the partitions begin with it.
    public let name: String
    /// How many partitions there are, at least one.
    public let count: Int
    /// How many restarts there may be before the supervisor gives up and ends with `.shutdown`.
    public var limit = RestartLimit()
    /// How partitions are ended.
    public var shutdown = Shutdown.timeout(.seconds(5))
    /// What is done beyond OTP when a partition has to be started again.
    public var recovery = ChildRecovery()

    let child: @Sendable (_ number: Int, _ name: String) -> ChildSpec
    let server: @Sendable (Node, String) -> NamedServer<Server>

    /// Makes a specification of servers.
    ///
    /// - Parameters:
    ///   - server: the type of the partitions.
    ///   - name: the name of the supervisor.
    ///   - count: how many partitions there are.
    ///   - options: how a partition is spawned. The name is another.
    ///   - argument: what the `init` of a partition is given, by its number.
    public init(
        _ server: Server.Type, named name: String, count: Int,
        options: ProcessOptions = .default,
        argument: @escaping @Sendable (_ number: Int) -> Server.Argument
    ) where Server: GenServer {
        self.name = name
        self.count = count
        child = { number, name in
            ChildSpec(server, argument(number), id: "\(number)", name: name, options: options)
        }
        self.server = { $0.server(server, named: $1) }
    }

    /// Makes a specification of servers whose handlers may wait; see the initializer for a
    /// ``GenServer``.
    public init(
        _ server: Server.Type, named name: String, count: Int,
        options: ProcessOptions = .default,
        argument: @escaping @Sendable (_ number: Int) -> Server.Argument
    ) where Server: AsyncGenServer {
        self.name = name
        self.count = count
        child = { number, name in
            ChildSpec(server, argument(number), id: "\(number)", name: name, options: options)
        }
        self.server = { $0.server(server, named: $1) }
    }

    /// Everything that is wrong with it; empty when nothing is.
    public var mistakes: [SpecMistake] {
        var kinds: [SpecMistake.Kind] = []
        if name.isEmpty { kinds.append(.nameMissing) }
        if count < 1 { kinds.append(.partitionCountInvalid(count)) }
        return kinds.map { SpecMistake(path: [], kind: $0) } + children.mistakes
    }

    /// Throws if anything is wrong with it.
    public func check() throws(SpecInvalid) {
        let mistakes = mistakes
        if !mistakes.isEmpty { throw SpecInvalid(mistakes: mistakes) }
    }

    /// The name of a partition.
    func partitionName(_ number: Int) -> String { "\(name)/\(number)" }

    /// The partitions as children.
    var children: SupervisorSpec {
        SupervisorSpec(limit: limit) {
            for number in 0..<max(count, 0) {
                var child = child(number, partitionName(number))
                let _ = (child.shutdown, child.recovery) = (shutdown, recovery)
                child
            }
        }
    }
}
