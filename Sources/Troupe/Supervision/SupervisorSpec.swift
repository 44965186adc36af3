//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Which children are started again when one has failed.
///
/// - Source: OTP's supervisor strategies; `simple_one_for_one` is ``DynamicSupervisor``.
public enum SupervisorStrategy: Sendable, Hashable {
    /// That one.
    case oneForOne
    /// All: the others are ended in reverse order, then all are started in order.
    case oneForAll
    /// That one and those that were started after it.
    case restForOne
}

/// Whether a supervisor ends when its significant children have.
///
/// Only an end that is not repaired counts: of a transient child a clean one, and one after which it is
/// given up as its budget is used up; of a temporary child any. A child that was ended through the
/// supervisor does not count, and one that waits to be started again has not ended: because it has
/// failed, or was ended to be started together with one that has.
///
/// - Source: OTP's `auto_shutdown`.
public enum AutoShutdown: Sendable, Hashable {
    /// It does not.
    case never
    /// It ends when one of them has ended.
    case anySignificant
    /// It ends when the last of them has ended.
    case allSignificant
}

/// What a ``Supervisor`` is started with.
///
/// ```swift
/// SupervisorSpec(strategy: .restForOne) {
///     ChildSpec(Store.self, path, name: "store")
///     for number in 1...4 { ChildSpec(Worker.self, number, id: "worker \(number)") }
/// }
/// ```
public struct SupervisorSpec: Sendable {
    /// Which children are started again together.
    public var strategy: SupervisorStrategy
    /// How many restarts there may be before the supervisor gives up and ends with `.shutdown`.
    public var limit: RestartLimit
    /// Whether the end of significant children ends it.
    public var autoShutdown: AutoShutdown
    /// When a child that is busy with one message for longer than this is reported as stuck, by an
    /// event; nil for never. The supervisor looks twice as often.
    public var stuckAfter: Duration?
    /// How long a killed child may take to return from its callback before it is reported as stuck
    /// and left behind.
    public var killGrace: Duration
    /// The children, in the order in which they are started.
    public var children: [ChildSpec]

    /// Makes a specification from children that are written one below the other.
    public init(
        strategy: SupervisorStrategy = .oneForOne, limit: RestartLimit = RestartLimit(),
        autoShutdown: AutoShutdown = .never, stuckAfter: Duration? = nil,
        killGrace: Duration = .seconds(1), @ChildrenBuilder children: () -> [ChildSpec]
    ) {
        self.init(
            strategy: strategy, limit: limit, autoShutdown: autoShutdown, stuckAfter: stuckAfter,
            killGrace: killGrace, children: children())
    }

    /// Makes a specification from an array of children.
    public init(
        strategy: SupervisorStrategy = .oneForOne, limit: RestartLimit = RestartLimit(),
        autoShutdown: AutoShutdown = .never, stuckAfter: Duration? = nil,
        killGrace: Duration = .seconds(1), children: [ChildSpec]
    ) {
        self.strategy = strategy
        self.limit = limit
        self.autoShutdown = autoShutdown
        self.stuckAfter = stuckAfter
        self.killGrace = killGrace
        self.children = children
    }
}

/// Collects children that are written one below the other, also with `if`, `switch` and `for`.
@resultBuilder
public enum ChildrenBuilder {
    /// One child.
    public static func buildExpression(_ child: ChildSpec) -> [ChildSpec] { [child] }
    /// Several children.
    public static func buildExpression(_ children: [ChildSpec]) -> [ChildSpec] { children }
    /// All of them.
    public static func buildBlock(_ children: [ChildSpec]...) -> [ChildSpec] {
        children.flatMap { $0 }
    }
    /// What an `if` without `else` gives.
    public static func buildOptional(_ children: [ChildSpec]?) -> [ChildSpec] { children ?? [] }
    /// One branch.
    public static func buildEither(first children: [ChildSpec]) -> [ChildSpec] { children }
    /// The other branch.
    public static func buildEither(second children: [ChildSpec]) -> [ChildSpec] { children }
    /// What a `for` gives.
    public static func buildArray(_ children: [[ChildSpec]]) -> [ChildSpec] {
        children.flatMap { $0 }
    }
    /// What an `if #available` gives.
    public static func buildLimitedAvailability(_ children: [ChildSpec]) -> [ChildSpec] {
        children
    }
}
