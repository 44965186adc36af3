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
