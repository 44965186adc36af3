//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// A set of processes with their names, in this program: the place where processes are spawned.
///
/// A program may have several nodes; they share threads unless they are given schedulers of their
/// own, and nothing else. A node lives until ``stop(grace:)``; letting go of it does not stop it.
///
/// ```swift
/// let node = try Node(name: "demo")
/// let counter = try node.spawn(Counter.self, 0)
/// …
/// await node.stop()
/// ```
///
/// - Source: OTP's `node()`, without distribution.
public final class Node: Sendable {
    /// The name.
    public let name: String
    /// Which life of the node of this name this is; part of every pid.
    public let creation: UInt32
    /// How the node was made.
    public let options: NodeOptions

    let nodeName: NodeName
    let isSimulated: Bool
    let table: ProcessTable
    let traits: TraitsTable
    let names: NameRegistry
    let aliases = AliasTable()
    let eventTable = KeyTable<EventSlot>()
    let applicationStore = ApplicationStore()
    private let wantedEvents: EventKind
    private let nextReference = Atomic<UInt64>(1)
    /// Set, for good, when processes are told to end and new ones are refused.
    let refusal = Atomic(false)
    /// A leaf lock.
    let state = Lock(NodeState())

    /// Makes a node and starts it.
    ///
    /// - Parameters:
    ///   - name: 1 to 255 characters. Another node of the program may have the same name; their
    ///     creations differ.
    ///   - options: the rest.
    /// - Throws: ``NodeError``.
    public init(name: String, options: NodeOptions = NodeOptions()) throws(NodeError) {
        guard NameRegistry.isValid(name) else { throw .nameInvalid(name) }
        if let creation = options.creation, creation == 0 { throw .creationInvalid(creation) }
        self.name = name
        self.nodeName = NodeName(name)
        let threadCount = options.scheduler.threadCount
        self.table = ProcessTable(limit: options.processCountMax, threadCount: threadCount)
        self.names = NameRegistry(threadCount: threadCount)
        self.traits = TraitsTable(threadCount: threadCount)
        if let creation = options.creation {
            self.creation = creation
            nodeName.note(creation: creation)
        } else {
            self.creation = nodeName.makeCreation(now: Platform.secondsSince1970())
        }
        self.options = options
        self.isSimulated = options.scheduler.simulated != nil
        self.wantedEvents = options.events.kinds
    }

    /// The environment that every process of the node sees.
    public var environment: Environment { options.environment }

    /// The scheduler that runs the processes.
    public var scheduler: Scheduler { options.scheduler }

    var timers: TimerService { options.scheduler.timers }

    func pid(id: UInt64) -> Pid { Pid(nodeName: nodeName, creation: creation, id: id) }

    /// A reference that is unlike any other. OTP: `make_ref/0`.
    public func makeReference() -> Reference {
        let id = nextReference.add(1, ordering: .relaxed).oldValue
        return Reference(nodeName: nodeName, creation: creation, id: id)
    }

    /// The reference of this node with a number.
    func reference(id: UInt64) -> Reference {
        Reference(nodeName: nodeName, creation: creation, id: id)
    }

    func emit(_ kind: EventKind, _ event: () -> Event) {
        if wantedEvents.contains(kind) { options.events.receive(event()) }
    }

    // MARK: - Processes

    /// How many processes the node runs. Whoever has seen the end of one finds it no longer counted.
    public var count: Int { table.count }

    /// The pids of all processes. OTP: `processes()`.
    public var processes: [Pid] { table.all().map(\.pid) }

    /// Whether the process runs on this node; true until its names are free and nothing of it is
    /// left. OTP: `is_process_alive/1`.
    public func isAlive(_ pid: Pid) -> Bool {
        guard case .process(let cell) = locate(pid) else { return false }
        return cell.withCore { $0.lifecycle.phase != .ended }
    }

    /// Whom a pid names, seen from this node.
    enum Location {
        case process(ProcessCell)
        case unknown
        /// The pid is of an earlier, or later, life of this node.
        case incarnation
        case remote
    }

    func locate(_ pid: Pid) -> Location {
        guard pid.nodeName == nodeName else { return .remote }
        guard pid.creation == creation else { return .incarnation }
        return table.find(pid.id).map { .process($0) } ?? .unknown
    }

    /// Whether processes are told to end, and new ones are refused.
    var refusesProcesses: Bool { refusal.load(ordering: .sequentiallyConsistent) }

    /// Counts a process that is about to be made.
    ///
    /// - Returns: its id.
    func countProcess() throws(SpawnError) -> UInt64 {
        guard let id = table.makeID() else {
            throw .tooManyProcesses(limit: options.processCountMax)
        }
        // Counted before the look: a node that stops sees either the process or that it is refused.
        if refusesProcesses {
            table.remove(id)
            processEnded(id)
            throw .nodeStopped(node: name)
        }
        return id
    }

    /// A counted process is gone.
    func processEnded(_ id: UInt64) {
        // A lock of the table says what comes first, this or the look of a node that stops: either
        // it sees that the process is gone, or what follows sees that it stops.
        if table.uncount(id), refusesProcesses, table.countsNone { lastProcessEnded() }
    }

    // MARK: - Exits

    /// Sends an exit signal to a process, in the name of the node. OTP: `exit/2`.
    ///
    /// A process that traps exits sees a pid with the id 0 as the sender, which is no process.
    ///
    /// `.kill` ends the process with `.killed` whatever it does. A process that has ended already is
    /// left in peace.
    public func exit(_ target: Pid, _ reason: ExitReason) {
        signal(target, reason, from: nil)
    }

    /// Ends a process with `.killed`: it cannot trap that, and `terminate` does not run.
    ///
    /// It takes effect when the running callback returns, or waits in an operation of this library.
    public func kill(_ target: Pid) {
        exit(target, .kill)
    }

    func signal(_ target: Pid, _ reason: ExitReason, from sender: Pid?) {
        guard case .process(let cell) = locate(target) else { return }
        cell.receive(
            ExitSignal(kind: .explicit, reason: reason), from: sender ?? pid(id: 0))
    }

    // MARK: - Names

    /// The process that holds a name. OTP: `whereis/1`.
    public func whereis(_ name: String) -> Pid? { names.findID(name).map(pid(id:)) }

    func holder(of name: String) -> ProcessCell? {
        names.findID(name).flatMap { table.find($0) }
    }

    /// Registers a process under a name. A process may have several. OTP: `register/2`.
    ///
    /// - Throws: ``RegistryError``.
    public func register(_ name: String, _ pid: Pid) throws(RegistryError) {
        switch locate(pid) {
        case .process(let cell): try names.insert(name, for: cell, pid: pid)
        case .unknown: throw .processUnknown(pid)
        case .incarnation: throw .incarnation(pid)
        case .remote: throw .notLocal(pid)
        }
    }

    /// Gives a name back, whoever holds it. OTP: `unregister/1`.
    ///
    /// - Throws: ``RegistryError/nameUnknown(_:)``.
    public func unregister(_ name: String) throws(RegistryError) {
        try names.remove(name)
    }

    /// All registered names with their holders, by name. OTP: `registered/0`.
    public var registered: [(name: String, pid: Pid)] {
        names.all().map { ($0.name, pid(id: $0.id)) }
    }
}
