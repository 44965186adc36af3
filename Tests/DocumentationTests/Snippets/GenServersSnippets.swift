//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

private struct Counter: GenServer {
    enum Call: Sendable { case value }
    enum Cast: Sendable { case increment(by: Int) }
    var count: Int

    init(_ start: Int, process: ServerProcess) { count = start }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> { .reply(count) }

    mutating func handleCast(_ message: Cast, process: ServerProcess) {
        switch message {
        case .increment(let amount): count += amount
        }
    }
}

/// The code of the article of this name, so that it is compiled; see `ArticleTests`.
enum GenServersSnippets {
    struct Bank: GenServer {
        enum Call: Sendable { case balance, withdraw(Int) }
        struct Overdrawn: Error { let by: Int }
        var balance: Int

        init(_ start: Int, process: ServerProcess) throws {
            try process.send("interest is due", every: .seconds(60))
            balance = start
        }

        mutating func handleCall(
            _ request: Call, from: From<Result<Int, Overdrawn>>, process: ServerProcess
        ) -> CallResult<Result<Int, Overdrawn>> {
            switch request {
            case .balance: return .reply(.success(balance))
            case .withdraw(let amount) where amount > balance:
                return .reply(.failure(Overdrawn(by: amount - balance)))
            case .withdraw(let amount):
                balance -= amount
                return .reply(.success(balance))
            }
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) {
            if message is String {
                balance += balance / 100
            } else {
                process.reportUnhandled(message)
            }
        }
    }

    fileprivate static func part2(node: Node) async throws {
        let options = ProcessOptions(startTimeout: .seconds(1))
        let bank = try node.spawn(Bank.self, 100, options: options)
        _ = bank
    }

    struct Catalog: GenServer {
        enum Call: Sendable { case count }
        enum Continue: Sendable { case load(page: Int) }
        var entries: [String] = []

        init(_ firstPage: Int, process: ServerProcess) {
            process.continue(with: .load(page: firstPage))
        }

        mutating func handleCall(
            _ request: Call, from: From<Int>, process: ServerProcess
        ) -> CallResult<Int> { .reply(entries.count) }

        mutating func handleContinue(_ message: Continue, process: ServerProcess) {
            guard case .load(let page) = message, page < 10 else { return }
            entries.append("page \(page)")
            process.continue(with: .load(page: page + 1))
        }
    }

    fileprivate static func part4(counter: ServerRef<Counter>) async throws {
        let value = try await counter.call(.value)
        let soon = try await counter.call(.value, timeout: .milliseconds(100))
        _ = (value, soon)
    }

    struct Gate: GenServer {
        enum Call: Sendable { case pass }
        enum Cast: Sendable { case open }
        var waiting: [From<Bool>] = []

        init(_: Void, process: ServerProcess) {}

        mutating func handleCall(
            _ request: Call, from: From<Bool>, process: ServerProcess
        ) -> CallResult<Bool> {
            waiting.append(from)
            return .noReply
        }

        mutating func handleCast(_ message: Cast, process: ServerProcess) {
            for from in waiting { from.reply(true) }
            waiting = []
        }
    }

    struct Store: GenServer {
        enum Cast: Sendable {
            case count(replyTo: ReplyTo<Int>)
            case find(String, replyTo: ReplyTo<String?>)
        }
        var entries: [String: String] = [:]

        init(_: Void, process: ServerProcess) {}

        mutating func handleCast(_ message: Cast, process: ServerProcess) {
            switch message {
            case .count(let replyTo): replyTo.reply(entries.count)
            case .find(let key, let replyTo): replyTo.reply(entries[key])
            }
        }
    }

    fileprivate static func part7(node: Node) async throws {
        let store = try node.spawn(Store.self)
        let count = try await store.ask { .count(replyTo: $0) }
        let found = try await store.ask { .find("key", replyTo: $0) }
        _ = (count, found)
    }

    fileprivate static func part8(counter: ServerRef<Counter>) async throws {
        let pending = counter.sendRequest(.value)
        // … do something else …
        if let value = try await pending.wait(upTo: .milliseconds(100)) { print(value) }
        let value = try await pending.receive(timeout: .seconds(1))
        _ = value
    }

    fileprivate static func part9(servers: [String: ServerRef<Counter>]) async throws {
        let requests = RequestCollection<String, Int>()
        for (city, server) in servers { try requests.add(server.sendRequest(.value), label: city) }
        while case .response(let city, let result) = try await requests.receive() {
            print(city, result)
        }
    }

    private struct Clerk: GenServer {
        enum Cast: Sendable { case ask(ServerRef<Counter>) }
        var open: Set<RequestID> = []

        init(_: Void, process: ServerProcess) {}

        mutating func handleCast(_ message: Cast, process: ServerProcess) {
            switch message {
            case .ask(let counter): open.insert(process.sendRequest(.value, to: counter))
            }
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
            guard let response = message as? MessageResponse,
                open.remove(response.request) != nil
            else { return process.reportUnhandled(message) }
            if let value = try response.reply(as: Int.self) { print("it counts", value) }
        }
    }

    fileprivate static func part11(
        first: ServerRef<Counter>, second: ServerRef<Counter>, third: ServerRef<Counter>
    ) async {
        let result = await ServerRef.multiCall(
            .value, to: [first, second, third], timeout: .seconds(1))
        for (server, value) in result.replies { print(server, value) }
        for (server, error) in result.failures { print(server, error) }
    }

    struct Session: GenServer {
        enum Cast: Sendable { case touch }

        init(_: Void, process: ServerProcess) { process.setIdleTimeout(after: .seconds(300)) }

        mutating func handleCast(_ message: Cast, process: ServerProcess) {}

        mutating func handleTimeout(process: ServerProcess) throws { throw ExitReason.normal }
    }

    struct Room: GenServer {
        enum Cast: Sendable { case join(ServerRef<Member>), say(String) }
        var members: [ServerRef<Member>] = []

        init(_: Void, process: ServerProcess) {}

        mutating func handleCast(_ message: Cast, process: ServerProcess) {
            switch message {
            case .join(let member): members.append(member)
            case .say(let text): for member in members { try? member.cast(.hear(text)) }
            }
        }
    }

    struct Member: GenServer {
        enum Cast: Sendable { case hear(String) }

        init(_ room: ServerRef<Room>, process: ServerProcess) throws {
            try room.cast(.join(process.ref))
        }

        mutating func handleCast(_ message: Cast, process: ServerProcess) {
            if case .hear(let text) = message { print(process.ref, "hears", text) }
        }
    }

    fileprivate static func part14(counter: ServerRef<Counter>) async throws {
        try await counter.stop(.shutdown, timeout: .seconds(10))
        print(try await counter.exitReason)
    }
}
