//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// A tree of three levels under random kills, hangs and failing inits, on real threads.
///
/// `TROUPE_CHAOS_SECONDS` and `TROUPE_STRESS_SEED` choose another duration than two seconds, and
/// another seed. CI runs a minute.
@Suite("Supervisor chaos", .timeLimit(.minutes(10)))
struct SupervisorChaosTests {
    @Test("a tree of 1,000 workers heals, and gives up exactly when its limits say so")
    func chaos() async throws {
        let seconds = TestEnvironment.number("TROUPE_CHAOS_SECONDS") ?? 2
        let seed = TestEnvironment.number("TROUPE_STRESS_SEED") ?? 20_261_121
        let reports = ChaosReports()
        let events = EventHandler([.supervisorReport, .progress]) { event in
            if case .supervisor(let report) = event { reports.append(report) }
        }
        let violations = try await withNode(NodeOptions(events: events)) { node in
            let chaos = Chaos(seed: UInt64(seed), on: node)
            let root = try await node.spawn(Supervisor.self, chaos.tree)
            let expected = 1 + ChaosTree.supervisorCount + ChaosTree.workerCount
            #expect(node.count == expected)

            let driver = try node.spawn { process in
                try await chaos.run(for: .seconds(seconds), in: process)
            }
            _ = try await driver.value
            await waitWhile { node.count != expected || !chaos.isWhole }
            var violations = try await chaos.check(root)
            violations += chaos.doubledInstances
            return violations + reports.violations(limit: ChaosTree.limit)
        }
        #expect(violations.isEmpty, "seed \(seed), \(seconds) s: \(violations.prefix(5))")
        let counts = reports.counts
        print(
            "chaos: seed \(seed), \(counts.terminated) ends, \(counts.restarted) restarts, "
                + "\(counts.startFailed) failed starts, \(counts.givenUp) escalations, "
                + "\(counts.stuck) stuck")
        #expect(counts.terminated > 0 && counts.restarted > 0)
        // Two seconds may be too short for bad luck to come in series.
        if seconds >= 20 { #expect(counts.givenUp > 0 && counts.startFailed > 0) }
    }
}

/// The shape of the tree: a root, ten supervisors, a hundred supervisors, a thousand workers.
enum ChaosTree {
    static let supervisorCount = 110
    static let workerCount = 1000
    /// Of the supervisors below the root.
    static let limit = RestartLimit(8, within: .seconds(1))

    static func workerName(_ branch: Int, _ twig: Int, _ leaf: Int) -> String {
        "worker \(branch).\(twig).\(leaf)"
    }

    static let workerNames = (0..<10).flatMap { branch in
        (0..<10).flatMap { twig in (0..<10).map { workerName(branch, twig, $0) } }
    }

    /// Group strategies take a child that waits for its next attempt along when a sibling fails, so
    /// that the attempt is never made: there nothing fails to start, to keep the model simple.
    static func strategy(_ twig: Int) -> SupervisorStrategy {
        switch twig % 4 {
        case 0: .oneForAll
        case 1: .restForOne
        default: .oneForOne
        }
    }
}

/// What is done to the tree.
private final class Chaos: Sendable {
    private struct State: Sendable {
        var random: SeededGenerator
        var isActive = false
        /// The last instance of each worker.
        var instances: [String: Pid] = [:]
        var doubled: [String] = []
    }

    private let node: Node
    private let state: Lock<State>

    init(seed: UInt64, on node: Node) {
        self.node = node
        state = Lock(State(random: SeededGenerator(seed: seed)))
    }

    private func random(_ range: Range<Int>) -> Int {
        state.withLock { Int.random(in: range, using: &$0.random) }
    }

    // MARK: - The tree

    var tree: SupervisorSpec {
        SupervisorSpec(limit: RestartLimit(1_000_000, within: .seconds(1))) {
            for branch in 0..<10 {
                ChildSpec.supervisor("\(branch)", limit: ChaosTree.limit) {
                    for twig in 0..<10 {
                        ChildSpec.supervisor(
                            "\(branch).\(twig)", strategy: ChaosTree.strategy(twig),
                            limit: ChaosTree.limit
                        ) {
                            for leaf in 0..<10 { worker(branch, twig, leaf) }
                        }
                    }
                }
            }
        }
    }

    private func worker(_ branch: Int, _ twig: Int, _ leaf: Int) -> ChildSpec {
        let name = ChaosTree.workerName(branch, twig, leaf)
        let argument = ChaosWorkerArgument(
            name: name, mayFail: ChaosTree.strategy(twig) == .oneForOne
        ) { [self] in try enter($0, $1, mayFail: $2) }
        let restart: Restart = leaf % 2 == 0 ? .permanent : .transient
        switch leaf % 3 {
        case 0:
            return ChildSpec(ChaosWorker.self, argument, name: name, restart: restart)
        case 1:
            return ChildSpec(
                ChaosAsyncWorker.self, argument, name: name, restart: restart,
                shutdown: .timeout(.milliseconds(20)))
        default:
            return ChildSpec(
                name, name: name, options: .init(trapsExits: true), restart: restart,
                shutdown: .timeout(.milliseconds(20))
            ) { process in
                try argument.enter(name, process.pid, false)
                // Does not heed a shutdown: it has to be killed. When its supervisor has been
                // killed it must not live on, or its successor would find its name taken.
                while true {
                    let exit = try await process.receive() as? MessageExit
                    if let exit, exit.reason != .shutdown { throw exit.reason }
                }
            }
        }
    }

    /// A worker starts.
    private func enter(_ name: String, _ pid: Pid, mayFail: Bool) throws {
        let (last, fails) = state.withLock { state in
            let last = state.instances.updateValue(pid, forKey: name)
            let fails =
                state.isActive && mayFail && Int.random(in: 0..<30, using: &state.random) == 0
            return (last, fails)
        }
        if let last, node.isAlive(last) { state.withLock { $0.doubled.append(name) } }
        if fails { throw TestError(30) }
    }

    // MARK: - What happens to it

    func run(for duration: Duration, in process: Process) async throws {
        state.withLock { $0.isActive = true }
        let end = process.node.clock.now.advanced(by: duration)
        while process.node.clock.now < end {
            switch random(0..<100) {
            case 0..<70: hurt(ChaosTree.workerNames[random(0..<1000)], process)
            case 70..<74:
                // A series of failures in one place.
                let twig = random(0..<100) * 10
                for _ in 0..<4 {
                    for leaf in 0..<5 { hurt(ChaosTree.workerNames[twig + leaf], process) }
                    try await process.sleep(for: .milliseconds(3))
                }
            case 74..<75: killSupervisor(of: random(0..<1000), process)
            default: break
            }
            try await process.sleep(for: .milliseconds(2))
        }
        state.withLock { $0.isActive = false }
    }

    private func hurt(_ name: String, _ process: Process) {
        guard let pid = node.whereis(name) else { return }
        switch random(0..<4) {
        case 0: process.exit(pid, .kill)
        case 1: process.exit(pid, .custom("hurt"))
        case 2: try? process.send(ChaosOrder.crash, to: pid)
        default:
            try? process.send(ChaosOrder.hang, to: pid)
            process.exit(pid, .kill)
        }
    }

    private func killSupervisor(of worker: Int, _ process: Process) {
        guard let pid = node.whereis(ChaosTree.workerNames[worker]) else { return }
        guard let parent = node.info(pid)?.parent else { return }
        process.exit(parent, .kill)
    }

    // MARK: - What must hold

    /// Whether every worker runs, as far as can be seen without asking the supervisors.
    var isWhole: Bool { ChaosTree.workerNames.allSatisfy { node.whereis($0) != nil } }

    var doubledInstances: [String] {
        state.withLock { $0.doubled.map { "\($0) was started while it ran" } }
    }

    /// Asks every supervisor for its children.
    func check(_ root: ServerRef<Supervisor>) async throws -> [String] {
        var violations: [String] = []
        var workers: Set<Pid> = []
        for branch in try await root.whichChildren() {
            for twig in try await children(of: branch, &violations) {
                for leaf in try await children(of: twig, &violations) {
                    guard let id = leaf.id, let pid = leaf.pid, node.whereis(id) == pid else {
                        violations.append("\(leaf) is not who has its name")
                        continue
                    }
                    workers.insert(pid)
                }
            }
        }
        if workers.count != ChaosTree.workerCount {
            violations.append("\(workers.count) workers are known to their supervisors")
        }
        return violations
    }

    private func children(
        of child: ChildInfo, _ violations: inout [String]
    ) async throws -> [ChildInfo] {
        guard let pid = child.pid, case .process(let cell) = node.locate(pid) else {
            violations.append("\(child) does not run")
            return []
        }
        return try await ServerRef<Supervisor>(cell).whichChildren()
    }
}

private enum ChaosOrder: Sendable { case crash, hang }

private struct ChaosWorkerArgument: Sendable {
    let name: String
    let mayFail: Bool
    let enter: @Sendable (String, Pid, Bool) throws -> Void
}

private struct ChaosWorker: GenServer {
    init(_ argument: ChaosWorkerArgument, process: ServerProcess) throws {
        try argument.enter(argument.name, process.pid, argument.mayFail)
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        switch message as? ChaosOrder {
        case .crash: throw TestError(1)
        case .hang:
            // Busy, as a handler of this kind cannot wait.
            let end = process.node.clock.now.advanced(by: .milliseconds(2))
            while process.node.clock.now < end {}
        case nil: break
        }
    }
}

private struct ChaosAsyncWorker: AsyncGenServer {
    init(_ argument: ChaosWorkerArgument, process: ServerProcess) async throws {
        try argument.enter(argument.name, process.pid, argument.mayFail)
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {
        switch message as? ChaosOrder {
        case .crash: throw TestError(1)
        case .hang: try await process.sleep(for: .seconds(60))
        case nil: break
        }
    }
}

/// What the supervisors have reported, replayed against a model of their limits.
private final class ChaosReports: Sendable {
    struct Entry: Sendable {
        let report: SupervisorReport
        let instant: ContinuousClock.Instant
    }

    struct Counts {
        var terminated = 0
        var restarted = 0
        var startFailed = 0
        var givenUp = 0
        var stuck = 0
    }

    private let log = Lock<[Entry]>([])

    func append(_ report: SupervisorReport) {
        let entry = Entry(report: report, instant: .now)
        log.withLock { $0.append(entry) }
    }

    var counts: Counts {
        var counts = Counts()
        for entry in log.withLock({ $0 }) {
            switch entry.report.occurrence {
            case .terminated: counts.terminated += 1
            case .restarted: counts.restarted += 1
            case .startFailed: counts.startFailed += 1
            case .givenUp: counts.givenUp += 1
            case .stuck: counts.stuck += 1
            default: break
            }
        }
        return counts
    }

    /// Where a supervisor has given up without reason, or has not in spite of one.
    func violations(limit: RestartLimit) -> [String] {
        let entries = log.withLock { $0 }
        // The root's limit is out of reach.
        let root = entries.first { $0.report.child == "0" }?.report.supervisor
        var models: [Pid: Model] = [:]
        var violations: [String] = []
        for entry in entries where entry.report.supervisor != root {
            let pid = entry.report.supervisor
            var model = models[pid] ?? Model(limit: limit)
            if let violation = model.take(entry) { violations.append("\(pid): \(violation)") }
            models[pid] = model
        }
        return violations
    }

    /// One supervisor.
    private struct Model {
        let limit: RestartLimit
        private var times: [ContinuousClock.Instant] = []
        /// Children whose last attempt has failed: the next one counts.
        private var failing: Set<String> = []
        private var verdict = Verdict.goesOn

        private enum Verdict { case goesOn, givesUp, unclear }

        init(limit: RestartLimit) { self.limit = limit }

        mutating func take(_ entry: Entry) -> String? {
            let child = entry.report.child ?? ""
            switch entry.report.occurrence {
            case .terminated:
                defer { count(entry.instant) }
                return verdict == .givesUp ? "it should have given up" : nil
            case .restarted:
                if failing.remove(child) != nil { count(entry.instant) }
                return verdict == .givesUp ? "it should have given up, not restarted" : nil
            case .startFailed:
                // The first start of a supervisor's children is no restart.
                if times.isEmpty { return nil }
                if failing.remove(child) != nil { count(entry.instant) }
                failing.insert(child)
                return verdict == .givesUp ? "it should have given up, not tried" : nil
            case .givenUp:
                if failing.remove(child) != nil { count(entry.instant) }
                return verdict == .goesOn ? "it gave up after \(times.count) restarts" : nil
            default: return nil
            }
        }

        private mutating func count(_ instant: ContinuousClock.Instant) {
            times.append(instant)
            // A report comes a little later than the decision.
            let margin = Duration.milliseconds(100)
            let certain = times.count { instant - $0 <= limit.period - margin }
            let possible = times.count { instant - $0 <= limit.period + margin }
            if certain > limit.count {
                verdict = .givesUp
            } else {
                verdict = possible > limit.count ? .unclear : .goesOn
            }
        }
    }
}
