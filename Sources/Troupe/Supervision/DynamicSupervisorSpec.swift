//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a ``DynamicSupervisor`` is started with.
public struct DynamicSupervisorSpec<Argument: Sendable>: Sendable {
    /// How many restarts there may be before the supervisor gives up and ends with `.shutdown`.
    public var limit: RestartLimit
    /// How many children there may be at once, with those that wait to be started again; nil for as
    /// many as the node allows.
    public var childLimit: Int?
    /// When a child that is busy with one message for longer than this is reported as stuck; nil for
    /// never.
    public var stuckAfter: Duration?
    /// How long a killed child may take to return from its callback before it is reported as stuck
    /// and left behind.
    public var killGrace: Duration
    /// The specification of the child for an argument. Its id does not matter, but it has one.
    public var child: @Sendable (Argument) -> ChildSpec

    /// Makes a specification.
    public init(
        limit: RestartLimit = RestartLimit(), childLimit: Int? = nil, stuckAfter: Duration? = nil,
        killGrace: Duration = .seconds(1), child: @escaping @Sendable (Argument) -> ChildSpec
    ) {
        self.limit = limit
        self.childLimit = childLimit
        self.stuckAfter = stuckAfter
        self.killGrace = killGrace
        self.child = child
    }

    /// Everything that is wrong with it; empty when nothing is. Children are checked when they are
    /// started.
    public var mistakes: [SpecMistake] {
        var mistakes = SupervisorSpec(
            limit: limit, stuckAfter: stuckAfter, killGrace: killGrace, children: []
        ).mistakes
        if let childLimit, childLimit < 0 {
            mistakes.append(SpecMistake(path: [], kind: .childCountInvalid(childLimit)))
        }
        return mistakes
    }

    /// Throws if anything is wrong with it.
    public func check() throws(SpecInvalid) {
        let mistakes = mistakes
        if !mistakes.isEmpty { throw SpecInvalid(mistakes: mistakes) }
    }
}

extension DynamicSupervisorSpec where Argument == ChildSpec {
    /// Makes a specification for children that are described one by one.
    ///
    /// - Source: Elixir's `DynamicSupervisor`.
    public init(
        limit: RestartLimit = RestartLimit(), childLimit: Int? = nil, stuckAfter: Duration? = nil,
        killGrace: Duration = .seconds(1)
    ) {
        self.init(
            limit: limit, childLimit: childLimit, stuckAfter: stuckAfter, killGrace: killGrace
        ) { $0 }
    }
}
