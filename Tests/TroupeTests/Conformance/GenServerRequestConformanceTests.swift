//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: asynchronous requests", .timeLimit(.minutes(4)))
struct GenServerRequestConformanceTests {
    @Test(
        "GS-47 a wait that times out does not give the request up",
        arguments: ServerKind.allCases)
    func waitAgain(kind: ServerKind) async throws {
        try await withNode { node in
            let server = try await kind.spawn(on: node)
            let isDeferred = Gate()
            let (replies, left) = try await node.runProcess { process in
                let request = server.sendRequest(.deferReply(isDeferred: isDeferred))
                await isDeferred.wait()
                let first = try await request.wait(upTo: .zero)
                let second = try await request.wait(upTo: .milliseconds(2))
                let wasReady = request.isReady
                try server.cast(.replyToDeferred(47))
                let third = try await request.wait(upTo: .seconds(1000))
                let fourth = try await request.wait(upTo: .zero)
                let fifth = try await request.receive(timeout: .zero)
                return (pending: [first, second], wasReady, [third, fourth, fifth])
            }
            #expect(replies.pending == [nil, nil] && !replies.1)
            #expect(replies.2 == [47, 47, 47])
            #expect(left == [])
        }
    }

    @Test(
        "GS-48 a receive that times out gives the request up: its reply never appears",
        arguments: ServerKind.allCases)
    func abandoned(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await kind.spawn(on: node, Script(log: log))
            let isDeferred = Gate()
            let (errors, left) = try await node.runProcess { process in
                let request = server.sendRequest(.deferReply(isDeferred: isDeferred))
                await isDeferred.wait()
                var errors = [
                    await failure { () throws(CallError) in
                        try await request.receive(timeout: .milliseconds(2))
                    }
                ]
                try server.cast(.replyToDeferred(48))
                try await server.call(.note("next"))
                errors.append(
                    await failure { () throws(CallError) in
                        try await request.wait(upTo: .seconds(1000))
                    })
                errors.append(
                    await failure { () throws(CallError) in try await request.receive() })
                return errors
            }
            #expect(errors == Array(repeating: .timeout(server.pid), count: 3))
            #expect(log.elements == ["reply dropped", "next"])
            #expect(left == [])
        }
    }

    @Test(
        "GS-49 a request to a process that is gone, or goes, fails when it is waited for",
        arguments: ServerKind.allCases)
    func deadServer(kind: ServerKind) async throws {
        try await withNode { node in
            let dead = try await kind.spawn(on: node)
            try await dead.stop()
            let (errors, left) = try await node.runProcess { process in
                var errors: [CallError?] = []
                let late = dead.sendRequest(.note("x"))
                errors.append(
                    await failure { () throws(CallError) in try await late.wait(upTo: .zero) })
                errors.append(
                    await failure { () throws(CallError) in try await late.receive() })
                for reason in [ExitReason.normal, .custom("gone")] {
                    let server = try await kind.spawn(on: node)
                    let isDeferred = Gate()
                    let request = server.sendRequest(.deferReply(isDeferred: isDeferred))
                    await isDeferred.wait()
                    try server.cast(.run { _ in throw reason })
                    errors.append(
                        await failure { () throws(CallError) in try await request.receive() })
                }
                return errors
            }
            #expect(
                errors == [
                    .noProcess(dead.pid), .noProcess(dead.pid), .exited(.normal),
                    .exited(.custom("gone")),
                ])
            #expect(left == [])
        }
    }

    @Test("GS-50 a collection gives the responses as they come, each with its label")
    func collection() async throws {
        try await withNode { node in
            let (outcomes, left) = try await node.runProcess { process in
                let requests = RequestCollection<String, Int>()
                var outcomes = [try await requests.describedWait()]
                var servers: [String: ScriptedRef] = [:]
                var pending: [String: PendingReply<Int>] = [:]
                for label in ["a", "b", "c", "d"] {
                    let server = try await (label < "c" ? ServerKind.plain : .waiting).spawn(
                        on: node)
                    let isDeferred = Gate()
                    let request = server.sendRequest(.deferReply(isDeferred: isDeferred))
                    await isDeferred.wait()
                    try requests.add(request, label: label)
                    (servers[label], pending[label]) = (server, request)
                }
                if let request = pending["a"] {
                    #expect(throws: RequestCollectionError.self) {
                        try requests.add(request, label: "again")
                    }
                }
                outcomes.append(try await requests.describedWait(upTo: .milliseconds(2)))
                try servers["c"]?.cast(.replyToDeferred(3))
                outcomes.append(try await requests.describedWait())
                try servers["a"]?.cast(.replyToDeferred(1))
                outcomes.append(try await requests.describedWait())
                node.kill(servers["d"]?.pid ?? process.pid)
                outcomes.append(try await requests.describedWait())
                #expect(requests.count == 1)
                try servers["b"]?.cast(.replyToDeferred(2))
                outcomes.append(try await requests.describedWait())
                #expect(requests.isEmpty)
                outcomes.append(try await requests.describedWait())
                return outcomes
            }
            #expect(
                outcomes == [
                    "no request", "timeout", "c 3", "a 1",
                    "d the process ended before it replied: killed", "b 2", "no request",
                ])
            #expect(left == [])
        }
    }

    @Test("a collection that was given up can be used again")
    func collectionReused() async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await ServerKind.plain.spawn(on: node, Script(log: log))
            let requests = RequestCollection<String, Int>()
            let isDeferred = Gate()
            let first = server.sendRequest(.deferReply(isDeferred: isDeferred))
            await isDeferred.wait()
            try requests.add(first, label: "first")
            guard case .timeout = try await requests.receive(timeout: .milliseconds(2)) else {
                throw TestError(1)
            }
            #expect(requests.isEmpty)
            #expect(try await requests.describedWait() == "no request")
            try server.cast(.replyToDeferred(1))
            try requests.add(server.sendRequest(.note("second")), label: "second")
            #expect(try await requests.describedWait() == "second 1")
            #expect(try await requests.describedWait() == "no request")
            #expect(log.elements == ["reply dropped", "second"])
        }
    }

    @Test(
        "GS-51 a message that is no response to the request is left as it is",
        arguments: ServerKind.allCases)
    func unrelatedMessage(kind: ServerKind) async throws {
        try await withNode { node in
            let server = try await kind.spawn(on: node)
            let (seen, left) = try await node.runProcess { process in
                let id = process.sendRequest(.run { _ in }, to: server)
                let other = process.sendRequest(.deferReply(isDeferred: Gate()), to: server)
                try await server.call(.note("both have come"))
                try process.send("unrelated", to: process.pid)
                var seen: [String] = []
                for _ in 0..<2 {
                    switch try await process.receive() {
                    case let response as MessageResponse where response.request == id:
                        seen.append("response \(try response.reply(as: Int.self) ?? 0)")
                        #expect(response.request != other)
                    case let message: seen.append("\(message)")
                    }
                }
                return seen
            }
            #expect(seen == ["response 1", "unrelated"])
            #expect(left == [])
        }
    }

    @Test(
        "a request whose response comes as a message: timeout, end of the server, giving up",
        arguments: ServerKind.allCases)
    func responses(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await kind.spawn(on: node, Script(log: log))
            let dead = try await kind.spawn(on: node)
            try await dead.stop()
            let (results, left) = try await node.runProcess { process in
                var results: [String] = []
                let deferred = Command.deferReply(isDeferred: Gate())
                let crash = Command.run { _ in throw ExitReason.custom("end") }
                var ids: [RequestID] = []
                for (command, target, timeout) in [
                    (Command.note("x"), dead, Duration.seconds(30)),
                    (deferred, server, .milliseconds(2)), (crash, server, .seconds(30)),
                ] {
                    let id = process.sendRequest(command, to: target, timeout: timeout)
                    ids.append(id)
                    let message = try await process.receive()
                    guard let response = message as? MessageResponse else { throw TestError(1) }
                    #expect(response.request == id)
                    do throws(CallError) {
                        results.append("\(String(describing: try response.reply(as: Int.self)))")
                    } catch { results.append("\(error)") }
                }
                // One that is in the mailbox, and one that is to come.
                let other = try await kind.spawn(on: node, Script(log: log))
                let here = process.sendRequest(.note("here"), to: other)
                let isDeferred = Gate()
                let coming = process.sendRequest(
                    .deferReply(isDeferred: isDeferred), to: other)
                await isDeferred.wait()
                let given = [process.abandonRequest(here), process.abandonRequest(coming)]
                try other.cast(.replyToDeferred(1))
                try await other.call(.note("next"))
                #expect(given == [true, true])
                #expect(
                    [process.abandonRequest(here), process.abandonRequest(ids[0])] == [
                        false, false,
                    ])
                return results
            }
            #expect(
                results == [
                    "\(CallError.noProcess(dead.pid))", "\(CallError.timeout(server.pid))",
                    "\(CallError.exited(.custom("end")))",
                ])
            #expect(log.elements.suffix(3) == ["here", "reply dropped", "next"])
            #expect(left == [])
        }
    }

    @Test(
        "a server can send itself a request", arguments: ServerKind.allCases)
    func requestToOneself(kind: ServerKind) async throws {
        try await withNode { node in
            let log = Log<String>()
            let server = try await kind.spawn(on: node, Script(log: log))
            try server.cast(.run { process in _ = process.sendRequest(.note("own"), to: server) })
            #expect(await log.wait(for: 2) == ["own", "response success(1)"])
        }
    }

    @Test(
        "GS-52 a call to several servers gives the replies, and those who have not replied",
        arguments: [false, true])
    func multiCall(isQuick: Bool) async throws {
        try await withNode { node in
            let log = Log<String>()
            let (result, left) = try await node.runProcess { process in
                var servers: [ServerRef<Counter>] = []
                for number in 0..<5 { servers.append(try node.spawn(Counter.self, number)) }
                try await servers[1].stop()
                _ = try? await servers[3].call(.fail(3))
                if isQuick {
                    let result = await ServerRef.multiCall(.value, to: servers)
                    return (servers, result)
                }
                // Nobody replies in time but late: the replies go nowhere.
                let result = await ServerRef.multiCall(
                    .later(Gate()), to: servers, timeout: .milliseconds(5))
                for server in [servers[0], servers[2], servers[4]] {
                    try server.cast(.replyToLater)
                    log.append("\(try await server.call(.value))")
                }
                return (servers, result)
            }
            let (servers, outcome) = result
            let replies = outcome.replies.map { "\($0.server.pid) \($0.reply)" }
            let dead = [servers[1].pid, servers[3].pid]
            if isQuick {
                #expect(replies == [0, 2, 4].map { "\(servers[$0].pid) \($0)" })
                #expect(outcome.failures.map(\.server.pid) == dead)
                #expect(outcome.failures.map(\.error) == dead.map { .noProcess($0) })
            } else {
                #expect(replies == [] && log.elements == ["0", "2", "4"])
                #expect(outcome.failures.map(\.server) == servers)
                #expect(
                    outcome.failures.map(\.error)
                        == servers.map {
                            dead.contains($0.pid) ? .noProcess($0.pid) : .timeout($0.pid)
                        })
            }
            #expect(left == [])
        }
    }

    @Test("a call to several waiting servers takes as long as the slowest, not as all together")
    func multiCallAtOnce() async throws {
        try await withNode { node in
            var servers: [ServerRef<AsyncCounter>] = []
            for number in 0..<20 {
                servers.append(try await node.spawn(AsyncCounter.self, number))
            }
            let all = servers
            let gate = Gate()
            async let result = ServerRef.multiCall(.wait(gate), to: all, timeout: .seconds(30))
            // All of them have begun before the first can reply.
            await waitWhile { !all.allSatisfy({ $0.handledCount == 1 }) }
            gate.open()
            let replies = await result.replies.map(\.reply)
            #expect(replies == Array(0..<20))
            #expect(await ServerRef<AsyncCounter>.multiCall(.value, to: []).replies.isEmpty)
        }
    }
}

extension ServerRef {
    fileprivate var handledCount: UInt64 { info?.messagesHandled ?? 0 }
}

extension RequestCollection where Label == String, Reply == Int {
    /// What waiting gives, in words.
    fileprivate func describedWait(
        upTo timeout: Duration = .seconds(30)
    ) async throws(CallError) -> String {
        switch try await wait(upTo: timeout) {
        case .response(let label, .success(let reply)): "\(label) \(reply)"
        case .response(let label, .failure(let error)): "\(label) \(error)"
        case .noRequest: "no request"
        case .timeout: "timeout"
        }
    }
}

/// The error that a call fails with; nil when it does not.
private func failure<Reply>(
    _ call: () async throws(CallError) -> Reply
) async -> CallError? {
    do {
        _ = try await call()
        return nil
    } catch { return error }
}
