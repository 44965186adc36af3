//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a supervisor has to know of a child: how to start it, when to start it again, how to end it.
///
/// A child is anything that can be started: both kinds of servers, a closure process, another
/// supervisor, or what a function of your own starts.
///
/// ```swift
/// ChildSpec(Counter.self, 0, name: "counter")
/// ChildSpec(Fetcher.self, url, name: "fetcher", restart: .transient)
/// ChildSpec("clock") { process in
///     while true { try await process.sleep(for: .seconds(1)) }
/// }
/// ```
///
/// - Source: OTP's child specifications.
public struct ChildSpec: Sendable {
    /// What the supervisor knows the child by; unlike those of its siblings.
    public var id: String
    /// Which ends are repaired.
    public var restart: Restart
    /// How the child is ended.
    public var shutdown: Shutdown
    /// Whether its end can end the supervisor; see ``AutoShutdown``.
    public var isSignificant: Bool
    /// What is done beyond OTP when it has to be started again.
    public var recovery: ChildRecovery
    /// Whether it is a supervisor itself.
    public let type: ChildType
    /// The type of its server, `closure`, or `function`.
    public let behaviour: String

    let options: ProcessOptions?
    let children: SupervisorSpec?
    /// What is wrong with the flags of a supervisor of another kind.
    var ownMistakes: [SpecMistake.Kind] = []
    let start: Start

    @usableFromInline
    typealias Start = @Sendable (ChildStarter) async throws -> StartedChild

    @usableFromInline
    init(
        id: String, restart: Restart, shutdown: Shutdown?, isSignificant: Bool,
        recovery: ChildRecovery, type: ChildType, behaviour: String, options: ProcessOptions?,
        children: SupervisorSpec? = nil,
        start: @escaping @Sendable (ChildStarter) async throws -> StartedChild
    ) {
        self.id = id
        self.restart = restart
        self.shutdown = shutdown ?? (type == .supervisor ? .infinity : .timeout(.seconds(5)))
        self.isSignificant = isSignificant
        self.recovery = recovery
        self.type = type
        self.behaviour = behaviour
        self.options = options
        self.children = children
        self.start = start
    }
}

/// What kind of child it is.
///
/// - Source: the `type` of OTP's child specifications.
public enum ChildType: Sendable, Hashable {
    /// Does work.
    case worker
    /// Has children of its own.
    case supervisor
}

/// What has come of starting a child.
public struct StartedChild: Sendable {
    /// The process.
    public let pid: Pid
    /// What else the start function wants whoever started the child to know.
    public let info: (any Sendable)?

    /// Makes the answer of a start function.
    public init(_ pid: Pid, info: (any Sendable)? = nil) {
        self.pid = pid
        self.info = info
    }
}

/// What a start function starts its child with: the supervisor's process.
///
/// The child has to be linked to it from the beginning: use ``ProcessContext/spawnLinked(options:_:)``
/// and its siblings.
public struct ChildStarter: ProcessContext {
    /// The process object; not for use outside Troupe.
    public let _handle: ProcessHandle
    /// What the child is to be spawned with, so that its mailbox is treated as its
    /// ``ChildRecovery`` says.
    public let leftovers: Leftovers

    init(_ supervisor: some ProcessContext, leftovers: Leftovers = .drop) {
        self.init(supervisor._handle, leftovers: leftovers)
    }

    init(_ handle: ProcessHandle, leftovers: Leftovers = .drop) {
        _handle = handle
        self.leftovers = leftovers
    }

    /// Starts a child with its start function.
    ///
    /// Its name, or its key in a registry, may be held by a process that has been told to end but has not
    /// yet: the child of a supervisor that was killed and is started again right now. That one is waited
    /// for, whether the name is one of the options or `init` registers it.
    func start(_ start: ChildSpec.Start) async throws -> StartedChild {
        for attempt in 0..<Self.attemptCountMax {
            do {
                return try await start(self)
            } catch {
                guard let pid = (error as? SpawnError)?.holder else { throw error }
                switch node.locate(pid) {
                case .process(let holder) where holder.isToldToEnd:
                    let patience = Self.patience.clampedNanoseconds
                    let deadline = cell.scheduler.now.addingSaturated(patience)
                    _ = try? await holder.exitReason(deadline: deadline)
                // It has ended since; or it is the child itself, whose `init` wants a name twice.
                case .unknown:
                    if attempt > 0, case .initFailed? = error as? SpawnError { throw error }
                case .process, .incarnation, .remote: throw error
                }
            }
        }
        return try await start(self)
    }

    /// As long as children get by default to end.
    private static var patience: Duration { .seconds(5) }
    /// Others may want the name, too.
    private static var attemptCountMax: Int { 3 }

    /// One to hand on to a function that the compiler holds to run elsewhere.
    func copy() -> sending ChildStarter { ChildStarter(_handle, leftovers: leftovers) }

    @usableFromInline
    func options(_ options: ProcessOptions) -> ProcessOptions {
        guard case .drop = options.leftovers else { return options }
        var options = options
        options.leftovers = leftovers
        return options
    }
}

@available(*, unavailable, message: "only the supervisor itself may use it")
extension ChildStarter: Sendable {}

extension SpawnError {
    /// Who holds what the new process was to hold alone.
    fileprivate var holder: Pid? {
        switch self {
        case .nameTaken(_, let pid), .registrationFailed(.alreadyRegistered(let pid)): return pid
        case .initFailed(.error(let error)):
            if case .nameTaken(_, let pid)? = error as? RegistryError { return pid }
            if case .alreadyRegistered(let pid)? = error as? KeyRegistryError { return pid }
            return nil
        default: return nil
        }
    }
}
