//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Sends a ping whenever it gets a pong.
struct Ping: GenServer {
    struct Argument: Sendable {
        let pong: ServerRef<Pong>
        let driver: Pid
    }

    enum Cast: Sendable {
        case play(count: Int, own: ServerRef<Ping>)
        case pong
    }

    private let argument: Argument
    private var own: ServerRef<Ping>?
    private var left = 0

    init(_ argument: Argument, process: ServerProcess) {
        self.argument = argument
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .play(let count, let own):
            self.left = count
            self.own = own
        case .pong:
            left -= 1
        }
        if left > 0, let own {
            try argument.pong.cast(.ping(own))
        } else {
            try process.send(Signal.done, to: argument.driver)
        }
    }
}

/// Answers every ping.
struct Pong: GenServer {
    enum Cast: Sendable { case ping(ServerRef<Ping>) }

    init(_ argument: Void, process: ServerProcess) {}

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .ping(let sender): try sender.cast(.pong)
        }
    }
}

/// ``Ping`` as an async server.
struct AsyncPing: AsyncGenServer {
    struct Argument: Sendable {
        let pong: ServerRef<AsyncPong>
        let driver: Pid
    }

    enum Cast: Sendable {
        case play(count: Int, own: ServerRef<AsyncPing>)
        case pong
    }

    private let argument: Argument
    private var own: ServerRef<AsyncPing>?
    private var left = 0

    init(_ argument: Argument, process: ServerProcess) async {
        self.argument = argument
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .play(let count, let own):
            self.left = count
            self.own = own
        case .pong:
            left -= 1
        }
        if left > 0, let own {
            try argument.pong.cast(.ping(own))
        } else {
            try process.send(Signal.done, to: argument.driver)
        }
    }
}

/// ``Pong`` as an async server.
struct AsyncPong: AsyncGenServer {
    enum Cast: Sendable { case ping(ServerRef<AsyncPing>) }

    init(_ argument: Void, process: ServerProcess) async {}

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .ping(let sender): try sender.cast(.pong)
        }
    }
}

/// The messages of closures that play.
private enum BallMessage: Sendable {
    case play(count: Int)
    case ping(Pid)
    case pong
}

extension Process {
    /// Makes two players.
    ///
    /// - Returns: lets them exchange that many pings and pongs.
    func makePingPong(
        _ kind: ProcessKind
    ) async throws -> @Sendable (_ count: Int) throws -> Void {
        switch kind {
        case .direct:
            let pong = try spawn(Pong.self, ())
            let ping = try spawn(Ping.self, Ping.Argument(pong: pong, driver: pid))
            return { try ping.cast(.play(count: $0, own: ping)) }
        case .async:
            let pong = try await spawn(AsyncPong.self, ())
            let ping = try await spawn(
                AsyncPing.self, AsyncPing.Argument(pong: pong, driver: pid))
            return { try ping.cast(.play(count: $0, own: ping)) }
        case .closure:
            let driver = pid
            let pong = try spawn { try await $0.answerPings() }
            let ping = try spawn { try await $0.sendPings(to: pong, driver: driver) }
            return { try ping.send(BallMessage.play(count: $0)) }
        }
    }

    private func answerPings() async throws {
        while true {
            guard case .ping(let sender) = try await receive(BallMessage.self) else { continue }
            try send(BallMessage.pong, to: sender)
        }
    }

    private func sendPings(to pong: ProcessRef<Void>, driver: Pid) async throws {
        while true {
            guard case .play(let count) = try await receive(BallMessage.self) else { continue }
            for _ in 0..<count {
                try pong.send(BallMessage.ping(pid))
                guard case .pong = try await receive(BallMessage.self) else {
                    throw FigureError.wrong("a ping was not answered with a pong")
                }
            }
            try send(Signal.done, to: driver)
        }
    }
}
