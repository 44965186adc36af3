//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Synchronization
import Testing

@testable import Troupe

/// An entry that can be compared.
struct SeenEntry: Equatable, Sendable {
    let pid: Pid
    let value: Int
}

extension KeyRegistry where Value == Int {
    func seen(_ key: Key) -> [SeenEntry] {
        lookup(key).map { SeenEntry(pid: $0.pid, value: $0.value) }
    }
}

/// A message of a registry to a listener, in a form that can be compared.
enum SeenChange: Equatable, Sendable {
    case register(String, Pid, Int)
    case unregister(String, Pid)
}

extension Process {
    /// The next message, which has to be of a registry.
    func receiveChange() async throws -> SeenChange {
        switch try await receive() {
        case let message as MessageKeyRegistered<String, Int>:
            return .register(message.key, message.pid, message.value)
        case let message as MessageKeyUnregistered<String, Int>:
            return .unregister(message.key, message.pid)
        case let other:
            Issue.record("unexpected \(type(of: other as Any))")
            throw ExitReason.custom("unexpected")
        }
    }
}

/// A message about a group, in a form that can be compared.
struct SeenGroupChange: Equatable, Sendable {
    let ref: GroupMonitorRef
    let change: GroupChange
    let group: String
    let pids: [Pid]

    init(_ ref: GroupMonitorRef, _ change: GroupChange, _ group: String, _ pids: [Pid]) {
        self.ref = ref
        self.change = change
        self.group = group
        self.pids = pids
    }
}

extension Process {
    /// The next message, which has to be about a group.
    func receiveGroupChange() async throws -> SeenGroupChange {
        let message = try #require(try await receive() as? MessageGroupChange<String>)
        return SeenGroupChange(message.ref, message.change, message.group, message.pids)
    }
}

/// A server that does in its process what it is told, and says when it is done.
struct Doer: GenServer {
    typealias Call = @Sendable (ServerProcess) throws -> Void

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Void>, process: ServerProcess
    ) throws -> CallResult<Void> {
        try request(process)
        return .reply(())
    }
}

/// A number that several tasks count up.
final class Tally: Sendable {
    private let number = Atomic(0)

    func add() { number.add(1, ordering: .relaxed) }
    var count: Int { number.load(ordering: .relaxed) }
}
