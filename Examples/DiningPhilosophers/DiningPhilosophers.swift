//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// Five philosophers, five forks, and a rule that keeps them from starving: the fork with the lower
// number first. A fork monitors its holder; so when a philosopher chokes, the others go on eating.
import Troupe

/// A fork is held by one philosopher; the others wait for the reply to their call.
struct Fork: GenServer {
    enum Call: Sendable { case take(by: Pid) }
    enum Cast: Sendable { case putDown(by: Pid) }

    private var holder: (pid: Pid, monitor: MonitorRef)?
    private var waiting: [(pid: Pid, from: From<Void>)] = []

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Void>, process: ServerProcess
    ) -> CallResult<Void> {
        guard case .take(let pid) = request else { return .noReply }
        if holder != nil {
            waiting.append((pid, from))
            return .noReply
        }
        holder = (pid, process.monitor(pid))
        return .reply(())
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) {
        guard case .putDown(let pid) = message, let holder, holder.pid == pid else { return }
        process.demonitor(holder.monitor)
        passOn(process)
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
        guard let down = message as? MessageDown, down.ref == holder?.monitor else { return }
        passOn(process)
    }

    /// Gives the fork to the next one who still waits for it.
    private mutating func passOn(_ process: ServerProcess) {
        holder = nil
        while holder == nil, !waiting.isEmpty {
            let next = waiting.removeFirst()
            // False for one who has given up, or choked, meanwhile.
            if next.from.reply(()) { holder = (next.pid, process.monitor(next.pid)) }
        }
    }
}

@main
enum Main {
    static let names = ["Aspasia", "Bhaskara", "Confucius", "Diotima", "Epicurus"]
    static let mealCount = 1000

    static func main() async throws {
        let node = try Node(name: "table", options: .init(events: NoEvents()))
        let forks = try names.map { _ in try node.spawn(Fork.self) }
        let philosophers = try names.indices.map { seat in
            try node.spawn { process in
                let left = forks[seat]
                let right = forks[(seat + 1) % forks.count]
                let first = seat == forks.count - 1 ? right : left
                let second = seat == forks.count - 1 ? left : right
                for meal in 1...mealCount {
                    try await first.call(.take(by: process.pid), timeout: .seconds(60))
                    try await second.call(.take(by: process.pid), timeout: .seconds(60))
                    if seat == 2, meal == mealCount / 2 { throw ExitReason.custom("a fishbone") }
                    try second.cast(.putDown(by: process.pid))
                    try first.cast(.putDown(by: process.pid))
                }
                return mealCount
            }
        }
        for (name, philosopher) in zip(names, philosophers) {
            do {
                print("\(name) has eaten \(try await philosopher.value) times")
            } catch {
                print("\(name) has left the table: \(error)")
            }
        }
        await node.stop()
    }
}
