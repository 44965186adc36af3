//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Passes a token on; the driver is told when it has made all its hops.
struct RingNode: GenServer {
    enum Cast: Sendable {
        case next(ServerRef<RingNode>)
        case token(hopsLeft: Int)
    }

    private var next: ServerRef<RingNode>?
    private let driver: Pid

    init(_ driver: Pid, process: ServerProcess) {
        self.driver = driver
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .token(0): try process.send(Signal.done, to: driver)
        case .token(let hopsLeft): try next?.cast(.token(hopsLeft: hopsLeft - 1))
        case .next(let node): next = node
        }
    }
}

/// The same as an async server.
struct AsyncRingNode: AsyncGenServer {
    enum Cast: Sendable {
        case next(ServerRef<AsyncRingNode>)
        case token(hopsLeft: Int)
    }

    private var next: ServerRef<AsyncRingNode>?
    private let driver: Pid

    init(_ driver: Pid, process: ServerProcess) async {
        self.driver = driver
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .token(0): try process.send(Signal.done, to: driver)
        case .token(let hopsLeft): try next?.cast(.token(hopsLeft: hopsLeft - 1))
        case .next(let node): next = node
        }
    }
}

/// The messages of a ring of closures.
private enum RingMessage: Sendable {
    case next(ProcessRef<Void>)
    case token(hopsLeft: Int)
}

extension Process {
    /// Makes a ring.
    ///
    /// - Returns: sends a token around, with that many hops left.
    func makeRing(
        _ count: Int, _ kind: ProcessKind
    ) async throws -> @Sendable (_ hopsLeft: Int) throws -> Void {
        switch kind {
        case .direct:
            var nodes: [ServerRef<RingNode>] = []
            for _ in 0..<count { nodes.append(try spawn(RingNode.self, pid)) }
            for (index, node) in nodes.enumerated() {
                try node.cast(.next(nodes[(index + 1) % count]))
            }
            let first = nodes[0]
            return { try first.cast(.token(hopsLeft: $0)) }
        case .async:
            var nodes: [ServerRef<AsyncRingNode>] = []
            for _ in 0..<count { nodes.append(try await spawn(AsyncRingNode.self, pid)) }
            for (index, node) in nodes.enumerated() {
                try node.cast(.next(nodes[(index + 1) % count]))
            }
            let first = nodes[0]
            return { try first.cast(.token(hopsLeft: $0)) }
        case .closure:
            return try makeClosureRing(count)
        }
    }

    private func makeClosureRing(
        _ count: Int
    ) throws -> @Sendable (_ hopsLeft: Int) throws -> Void {
        let driver = pid
        var nodes: [ProcessRef<Void>] = []
        for _ in 0..<count {
            nodes.append(try spawn { try await $0.passTokens(driver: driver) })
        }
        for (index, node) in nodes.enumerated() {
            try node.send(RingMessage.next(nodes[(index + 1) % count]))
        }
        let first = nodes[0]
        return { try first.send(RingMessage.token(hopsLeft: $0)) }
    }

    private func passTokens(driver: Pid) async throws {
        var next: ProcessRef<Void>?
        while true {
            switch try await receive(RingMessage.self) {
            case .token(0): try send(Signal.done, to: driver)
            case .token(let hopsLeft): try next?.send(RingMessage.token(hopsLeft: hopsLeft - 1))
            case .next(let node): next = node
            }
        }
    }
}
