//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Synchronization

@testable import Troupe

/// What the processes of a stress test do to themselves and each other, and what they notice.
struct StressActor {
    /// Monitors that are neither removed nor fired, with whom they watch.
    private var watched: [MonitorRef: Pid] = [:]
    /// The same in the order in which they were made, some of them gone.
    private var order: [MonitorRef] = []
    private let crowd: StressCrowd

    init(_ crowd: StressCrowd) {
        self.crowd = crowd
    }

    mutating func perform(_ operation: StressOperation, _ process: some ProcessContext) {
        switch operation {
        case .spawn, .kill: break
        case .link(_, let other):
            if let pid = crowd.pid(other) { _ = try? process.link(to: pid) }
        case .unlink(_, let other):
            if let pid = crowd.pid(other) { process.unlink(from: pid) }
        case .monitor(_, let other):
            guard let pid = crowd.pid(other) else { return }
            let ref = process.monitor(pid)
            if pid == process.pid { return }
            watched[ref] = pid
            order.append(ref)
        case .demonitor:
            guard let ref = order.popLast(), watched.removeValue(forKey: ref) != nil else { return }
            process.demonitor(ref)
        case .exit(_, let other, let reason):
            guard let pid = crowd.pid(other) else { return }
            switch reason {
            case .normal: process.exit(pid, .normal)
            case .shutdown: process.exit(pid, .shutdown)
            case .custom: process.exit(pid, .custom("stress"))
            }
        case .register(_, let name): register("\(name)", process)
        case .unregister(_, let name):
            guard process.names.contains("\(name)") else { return }
            try? process.unregister("\(name)")
        case .trap(_, let traps): process.setTrapsExits(traps)
        case .send(_, let other):
            guard let pid = crowd.pid(other) else { return }
            if (try? process.send(StressCrowd.Peer(), to: pid)) != nil { crowd.sent(to: pid) }
        }
    }

    private func register(_ name: String, _ process: some ProcessContext) {
        do {
            try process.register(name)
            // Only its holder takes it away again, and that is this process, here.
            if process.node.whereis(name) != process.pid {
                crowd.report("\(process.pid) took \(name), but does not hold it")
            }
        } catch {
            guard case .nameTaken(_, let holder) = error else {
                return crowd.report("\(process.pid) cannot take \(name): \(error)")
            }
            if holder == process.pid, !process.names.contains(name) {
                crowd.report("\(name) is said to be held by \(holder), which does not know it")
            }
        }
    }

    mutating func notice(_ message: any Sendable, _ process: some ProcessContext) {
        guard let down = message as? MessageDown else { return }
        guard let pid = watched.removeValue(forKey: down.ref) else {
            return crowd.report("\(process.pid) got a DOWN twice, or after demonitor: \(down)")
        }
        if down.object != .pid(pid) { crowd.report("\(down) is about somebody else than \(pid)") }
        if process.node.isAlive(pid) { crowd.report("\(down) came while \(pid) was alive") }
    }

    /// Whom it still watches.
    var targets: [Pid] { Array(watched.values) }
}

/// The processes of a stress test, each at a place, which is taken again when its process has ended.
final class StressCrowd: Sendable {
    struct Peer: Sendable {}

    struct Direct: GenServer {
        var actor: StressActor

        init(_ crowd: StressCrowd, process: ServerProcess) { actor = StressActor(crowd) }

        mutating func handleCast(_ operation: StressOperation, process: ServerProcess) {
            actor.perform(operation, process)
        }

        mutating func handleCall(
            _ request: Report, from: From<[Pid]>, process: ServerProcess
        ) -> CallResult<[Pid]> { .reply(actor.targets) }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
            actor.notice(message, process)
        }
    }

    struct Async: AsyncGenServer {
        var actor: StressActor

        init(_ crowd: StressCrowd, process: ServerProcess) async { actor = StressActor(crowd) }

        mutating func handleCast(_ operation: StressOperation, process: ServerProcess) async {
            actor.perform(operation, process)
        }

        mutating func handleCall(
            _ request: Report, from: From<[Pid]>, process: ServerProcess
        ) async -> CallResult<[Pid]> { .reply(actor.targets) }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async {
            actor.notice(message, process)
        }
    }

    struct Report: Sendable {}

    enum Member: Sendable {
        case direct(ServerRef<Direct>)
        case async(ServerRef<Async>)

        var pid: Pid {
            switch self {
            case .direct(let ref): ref.pid
            case .async(let ref): ref.pid
            }
        }

        func perform(_ operation: StressOperation) async {
            switch self {
            case .direct(let ref):
                if (try? ref.cast(operation)) == nil {
                    try? await ref.cast(operation, waitingUpTo: .seconds(60))
                }
            case .async(let ref):
                if (try? ref.cast(operation)) == nil {
                    try? await ref.cast(operation, waitingUpTo: .seconds(60))
                }
            }
        }

        /// Whom it watches, after everything that was sent to it before; nil when it has ended.
        func targets() async -> [Pid]? {
            switch self {
            case .direct(let ref): try? await ref.call(Report(), timeout: .seconds(60))
            case .async(let ref): try? await ref.call(Report(), timeout: .seconds(60))
            }
        }
    }

    private let node: Node
    private let places: [Lock<Member?>.Box]
    private let killed = Lock<Set<Pid>>([])
    private let violations = Lock<[String]>([])
    private let peerMessages = Lock<[Pid: UInt64]>([:])

    init(on node: Node) {
        self.node = node
        places = (0..<StressOperation.placeCount).map { _ in .init(nil) }
    }

    func report(_ violation: String) {
        violations.withLock { $0.append(violation) }
    }

    func sent(to pid: Pid) {
        peerMessages.withLock { $0[pid, default: 0] += 1 }
    }

    func pid(_ place: Int) -> Pid? { places[place].lock.withLock { $0?.pid } }

    /// Carries out an operation, or has it carried out.
    func perform(_ operation: StressOperation) async {
        switch operation {
        case .spawn(let place, let traps):
            await spawn(at: place, traps: traps)
        case .kill(let place):
            guard let pid = pid(place) else { return }
            killed.withLock { _ = $0.insert(pid) }
            node.kill(pid)
        case .link(let place, _), .unlink(let place, _), .monitor(let place, _),
            .demonitor(let place), .exit(let place, _, _), .register(let place, _),
            .unregister(let place, _), .trap(let place, _), .send(let place, _):
            await places[place].lock.withLock { $0 }?.perform(operation)
        }
    }

    private func spawn(at place: Int, traps: Bool) async {
        if let pid = pid(place), node.isAlive(pid) { return }
        let options = ProcessOptions(mailbox: .init(capacity: 64), trapsExits: traps)
        let member: Member
        do {
            member =
                place % 2 == 0
                ? .direct(try node.spawn(Direct.self, self, options: options))
                : .async(try await node.spawn(Async.self, self, options: options))
        } catch {
            return report("cannot spawn: \(error)")
        }
        // Another driver may have been faster; then this one is let go.
        let isPlaced = places[place].lock.withLock { current in
            if let current, node.isAlive(current.pid) { return false }
            current = member
            return true
        }
        if !isPlaced { node.kill(member.pid) }
    }

    /// Waits until nothing moves any more, then checks what must hold in any order.
    ///
    /// - Parameter eventsBalance: how many more processes have started than ended.
    /// - Returns: what does not hold.
    func check(_ eventsBalance: () -> Int) async -> [String] {
        var watchers: [Pid: [Pid]] = [:]
        // The first answer comes behind the last operation; the DOWN of a monitor that this one has
        // made on the dead comes behind the answer. So it is the second that counts.
        var roundCount = 0
        while true {
            roundCount += 1
            watchers = [:]
            var sawEnd = false
            // An ended process leaves the table before it has told everybody, the count after that.
            // So whoever answers in a round that begins and ends with the same processes, all of
            // them counted, has been told of everybody else.
            let atBegin = Set(node.processes)
            let isQuiet = node.count == atBegin.count
            for place in places {
                guard let member = place.lock.withLock({ $0 }), node.isAlive(member.pid) else {
                    continue
                }
                watchers[member.pid] = await member.targets()
                if watchers[member.pid] == nil { sawEnd = true }
            }
            if roundCount > 1, isQuiet, !sawEnd, Set(watchers.keys) == atBegin,
                node.count == atBegin.count
            {
                break
            }
            await Task.yield()
        }
        checkDead(watchers)
        checkLinks(Array(watchers.keys))
        checkNames(Set(watchers.keys))
        checkCounts(Array(watchers.keys))
        if eventsBalance() != watchers.count {
            report("\(eventsBalance()) more starts than ends, but \(watchers.count) alive")
        }
        return violations.withLock { $0 }
    }

    private func checkDead(_ watchers: [Pid: [Pid]]) {
        for pid in killed.withLock({ $0 }) where watchers[pid] != nil {
            report("\(pid) was killed and lives")
        }
        for (watcher, targets) in watchers {
            for target in targets where watchers[target] == nil {
                report("\(watcher) was never told that \(target) ended")
            }
            // What it believes to watch is what the runtime has for it, on both sides.
            let monitors = node.info(watcher)?.monitors ?? []
            if Set(monitors) != Set(targets.map { .pid($0) }) || monitors.count != targets.count {
                report("\(watcher) watches \(targets.count), the runtime knows \(monitors.count)")
            }
        }
        for pid in watchers.keys {
            let believed = watchers.values.reduce(0) { $0 + $1.count { $0 == pid } }
            let known = node.info(pid)?.monitoredBy.count ?? -1
            if believed != known { report("\(pid) is watched by \(believed), knows \(known)") }
        }
    }

    private func checkLinks(_ alive: [Pid]) {
        for pid in alive {
            for partner in node.info(pid)?.links ?? [] {
                if !(node.info(partner)?.links.contains(pid) ?? false) {
                    report("the link of \(pid) with \(partner) has one side")
                }
            }
        }
    }

    private func checkNames(_ alive: Set<Pid>) {
        var holders: [String: Pid] = [:]
        for (name, pid) in node.registered {
            if holders.updateValue(pid, forKey: name) != nil { report("\(name) has two holders") }
            if !alive.contains(pid) { report("\(name) is held by \(pid), which has ended") }
            if !(node.info(pid)?.names.contains(name) ?? false) {
                report("\(pid) does not know that it holds \(name)")
            }
        }
        for pid in alive {
            for name in node.info(pid)?.names ?? [] where holders[name] != pid {
                report("\(pid) believes to hold \(name)")
            }
        }
    }

    private func checkCounts(_ alive: [Pid]) {
        for pid in alive {
            guard let info = node.info(pid) else { continue }
            if info.mailboxCount != 0 || info.messagesIn != info.messagesHandled {
                report("\(pid) has handled \(info.messagesHandled) of \(info.messagesIn)")
            }
            let peers = peerMessages.withLock { $0[pid] ?? 0 }
            if info.messagesIn < peers { report("\(pid) got fewer messages than peers sent") }
        }
    }
}

extension Lock where Value: Sendable {
    /// A lock that can be an element of an array.
    final class Box: Sendable {
        let lock: Lock<Value>
        init(_ value: Value) { lock = Lock(value) }
    }
}
