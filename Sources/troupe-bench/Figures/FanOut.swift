//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Sends to all, waits for all answers, and begins again.
struct FanOut: GenServer {
    struct Argument: Sendable {
        let answerers: [ServerRef<Answerer>]
        let driver: Pid
    }

    enum Cast: Sendable {
        case run(rounds: Int, own: ServerRef<FanOut>)
        case answer
    }

    private let argument: Argument
    private var own: ServerRef<FanOut>?
    private var roundsLeft = 0
    private var answersLeft = 0

    init(_ argument: Argument, process: ServerProcess) {
        self.argument = argument
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .run(let rounds, let own):
            self.own = own
            self.roundsLeft = rounds
        case .answer:
            answersLeft -= 1
            if answersLeft > 0 { return }
            roundsLeft -= 1
        }
        guard roundsLeft > 0, let own else {
            return try process.send(Signal.done, to: argument.driver)
        }
        answersLeft = argument.answerers.count
        for answerer in argument.answerers { try answerer.cast(.hello(own)) }
    }
}

/// Answers.
struct Answerer: GenServer {
    enum Cast: Sendable { case hello(ServerRef<FanOut>) }

    init(_ argument: Void, process: ServerProcess) {}

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .hello(let sender): try sender.cast(.answer)
        }
    }
}

/// ``FanOut`` as an async server.
struct AsyncFanOut: AsyncGenServer {
    struct Argument: Sendable {
        let answerers: [ServerRef<AsyncAnswerer>]
        let driver: Pid
    }

    enum Cast: Sendable {
        case run(rounds: Int, own: ServerRef<AsyncFanOut>)
        case answer
    }

    private let argument: Argument
    private var own: ServerRef<AsyncFanOut>?
    private var roundsLeft = 0
    private var answersLeft = 0

    init(_ argument: Argument, process: ServerProcess) async {
        self.argument = argument
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .run(let rounds, let own):
            self.own = own
            self.roundsLeft = rounds
        case .answer:
            answersLeft -= 1
            if answersLeft > 0 { return }
            roundsLeft -= 1
        }
        guard roundsLeft > 0, let own else {
            return try process.send(Signal.done, to: argument.driver)
        }
        answersLeft = argument.answerers.count
        for answerer in argument.answerers { try answerer.cast(.hello(own)) }
    }
}

/// ``Answerer`` as an async server.
struct AsyncAnswerer: AsyncGenServer {
    enum Cast: Sendable { case hello(ServerRef<AsyncFanOut>) }

    init(_ argument: Void, process: ServerProcess) async {}

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .hello(let sender): try sender.cast(.answer)
        }
    }
}

/// The messages of closures that fan out.
private enum Greeting: Sendable {
    case run(rounds: Int)
    case hello(Pid)
    case answer
}

extension Process {
    /// Makes the sender and those who answer it.
    ///
    /// - Returns: lets the sender do that many rounds.
    func makeFanOut(
        _ count: Int, _ kind: ProcessKind
    ) async throws -> @Sendable (_ rounds: Int) throws -> Void {
        switch kind {
        case .direct:
            var answerers: [ServerRef<Answerer>] = []
            for _ in 0..<count { answerers.append(try spawn(Answerer.self, ())) }
            let sender = try spawn(
                FanOut.self, FanOut.Argument(answerers: answerers, driver: pid))
            return { try sender.cast(.run(rounds: $0, own: sender)) }
        case .async:
            var answerers: [ServerRef<AsyncAnswerer>] = []
            for _ in 0..<count { answerers.append(try await spawn(AsyncAnswerer.self, ())) }
            let sender = try await spawn(
                AsyncFanOut.self, AsyncFanOut.Argument(answerers: answerers, driver: pid))
            return { try sender.cast(.run(rounds: $0, own: sender)) }
        case .closure:
            let driver = pid
            let answerers = try (0..<count).map { _ in try spawn { try await $0.greetBack() } }
            let sender = try spawn { try await $0.fanOut(to: answerers, driver: driver) }
            return { try sender.send(Greeting.run(rounds: $0)) }
        }
    }

    private func greetBack() async throws {
        while true {
            guard case .hello(let sender) = try await receive(Greeting.self) else { continue }
            try send(Greeting.answer, to: sender)
        }
    }

    private func fanOut(to answerers: [ProcessRef<Void>], driver: Pid) async throws {
        while true {
            guard case .run(let rounds) = try await receive(Greeting.self) else { continue }
            for _ in 0..<rounds {
                for answerer in answerers { try answerer.send(Greeting.hello(pid)) }
                for _ in answerers { _ = try await receive(Greeting.self) }
            }
            try send(Signal.done, to: driver)
        }
    }
}
