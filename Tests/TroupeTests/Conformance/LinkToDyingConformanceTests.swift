//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: links with processes that end", .timeLimit(.minutes(1)))
struct LinkToDyingConformanceTests {
    @Test("LINK-22 who has seen a process not alive cannot link to it, nor learn its reason")
    func seenNotAlive() async throws {
        try await HeldEnds.withNode { node, ends in
            let dying = try node.spawn(options: HeldEnds.options) { _ in throw HeldEnds.reason }
            let linker = try node.spawn(options: .trapping) { process in
                await ends.hasEnded.wait()
                #expect(!node.isAlive(dying.pid))
                #expect(throws: SignalError.processUnknown(dying.pid)) {
                    try process.link(to: dying.pid)
                }
                ends.release.open()
                #expect(try await dying.exitReason == HeldEnds.reason)
                #expect(process.links.isEmpty)
                return try await process.hasNothing()
            }
            #expect(try await linker.value)
        }
    }

    @Test("LINK-23 a link to a process that is about to end, but alive, gives its reason, once")
    func seenAlive() async throws {
        try await withNode { node in
            let (isTerminating, gate) = (Gate(), Gate())
            let dying = try node.spawn(
                SlowToEnd.self, .init(isTerminating: isTerminating, gate: gate),
                options: .init(ownThread: true))
            node.exit(dying.pid, .custom("why"))
            await isTerminating.wait()
            #expect(node.isAlive(dying.pid))
            let observer = try await node.observe(dying.pid)
            #expect(observer.seen.isEmpty)
            gate.open()
            #expect(
                try await observer.exits()
                    == [MessageExit(from: dying.pid, reason: .custom("why"))])
        }
    }

    /// Says that it has begun to end, and waits.
    private struct SlowToEnd: GenServer {
        struct Argument: Sendable { let isTerminating, gate: Gate }
        let argument: Argument
        init(_ argument: Argument, process: ServerProcess) { self.argument = argument }
        mutating func terminate(reason: ExitReason, process: ServerProcess) {
            argument.isTerminating.open()
            argument.gate.waitBlocking()
        }
    }

    @Test("LINK-25 an exit that is on its way is dropped by an unlink", arguments: [false, true])
    func unlinkBeforeReception(trapsExits: Bool) async throws {
        try await HeldEnds.withNode { node, ends in
            let options = ProcessOptions(trapsExits: trapsExits)
            let process = try node.spawn(options: options) { process in
                let dying = try process.spawnLinked(options: HeldEnds.options) { _ in
                    throw HeldEnds.reason
                }
                await ends.hasEnded.wait()
                #expect(process.links == [dying.pid])
                process.unlink(from: dying.pid)
                ends.release.open()
                #expect(try await dying.exitReason == HeldEnds.reason)
                return try await process.hasNothing()
            }
            #expect(try await process.value)
        }
    }

    @Test("LINK-26 an unlink does not keep off an exit that is sent explicitly")
    func explicitAfterUnlink() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let other = try process.spawnLinked { other in
                    let target = try #require(try await other.receive() as? Pid)
                    other.exit(target, .custom("explicit"))
                    _ = try await other.receive()
                }
                process.unlink(from: other.pid)
                try process.send(process.pid, to: other.pid)
                _ = try await process.receive()
            }
            #expect(try await process.exitReason == .custom("explicit"))
        }
    }

    @Test("LINK-32 a linked child of a parent that ends at once gets the parent's reason")
    func orphans() async throws {
        try await withNode { node in
            let children = Log<(ProcessRef<Never>, ExitReason)>()
            for number in 0..<2000 {
                try node.spawn { process in
                    let child = try process.spawnLinked { child -> Never in
                        while true { _ = try await child.receive() }
                    }
                    children.append((child, .error(TestError(number))))
                    throw TestError(number)
                }
            }
            for (child, reason) in await children.wait(for: 2000) {
                #expect(try await child.exitReason == reason)
            }
        }
    }

    // MARK: - Races

    @Test("RACE-02 after an unlink no exit of a dying partner comes, 1,000 times")
    func unlinkRace() async throws {
        try await withNode { node in
            let trapping = try node.spawn(options: .trapping) { process in
                var seen = 0
                for _ in 0..<500 {
                    let dying = try process.spawnLinked { _ in throw TestError(1) }
                    for _ in 0..<Int.random(in: 0..<3) { await Task.yield() }
                    process.unlink(from: dying.pid)
                    // What has not come yet never will.
                    if let exit = try await process.receive(timeout: .zero) as? MessageExit {
                        #expect(exit == MessageExit(from: dying.pid, reason: .error(TestError(1))))
                        seen += 1
                    }
                    #expect(try await dying.exitReason == .error(TestError(1)))
                    #expect(try await process.hasNothing())
                }
                return seen
            }
            #expect(try await trapping.value <= 500)
            for _ in 0..<500 {
                let hasUnlinked = Log<Bool>()
                let process = try node.spawn { process in
                    let dying = try process.spawnLinked { _ in throw TestError(1) }
                    process.unlink(from: dying.pid)
                    let isUnharmed = process.cell.core.withLock { $0.lifecycle.stopReason == nil }
                    hasUnlinked.append(isUnharmed)
                    #expect(try await dying.exitReason == .error(TestError(1)))
                    return try await process.hasNothing()
                }
                // It is ended by an exit before the unlink, or not at all.
                let reason = try await process.exitReason
                #expect(
                    reason == (hasUnlinked.elements[0] ? .normal : .error(TestError(1))))
            }
        }
    }

    @Test("RACE-03 a link to a dying process has one outcome: an error, or one exit, 1,000 times")
    func linkRace() async throws {
        try await withNode { node in
            let linker = try node.spawn(options: .trapping) { process in
                for _ in 0..<1000 {
                    let dying = try process.spawn { dying in
                        try dying.register("dying")
                        throw TestError(1)
                    }
                    for _ in 0..<Int.random(in: 0..<3) { await Task.yield() }
                    let wasAlive = node.isAlive(dying.pid)
                    var expected: [MessageExit] = []
                    do {
                        try process.link(to: dying.pid)
                        #expect(wasAlive)
                        expected = [MessageExit(from: dying.pid, reason: .error(TestError(1)))]
                    } catch SignalError.processUnknown(let pid) {
                        #expect(pid == dying.pid)
                    }
                    #expect(try await dying.exitReason == .error(TestError(1)))
                    #expect(try await process.remainingExits() == expected)
                    #expect(process.links.isEmpty)
                }
                return true
            }
            #expect(try await linker.value)
        }
    }

    @Test("RACE-04 a link made while the partner unlinks and ends is a link of its own")
    func relinkRace() async throws {
        try await withNode { node in
            let a = try node.spawn(options: .trapping) { process in
                let pid = process.pid
                for _ in 0..<1000 {
                    let b = try process.spawnLinked { b in
                        b.unlink(from: pid)
                        throw TestError(1)
                    }
                    for _ in 0..<Int.random(in: 0..<3) { await Task.yield() }
                    var expected: [MessageExit] = []
                    do {
                        // The old link that is still there is removed by b before it ends.
                        if try process.link(to: b.pid) == .linked {
                            expected = [MessageExit(from: b.pid, reason: .error(TestError(1)))]
                        }
                    } catch SignalError.processUnknown(let pid) {
                        #expect(pid == b.pid)
                    }
                    #expect(try await b.exitReason == .error(TestError(1)))
                    #expect(try await process.remainingExits() == expected)
                    #expect(process.links.isEmpty)
                }
                return true
            }
            #expect(try await a.value)
        }
    }

    @Test("RACE-07 whenever a parent is killed while it starts linked children, none is left over")
    func orphanRace() async throws {
        try await withNode { node in
            let closures = Log<ProcessRef<Never>>()
            for round in 0..<100 {
                let parent = try node.spawn { process in
                    while true {
                        closures.append(
                            try process.spawnLinked(options: .trapping) { child -> Never in
                                // A kill that comes by a link is trapped, so it ends itself then.
                                throw try await child.receiveExit()?.reason ?? .normal
                            })
                        _ = try process.spawnLinked(Counter.self, 0, options: .trapping)
                        _ = try await process.spawnLinked(AsyncCounter.self, 0)
                    }
                }
                for _ in 0..<round % 10 { await Task.yield() }
                node.kill(parent.pid)
                #expect(try await parent.exitReason == .killed)
            }
            for child in closures.elements { #expect(try await child.exitReason == .killed) }
            while node.count > 0 { await Task.yield() }
        }
    }
}
