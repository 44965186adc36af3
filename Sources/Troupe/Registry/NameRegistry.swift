//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// Why a name could not be registered or unregistered.
@nonexhaustive
public enum RegistryError: Error, Hashable, Sendable {
    /// A living process holds the name.
    case nameTaken(String, by: Pid)
    /// A name has 1 to 255 Unicode scalars, as an atom of OTP.
    case nameInvalid(String)
    /// Nobody holds the name.
    case nameUnknown(String)
    /// There is no such process (any more).
    case processUnknown(Pid)
    /// The pid belongs to an earlier life of this node.
    case incarnation(Pid)
    /// Only processes of the node itself can have names on it.
    case notLocal(Pid)
}

extension RegistryError: CustomStringConvertible {
    /// What happened, to whom, and what to do about it.
    public var description: String {
        switch self {
        case .nameTaken(let name, let pid):
            "the name \"\(name)\" is taken by \(pid); choose another, or unregister it first"
        case .nameInvalid(let name):
            name.isEmpty
                ? "a name cannot be empty"
                : "the name \"\(name.prefix(32))…\" is longer than 255 characters"
        case .nameUnknown(let name): "nobody holds the name \"\(name)\""
        case .processUnknown(let pid): "there is no process \(pid)"
        case .incarnation(let pid): "\(pid) belongs to an earlier start of node \"\(pid.node)\""
        case .notLocal(let pid): "\(pid) is on node \"\(pid.node)\"; names are local to a node"
        }
    }
}

/// The names of a node's processes.
///
/// A process may hold several names, a name has one holder. Who holds what is said here and nowhere
/// else; a process only remembers the hashes of what it has registered, see ``NameTrail``. A name is
/// registered with the lock of the process held, so that it can neither be taken for a process that
/// has begun to give back what it holds, nor outlive it. It is taken away without touching the
/// process, which is rarely in the cache.
struct NameRegistry: ~Copyable, Sendable {
    /// 255 Unicode scalars of four bytes.
    private static let utf8CountMax = 1020

    /// The ids of the holders, which are in the table of processes as long as they have names: who
    /// only wants a pid need not touch the process, which is rarely in the cache.
    ///
    /// Rank 2: locked alone or within the lock of a process.
    private let shards: FixedArray<Lock<NameTable>>
    private let hasher = NameHasher()
    /// How many wait for a holder of some name; nearly always none.
    private let waiterCount = Atomic(0)
    /// A leaf lock.
    private let waiters = Lock<[String: [ReplyCell]]>([:])

    /// - Parameter threadCount: how many threads the scheduler has.
    init(threadCount: Int) {
        self.shards = FixedArray(count: ProcessTable.shardCount(forThreads: threadCount)) {
            Lock(apart: NameTable())
        }
    }

    /// Runs `body` with the lock of the shard that has, or would have, the names with a hash.
    private func withHolders<Result>(
        near hash: UInt32, _ body: (inout NameTable) -> Result
    ) -> Result {
        // Not by the bits by which the table spreads its names.
        let shard = Int(hash >> 26) & (shards.count - 1)
        return shards.withValue(at: shard) { $0.withLock(body) }
    }

    static func isValid(_ name: String) -> Bool {
        // Most names are short, and a scalar has 1 to 4 bytes. Counts no further than it must: a name
        // may come from outside and have 10 MB.
        let byteCount = name.utf8.count
        if byteCount <= 255 { return byteCount > 0 }
        return name.unicodeScalars.prefix(256).count <= 255
    }

    /// Registers a process under a name.
    ///
    /// - Parameter pid: that of the process. Who asks knows it, and in the process it is in a line of
    ///   cache that nothing else here touches.
    func insert(
        _ name: String, for cell: ProcessCell, pid: Pid
    ) throws(RegistryError) {
        guard Self.isValid(name) else { throw .nameInvalid(name) }
        let hash = hasher.hash(name)
        let failure = cell.withCore { core -> RegistryError? in
            guard core.lifecycle.phase != .ended, !core.isClosing else {
                return .processUnknown(pid)
            }
            let holder = withHolders(near: hash) { $0.insert(name, hash: hash, for: pid.id) }
            if let holder { return .nameTaken(name, by: cell.node.pid(id: holder)) }
            core.wasNamed(hash) { hash in withHolders(near: hash) { $0.hasName(hash, of: pid.id) } }
            return nil
        }
        if let failure { throw failure }
        if waiterCount.load(ordering: .sequentiallyConsistent) > 0 { tellWaiters(of: name) }
    }

    // MARK: - Waiting for a holder

    /// Has `waiter` told when somebody registers the name from now on.
    func addWaiter(_ waiter: ReplyCell, for name: String) {
        // Raised before whoever waits looks at the name: who registers it sees one or the other.
        waiterCount.add(1, ordering: .sequentiallyConsistent)
        waiters.withLock { $0[name, default: []].append(waiter) }
    }

    func removeWaiter(_ waiter: ReplyCell, for name: String) {
        waiters.withLock { waiters in
            waiters[name]?.removeAll { $0 === waiter }
            if waiters[name]?.isEmpty == true { waiters[name] = nil }
        }
        waiterCount.subtract(1, ordering: .sequentiallyConsistent)
    }

    private func tellWaiters(of name: String) {
        for waiter in waiters.withLock({ $0[name] ?? [] }) { waiter.succeed() }
    }

    /// Takes a name away from its holder.
    func remove(_ name: String) throws(RegistryError) {
        guard let hash = hash(name), withHolders(near: hash, { $0.remove(name, hash: hash) })
        else { throw .nameUnknown(name) }
    }

    /// The id of the holder.
    func findID(_ name: String) -> UInt64? {
        guard let hash = hash(name) else { return nil }
        return withHolders(near: hash) { $0.find(name, hash: hash) }
    }

    // MARK: - The names of a process

    /// The names that a process holds, the oldest first.
    func names(on trail: NameTrail, of id: UInt64) -> [String] {
        trail.hashes.flatMap { hash in withHolders(near: hash) { $0.names(hash, of: id) } }
    }

    /// Takes all names away from a process that ends.
    ///
    /// - Returns: the names, the oldest first.
    func removeAll(on trail: NameTrail, of id: UInt64) -> [String] {
        trail.hashes.flatMap { hash in withHolders(near: hash) { $0.removeAll(hash, of: id) } }
    }

    /// - Returns: nil for what is too long for a name, of which 10 MB need not be hashed.
    private func hash(_ name: String) -> UInt32? {
        name.utf8.count > Self.utf8CountMax ? nil : hasher.hash(name)
    }

    /// All names with the ids of their holders, by name.
    func all() -> [(name: String, id: UInt64)] {
        (0..<shards.count)
            .flatMap { index -> [(name: String, id: UInt64)] in
                shards.withValue(at: index) { shard in shard.withLock { $0.all } }
            }
            .sorted { $0.name < $1.name }
    }
}

extension ProcessCell {
    /// The names that the process holds, the oldest first.
    final var names: [String] { node.names.names(on: withCore { $0.names }, of: id) }
}
