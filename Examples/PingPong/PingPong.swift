//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// Two closure processes that send each other messages, and the time that takes.
import Troupe

struct Ping: Sendable {
    let from: Pid
    let number: Int
}

struct Pong: Sendable {
    let number: Int
}

@main
enum Main {
    static func main() async throws {
        guard let rounds = rounds() else { return }
        let node = try Node(name: "pingpong")
        let pong = try node.spawn { process in
            while let ping = try await process.receive() as? Ping {
                try process.send(Pong(number: ping.number), to: ping.from)
            }
        }
        let clock = ContinuousClock()
        let start = clock.now
        let ping = try node.spawn { process in
            // A crash of the other side must not leave this one waiting for ever.
            try process.link(to: pong.pid)
            var received = 0
            for number in 0..<rounds {
                try process.send(Ping(from: process.pid, number: number), to: pong.pid)
                guard let answer = try await process.receive() as? Pong, answer.number == number
                else { break }
                received += 1
            }
            return received
        }
        let received = try await ping.value
        let perRound = (clock.now - start) / max(received, 1)
        print("\(received) rounds, \(perRound) each")
        await node.stop()
    }

    /// The number of rounds from the command line.
    private static func rounds() -> Int? {
        let arguments = CommandLine.arguments.dropFirst()
        guard let first = arguments.first else { return 100_000 }
        guard arguments.count == 1, let rounds = Int(first), rounds >= 0 else {
            print("usage: PingPong [ROUNDS]")
            return nil
        }
        return rounds
    }
}
