//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// A server that can do everything the tests ask for.
struct Counter: GenServer {
    enum Call: Sendable { case value, add(Int), fail(Int), stop(ExitReason), later(Gate), silent }
    enum Cast: Sendable {
        case increment(by: Int)
        case answer(ReplyTo<Int>)
        case replyToLater
        case fail(Int)
        case exit(ExitReason)
        case block(Gate, started: Gate)
    }

    var count: Int
    var later: From<Int>?

    init(_ start: Int, process: ServerProcess) throws {
        if start < 0 { throw TestError(start) }
        count = start
    }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) throws -> CallResult<Int> {
        switch request {
        case .value: return .reply(count)
        case .add(let amount):
            count += amount
            return .reply(count)
        case .fail(let code): throw TestError(code)
        case .stop(let reason): return .stop(reason, reply: count)
        case .later(let isStored):
            later = from
            isStored.open()
            return .noReply
        case .silent: return .noReply
        }
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .increment(let amount): count += amount
        case .answer(let replyTo): replyTo.reply(count)
        case .replyToLater: later?.reply(count)
        case .fail(let code): throw TestError(code)
        case .exit(let reason): throw reason
        case .block(let gate, let started):
            started.open()
            gate.waitBlocking()
        }
    }
}

/// The same for handlers that wait.
struct AsyncCounter: AsyncGenServer {
    enum Call: Sendable {
        case value, fail(Int), later(Gate), wait(Gate), ask(ServerRef<AsyncCounter>), askSelf
        case askNext([ServerRef<AsyncCounter>])
        case sleep(Duration)
        case askWithin(Duration, ServerRef<AsyncCounter>)
        case askLater(ServerRef<AsyncCounter>, Gate)
    }
    enum Cast: Sendable {
        case increment(by: Int)
        case wait(Gate, started: Gate)
        case replyToLater
        case exit(ExitReason)
    }

    var count: Int
    var later: From<Int>?

    init(_ start: Int, process: ServerProcess) async throws {
        await Task.yield()
        if start < 0 { throw TestError(start) }
        count = start
    }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) async throws -> CallResult<Int> {
        switch request {
        case .value: return .reply(count)
        case .fail(let code): throw TestError(code)
        case .later(let isStored):
            later = from
            isStored.open()
            return .noReply
        case .wait(let gate):
            await gate.wait()
            return .reply(count)
        case .ask(let other): return .reply(try await other.call(.value))
        case .askSelf:
            let own = process.node.whereis("self", as: AsyncCounter.self)
            return .reply(try await own?.call(.value) ?? -1)
        case .askNext(var others):
            guard !others.isEmpty else { return .reply(count) }
            let next = others.removeFirst()
            return .reply(try await next.call(.askNext(others)))
        case .askWithin(let timeout, let other):
            return .reply(try await other.call(.value, timeout: timeout))
        case .askLater(let other, let isStored):
            return .reply(try await other.call(.later(isStored)))
        case .sleep(let duration):
            try await process.sleep(for: duration)
            return .reply(count)
        }
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .increment(let amount): count += amount
        case .wait(let gate, let started):
            started.open()
            await gate.wait()
        case .replyToLater: later?.reply(count)
        case .exit(let reason): throw reason
        }
    }
}

/// A server that writes down what it is told.
struct Recorder: GenServer {
    let log: Log<String>
    let onInit: @Sendable (ServerProcess) throws -> Void

    struct Argument: Sendable {
        let log: Log<String>
        let onInit: @Sendable (ServerProcess) throws -> Void

        init(
            _ log: Log<String>,
            _ onInit: @escaping @Sendable (ServerProcess) throws -> Void = { _ in }
        ) {
            self.log = log
            self.onInit = onInit
        }
    }

    typealias Cast = @Sendable (ServerProcess) throws -> Void

    init(_ argument: Argument, process: ServerProcess) throws {
        log = argument.log
        onInit = argument.onInit
        try onInit(process)
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        try message(process)
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        switch message {
        case let down as MessageDown: log.append("down \(down.reason)")
        case let exit as MessageExit: log.append("exit \(exit.reason)")
        case let fallback as MessageFallback:
            log.append("fallback \(fallback.tag) \(fallback.message)")
        default: log.append("\(message)")
        }
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) throws {
        log.append("terminate \(reason)")
    }
}
