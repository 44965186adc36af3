//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: links with processes that end", .timeLimit(.minutes(4)))
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
            let ending = SlowToEnd.Argument()
            let dying = try node.spawn(SlowToEnd.self, ending, options: .init(ownThread: true))
            node.exit(dying.pid, .custom("why"))
            await ending.isTerminating.wait()
            #expect(node.isAlive(dying.pid))
            let observer = try await node.observe(dying.pid)
            #expect(observer.seen.isEmpty)
            ending.gate.open()
            #expect(
                try await observer.exits()
                    == [MessageExit(from: dying.pid, reason: .custom("why"))])
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

    @Test("RACE-02 after an unlink no exit of a dying partner comes, 500 times")
    func unlinkRace() async throws {
        try await withNode { node in
            // Others to tell, so that it takes the dying process a while.
            let others = try (0..<20).map { _ in try node.idle(.trapping).pid }
            @Sendable func die(_ process: Process, _ isReady: Gate) throws -> Never {
                for other in others { try process.link(to: other) }
                isReady.open()
                throw TestError(1)
            }
            let trapping = try node.spawn(options: .trapping) { process in
                for round in 0..<250 {
                    let isReady = Gate()
                    let dying = try process.spawnLinked { try die($0, isReady) }
                    await isReady.wait()
                    for _ in 0..<round % 4 { await Task.yield() }
                    process.unlink(from: dying.pid)
                    // What has not come yet never will.
                    if let exit = try await process.receive(timeout: .zero) as? MessageExit {
                        #expect(exit == MessageExit(from: dying.pid, reason: .error(TestError(1))))
                    }
                    #expect(try await dying.exitReason == .error(TestError(1)))
                    #expect(try await process.hasNothing())
                }
                return true
            }
            #expect(try await trapping.value)
            for round in 0..<250 {
                let isUnharmed = Log<Bool>()
                let process = try node.spawn { process in
                    let isReady = Gate()
                    let dying = try process.spawnLinked { try die($0, isReady) }
                    await isReady.wait()
                    for _ in 0..<round % 4 { await Task.yield() }
                    process.unlink(from: dying.pid)
                    isUnharmed.append(
                        process.cell.withCore { $0.lifecycle.stopReason == nil })
                    #expect(try await dying.exitReason == .error(TestError(1)))
                    return try await process.hasNothing()
                }
                // It is ended by an exit before the unlink, or not at all.
                let reason = try await process.exitReason
                #expect(
                    reason == (isUnharmed.elements == [true] ? .normal : .error(TestError(1))))
            }
        }
    }

    @Test("RACE-03 a link to a dying process has one outcome: an error, or one exit, 1,000 times")
    func linkRace() async throws {
        try await withNode { node in
            let linker = try node.spawn(options: .trapping) { process in
                for round in 0..<1000 {
                    let dying = try process.spawn(options: .init(name: "dying")) { _ in
                        throw TestError(1)
                    }
                    await Self.wait(round % 4, for: dying.pid, "dying", on: node)
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

    @Test("RACE-03 who has found a process just before it ended still cannot link to it")
    func foundBeforeEnd() async throws {
        try await HeldEnds.withNode { node, ends in
            let dying = try node.spawn(options: HeldEnds.options) { _ in throw HeldEnds.reason }
            let linker = try node.spawn(options: .trapping) { process in
                await ends.hasEnded.wait()
                // The look-up of the pid, which would fail now, was before.
                #expect(process.cell.link(to: dying.cell) == .targetEnded)
                ends.release.open()
                #expect(try await dying.exitReason == HeldEnds.reason)
                #expect(process.links.isEmpty)
                return try await process.hasNothing()
            }
            #expect(try await linker.value)
        }
    }

    /// Waits until a process is on its way out: not at all, a little, until its name is free, until
    /// it is not alive any more.
    private static func wait(
        _ stage: Int, for pid: Pid, _ name: String, on node: Node
    ) async {
        switch stage {
        case 0: break
        case 1: await Task.yield()
        case 2: while node.whereis(name) != nil { await Task.yield() }
        default: while node.isAlive(pid) { await Task.yield() }
        }
    }

    @Test("RACE-04 a link made while the partner unlinks and ends is a link of its own")
    func relinkRace() async throws {
        try await withNode { node in
            let a = try node.spawn(options: .trapping) { process in
                let pid = process.pid
                for round in 0..<1000 {
                    let b = try process.spawnLinked(options: .init(name: "b")) { b in
                        b.unlink(from: pid)
                        throw TestError(1)
                    }
                    await Self.wait(round % 4, for: b.pid, "b", on: node)
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
            await waitWhile { node.count > 0 }
        }
    }
}
