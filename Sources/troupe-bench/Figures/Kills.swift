//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Synchronization
import Troupe

extension Figure {
    /// What it costs for each of many that one process is killed: until all who are linked to it, or
    /// monitor it, have been told. The cost of each must not depend on how many there are.
    static let kills: [Figure] = [
        kill(.link), kill(.monitor),
    ]

    private static func kill(_ bond: Affected.Bond) -> Figure {
        Figure("kill_with_100k_\(bond)s", hasPeer: false, events: NoEvents()) { process in
            _ = try await process.killOne(with: 10_000, bond)
            // As many in all on both sides.
            var few = Duration.zero
            for _ in 0..<10 { few += try await process.killOne(with: 10_000, bond) }
            let many = try await process.killOne(with: 100_000, bond)
            return [
                .nanoseconds("kill_with_10k_\(bond)s", few, each: 100_000),
                .nanoseconds("kill_with_100k_\(bond)s", many, each: 100_000),
                Row("kill_with_\(bond)s_ratio", many / few, "times"),
            ]
        }
    }
}

extension Process {
    /// How long it takes from the kill until all are told.
    fileprivate func killOne(with count: Int, _ bond: Affected.Bond) async throws -> Duration {
        let hub = try spawn(IdleServer.self, ()).pid
        let argument = Affected.Argument(
            bond: bond, hub: hub, driver: pid, countdown: Countdown(count))
        var affected: [Pid] = []
        for _ in 0..<count {
            let options = ProcessOptions(trapsExits: true)
            affected.append(try spawn(Affected.self, argument, options: options).pid)
        }
        try await settle()
        let time = try await timed {
            exit(hub, .kill)
            try await wait(for: .done)
        }
        for pid in affected { node.kill(pid) }
        try await settle()
        return time
    }
}

/// Counts down from many threads.
private final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) {
        self.left = Atomic(count)
    }

    /// - Returns: whether this was the last one.
    func next() -> Bool {
        left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
    }
}

/// Is told when the hub has ended; the last one tells the driver.
private struct Affected: GenServer {
    enum Bond: Sendable { case link, monitor }

    struct Argument: Sendable {
        let bond: Bond
        let hub: Pid
        let driver: Pid
        let countdown: Countdown
    }

    private let argument: Argument

    init(_ argument: Argument, process: ServerProcess) throws {
        self.argument = argument
        switch argument.bond {
        case .link: _ = try process.link(to: argument.hub)
        case .monitor: _ = process.monitor(argument.hub)
        }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        guard message is MessageExit || message is MessageDown else {
            throw FigureError.unexpectedMessage("\(message)")
        }
        if argument.countdown.next() { try process.send(Signal.done, to: argument.driver) }
    }
}
