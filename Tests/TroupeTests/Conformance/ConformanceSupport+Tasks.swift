//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

@testable import Troupe

/// What an owner of tasks has seen, and what was left of it when it had done its work.
struct OwnerReport<Value: Sendable>: Sendable {
    let value: Value
    /// What the mailbox held.
    let messages: [String]
    /// Whom it was still linked to.
    let links: [Pid]

    var isClean: Bool { messages == [] && links == [] }
}

extension Node {
    /// Runs `body` in a process, and looks what is left in its mailbox and of its links.
    func runOwner<Value: Sendable>(
        trapsExits: Bool = false,
        _ body: @escaping @Sendable (Process) async throws -> Value
    ) async throws -> OwnerReport<Value> {
        let process = try spawn(options: .init(trapsExits: trapsExits)) { process in
            let value = try await body(process)
            var messages: [String] = []
            while let message = try await process.receive(timeout: .zero) {
                messages.append("\(message)")
            }
            return OwnerReport(value: value, messages: messages, links: process.links)
        }
        return try await process.value
    }
}

extension ProcessContext {
    /// A task that receives for ever; it can be ended, and never returns.
    func asyncIdle(
        _ options: ProcessOptions = .default, linked: Bool = true
    ) throws(SpawnError) -> ProcessTask<Int> {
        try async(options: options, linked: linked) { child in
            while true { _ = try await child.receive() }
        }
    }
}

extension ProcessTask {
    /// Waits until the task has ended, without taking its outcome.
    func untilEnded() async {
        await end.wait(deadline: .max, on: process.node.scheduler)
    }
}

extension TaskError {
    /// What an operation on a task fails with; nil when it does not.
    static func thrown<Value>(
        _ body: () async throws(TaskError) -> Value
    ) async -> TaskError? {
        do {
            _ = try await body()
            return nil
        } catch { return error }
    }
}

/// Counts how many tasks run at once.
final class Crowd: Sendable {
    private let state = Lock((count: 0, highest: 0))

    var highest: Int { state.withLock { $0.highest } }

    func enter() {
        state.withLock { state in
            state.count += 1
            state.highest = max(state.highest, state.count)
        }
    }

    func leave() { state.withLock { $0.count -= 1 } }
}
