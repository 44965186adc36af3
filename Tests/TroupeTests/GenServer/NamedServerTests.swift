//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Named servers", .timeLimit(.minutes(4)))
struct NamedServerTests {
    @Test("every operation finds the instance of the moment, over restarts")
    func restarts() async throws {
        try await withNode { node in
            let counter = node.server(Counter.self, named: "counter")
            for instance in 1...3 {
                let server = try node.spawn(
                    Counter.self, instance * 100, options: .init(name: "counter"))
                #expect(counter.current == server && counter.pid == server.pid)
                try counter.cast(.increment(by: 1))
                try await counter.cast(.increment(by: 1), waitingUpTo: .seconds(5))
                #expect(try await counter.call(.value) == instance * 100 + 2)
                #expect(try await counter.ask { .answer($0) } == instance * 100 + 2)
                #expect(try await counter.direct(.add(1)) == instance * 100 + 3)
                #expect(try counter.sendDirectly(.add(1)) == instance * 100 + 4)
                let pending = try counter.sendRequest(.value)
                #expect(try await pending.receive() == instance * 100 + 4)
                try await counter.stop()
                #expect(counter.current == nil && counter.pid == nil)
            }
        }
    }

    @Test("the same for servers that await")
    func asyncServers() async throws {
        try await withNode { node in
            let counter = node.server(AsyncCounter.self, named: "counter")
            for instance in 1...2 {
                _ = try await node.spawn(
                    AsyncCounter.self, instance, options: .init(name: "counter"))
                try counter.cast(.increment(by: 10))
                #expect(try await counter.call(.value) == instance + 10)
                try await counter.stop(.shutdown)
            }
            await #expect(throws: CallError.nameUnknown("counter")) {
                try await counter.call(.value)
            }
        }
    }

    @Test("messages go to handleInfo")
    func infos() async throws {
        try await withNode { node in
            let log = Log<String>()
            let recorder = node.server(Recorder.self, named: "recorder")
            _ = try node.spawn(Recorder.self, .init(log), options: .init(name: "recorder"))
            try recorder.send("hello")
            #expect(await log.wait(for: 1) == ["hello"])
        }
    }

    /// Checks that every operation says that nobody holds the name, and hands back what it was given.
    private func expectNobody(_ counter: NamedServer<Counter>) async throws {
        #expect(counter.current == nil && counter.pid == nil)
        let unknown = CallError.nameUnknown(counter.name)
        let cast = #expect(throws: SendError<Counter.Cast>.self) {
            try counter.cast(.increment(by: 7))
        }
        #expect(cast?.failure == .nameUnknown(counter.name))
        guard case .increment(by: 7)? = cast?.message else {
            Issue.record("the message was lost")
            return
        }
        let waiting = await #expect(throws: SendError<Counter.Cast>.self) {
            try await counter.cast(.increment(by: 8), waitingUpTo: .seconds(1000))
        }
        #expect(waiting?.failure == .nameUnknown(counter.name))
        let info = #expect(throws: SendError<Int>.self) { try counter.send(9) }
        #expect(info?.failure == .nameUnknown(counter.name) && info?.message == 9)
        await #expect(throws: unknown) { try await counter.call(.value) }
        await #expect(throws: unknown) { try await counter.ask { .answer($0) } as Int }
        await #expect(throws: unknown) { try await counter.direct(.value) }
        #expect(throws: unknown) { try counter.sendDirectly(.value) }
        #expect(throws: unknown) { _ = try counter.sendRequest(.value) }
        await #expect(throws: unknown) { try await counter.stop() }
    }

    @Test("nobody holds the name, or never could")
    func nobody() async throws {
        try await withNode { node in
            for name in ["nobody", "", String(repeating: "x", count: 10_000)] {
                try await expectNobody(node.server(Counter.self, named: name))
            }
        }
    }

    @Test("a process of another type under the name counts as nobody, and is left in peace")
    func otherType() async throws {
        try await withNode { node in
            let log = Log<String>()
            let recorder = try node.spawn(Recorder.self, .init(log), options: .init(name: "other"))
            let async = try await node.spawn(AsyncCounter.self, 1, options: .init(name: "async"))
            let closure = try node.spawn(options: .init(name: "closure")) { process in
                try await process.receive() as? String
            }
            for name in ["other", "async", "closure"] {
                try await expectNobody(node.server(Counter.self, named: name))
            }
            try recorder.send("only this")
            #expect(await log.wait(for: 1) == ["only this"])
            #expect(try await async.call(.value) == 1)
            try closure.send("end")
            #expect(try await closure.value == "end")
        }
    }

    @Test("a call that waits when the instance ends fails with exited; the next one goes on")
    func exitedWhileWaiting() async throws {
        try await withNode { node in
            let counter = node.server(Counter.self, named: "counter")
            _ = try node.spawn(Counter.self, 1, options: .init(name: "counter"))
            let isStored = Gate()
            let call = Task { try await counter.call(.later(isStored)) }
            await isStored.wait()
            try counter.cast(.exit(.shutdown))
            await #expect(throws: CallError.exited(.shutdown)) { try await call.value }
            // Names are free before anybody is told.
            #expect(counter.pid == nil)
            _ = try node.spawn(Counter.self, 2, options: .init(name: "counter"))
            #expect(try await counter.call(.value) == 2)
        }
    }

    @Test("a full mailbox is reported as it is for any reference")
    func full() async throws {
        try await withNode { node in
            let counter = node.server(Counter.self, named: "counter")
            let server = try node.spawn(
                Counter.self, 0, options: .init(name: "counter", mailbox: .init(capacity: 1)))
            try await server.suspend()
            try counter.cast(.increment(by: 1))
            let full = SendFailure.mailboxFull(server.pid, capacity: 1)
            #expect(throws: SendError<Counter.Cast>.self) { try counter.cast(.increment(by: 1)) }
            let info = #expect(throws: SendError<Int>.self) { try counter.send(1) }
            #expect(info?.failure == full)
            await #expect(throws: CallError.mailboxFull(server.pid, capacity: 1)) {
                try await counter.call(.value)
            }
            let pending = try counter.sendRequest(.value)
            await #expect(throws: CallError.mailboxFull(server.pid, capacity: 1)) {
                try await pending.receive()
            }
            try await server.resume()
            // There is room once it has taken its message.
            await waitWhile { server.cell.queueLength > 0 }
            #expect(try await counter.call(.value) == 1)
        }
    }

    @Test(
        "a caller that races with restarts gets a reply, nameUnknown or exited, and no other error")
    func races() async throws {
        try await withNode { node in
            let counter = node.server(Counter.self, named: "counter")
            let over = Log<Bool>()
            let callers = (0..<3).map { _ in
                Task {
                    var replies = 0
                    while over.elements.isEmpty {
                        do {
                            let value = try await counter.call(.value)
                            #expect(value == 5)
                            replies += 1
                            try counter.cast(.increment(by: 0))
                        } catch let error as CallError {
                            switch error {
                            case .nameUnknown("counter"), .exited(.normal): break
                            default: Issue.record("\(error)")
                            }
                        } catch let error as SendError<Counter.Cast> {
                            #expect(error.failure == .nameUnknown("counter"))
                        }
                        await Task.yield()
                    }
                    return replies
                }
            }
            for _ in 0..<200 {
                let server = try node.spawn(Counter.self, 5, options: .init(name: "counter"))
                #expect(try await counter.call(.value) == 5)
                try await server.stop()
            }
            over.append(true)
            for caller in callers { _ = try await caller.value }
        }
    }

    @Test("equal are two that mean the same name of the same node")
    func equality() async throws {
        try await withNode { node in
            let other = try Node(name: "test", options: .init(events: NoEvents()))
            let one = node.server(Counter.self, named: "one")
            #expect(one == node.server(Counter.self, named: "one"))
            #expect(one != node.server(Counter.self, named: "two"))
            #expect(one != other.server(Counter.self, named: "one"))
            #expect(Set([one, node.server(Counter.self, named: "one")]).count == 1)
            #expect("\(one)" == "Counter(\"one\")" && one.node === node)
            await other.stop()
        }
    }

    @Test("who waits for an instance gets the next one, however soon or late it comes")
    func nextInstance() async throws {
        try await withNode { node in
            let counter = node.server(Counter.self, named: "counter")
            await #expect(throws: CallError.nameUnknown("counter")) {
                try await counter.instance(upTo: .zero)
            }
            for start in 0..<50 {
                async let waiting = counter.instance()
                let server = try node.spawn(Counter.self, start, options: .init(name: "counter"))
                #expect(try await waiting == server)
                #expect(try await counter.instance() == server)
                async let next = counter.instance(after: server)
                try await server.stop()
                let second = try node.spawn(Counter.self, start, options: .init(name: "counter"))
                #expect(try await next == second)
                try await second.stop()
            }
            // A holder of another type is nobody; an instance that lives on is waited for in vain.
            let other = try await node.spawn(AsyncCounter.self, 0, options: .init(name: "counter"))
            await #expect(throws: CallError.nameUnknown("counter")) {
                try await counter.instance(upTo: .milliseconds(1))
            }
            try await other.stop()
            let server = try node.spawn(Counter.self, 1, options: .init(name: "counter"))
            await #expect(throws: CallError.nameUnknown("counter")) {
                try await counter.instance(after: server, upTo: .milliseconds(1))
            }
            let task = Task { try await counter.instance(after: server) }
            task.cancel()
            await #expect(throws: CallError.cancelled) { try await task.value }
        }
    }
}

extension NamedServer {
    /// The blocking call, which cannot be named in a test that awaits.
    fileprivate func sendDirectly(
        _ request: Server.Direct
    ) throws(CallError) -> Server.DirectReply {
        try directBlocking(request)
    }
}
