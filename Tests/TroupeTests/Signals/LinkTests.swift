//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Links and exits", .timeLimit(.minutes(1)))
struct LinkTests {
    /// A process that waits for messages for ever.
    private func idle(_ node: Node, _ options: ProcessOptions = .default) throws -> ProcessRef<Int>
    {
        try node.spawn(options: options) { process in
            while true { _ = try await process.receive() }
        }
    }

    @Test("LINK-01 LINK-02 LINK-03 LINK-06 both sides see a link; a second is none; unlink ends it")
    func linking() async throws {
        try await withNode { node in
            let other = try idle(node)
            let linker = try node.spawn { process in
                let first = try process.link(to: other.pid)
                let second = try process.link(to: other.pid)
                #expect(process.links == [other.pid])
                let own = try process.link(to: process.pid)
                #expect([first, second, own] == [.linked, .alreadyLinked, .alreadyLinked])
                #expect(process.links == [other.pid])
                process.unlink(from: other.pid)
                process.unlink(from: other.pid)
                process.unlink(from: process.pid)
                #expect(process.links.isEmpty)
                let again = try process.link(to: other.pid)
                #expect(again == .linked)
                process.unlink(from: other.pid)
                return true
            }
            #expect(try await linker.value)
            #expect(node.isAlive(other.pid))
        }
    }

    @Test("LINK-07 LINK-10 LINK-11 an exit runs along links until a process traps it")
    func propagation() async throws {
        try await withNode { node in
            let trapper = try node.spawn(options: .init(trapsExits: true)) { process in
                let middle = try process.spawnLinked { middle in
                    try middle.spawnLinked { _ in throw TestError(9) }
                    while true { _ = try await middle.receive() }
                }
                let exit = try await process.receive() as? MessageExit
                #expect(exit == MessageExit(from: middle.pid, reason: .error(TestError(9))))
                #expect(try await process.receive(timeout: .zero) == nil)
                return true
            }
            #expect(try await trapper.value)
        }
    }

    @Test("LINK-08 LINK-09 a normal end leaves a partner alone, tells a trapping one")
    func normalEnd() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let child = try process.spawnLinked { _ in 1 }
                #expect(try await child.value == 1)
                #expect(process.links.isEmpty)
                process.setTrapsExits(true)
                let second = try process.spawnLinked { _ in 2 }
                let exit = try await process.receive() as? MessageExit
                #expect(exit == MessageExit(from: second.pid, reason: .normal))
                return true
            }
            #expect(try await process.value)
        }
    }

    @Test("the option asks for Ergo's rule: a normal end stops the partner")
    func ergosRule() async throws {
        try await withNode { node in
            let process = try node.spawn(options: .init(stopsOnNormalLink: true)) { process in
                try process.spawnLinked { _ in 1 }
                while true { _ = try await process.receive() }
            }
            #expect(try await process.exitReason == .normal)
        }
    }

    @Test("LINK-16 linking to a process that is gone throws and sends nothing")
    func missing() async throws {
        try await withNode { node in
            let gone = try node.spawn { _ in 1 }
            _ = try await gone.exitReason
            let process = try node.spawn(options: .init(trapsExits: true)) { process in
                #expect(throws: SignalError.processUnknown(gone.pid)) {
                    try process.link(to: gone.pid)
                }
                let old = Pid(node: "test", id: 1, creation: node.creation + 1000)
                #expect(throws: SignalError.incarnation(old)) { try process.link(to: old) }
                let remote = Pid(node: "elsewhere", id: 1, creation: 1)
                try process.link(to: remote)
                let exit = try await process.receive() as? MessageExit
                #expect(exit == MessageExit(from: remote, reason: .noConnection))
                return try await process.receive(timeout: .zero) == nil
            }
            #expect(try await process.value)
        }
    }

    @Test("EXIT-07 EXIT-09 EXIT-14 exit ends, normal does not, kill always does")
    func exits() async throws {
        try await withNode { node in
            let one = try idle(node)
            let trapping = try idle(node, .init(trapsExits: true))
            let sender = try node.spawn { process in
                process.exit(one.pid, .normal)
                process.exit(one.pid, .custom("why"))
                process.exit(trapping.pid, .shutdown)
                process.exit(trapping.pid, .kill)
                process.exit(trapping.pid, .kill)
                return true
            }
            #expect(try await sender.value)
            #expect(try await one.exitReason == .custom("why"))
            #expect(try await trapping.exitReason == .killed)
        }
    }

    @Test("EXIT-11 EXIT-12 EXIT-23 an exit that a process sends itself")
    func ownExit() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                #expect(process.setTrapsExits(true) == false)
                process.exit(process.pid, .normal)
                let exit = try await process.receive() as? MessageExit
                #expect(exit == MessageExit(from: process.pid, reason: .normal))
                #expect(process.setTrapsExits(false) == true)
                process.exit(process.pid, .normal)
                _ = try await process.receive()
                return false
            }
            #expect(try await process.exitReason == .normal)
        }
    }

    @Test(
        "EXIT-16 EXIT-17 a chain: killed travels when the last is killed, kill when it ends itself",
        arguments: [1, 2, 9, 10], [true, false])
    func chain(length: Int, isKilled: Bool) async throws {
        try await withNode { node in
            let tail = Log<Pid>()
            let observer = try node.spawn(options: .init(trapsExits: true)) { process in
                let head = try process.spawnLinked { process in
                    try await Self.link(process, length - 1, tail)
                }
                let last = await tail.wait(for: 1)[0]
                if isKilled {
                    process.exit(last, .kill)
                } else {
                    try process.send("end yourself", to: last)
                }
                let exit = try await process.receive() as? MessageExit
                #expect(exit == MessageExit(from: head.pid, reason: isKilled ? .killed : .kill))
                return try await process.receive(timeout: .zero) == nil
            }
            #expect(try await observer.value)
        }
    }

    private static func link(_ process: Process, _ left: Int, _ tail: Log<Pid>) async throws {
        if left == 0 {
            tail.append(process.pid)
            _ = try await process.receive()
            throw ExitReason.kill
        }
        try process.spawnLinked { try await link($0, left - 1, tail) }
        while true { _ = try await process.receive() }
    }

    @Test("LINK-12 LINK-13 five children: a trapping parent hears of each, another dies with all")
    func fiveChildren() async throws {
        try await withNode { node in
            let trapping = try node.spawn(options: .init(trapsExits: true)) { process in
                var expected: [Pid: ExitReason] = [:]
                for number in 0..<5 {
                    let child = try process.spawnLinked { _ in
                        if number == 3 { throw TestError(3) }
                    }
                    expected[child.pid] = number == 3 ? .error(TestError(3)) : .normal
                }
                for _ in 0..<5 {
                    let exit = try await process.receive() as? MessageExit
                    #expect(exit.map { expected.removeValue(forKey: $0.from) } == exit?.reason)
                }
                #expect(expected.isEmpty)
                return try await process.receive(timeout: .zero) == nil
            }
            #expect(try await trapping.value)
            let parent = try node.spawn { process in
                for _ in 0..<4 {
                    try process.spawnLinked { child in
                        while true { _ = try await child.receive() }
                    }
                }
                try process.spawnLinked { _ in throw TestError(5) }
                while true { _ = try await process.receive() }
            }
            #expect(try await parent.exitReason == .error(TestError(5)))
        }
    }

    @Test("LINK-14 a linked child that ends on its first instruction gives its real reason")
    func atomicSpawnLink() async throws {
        try await withNode { node in
            let parent = try node.spawn(options: .init(trapsExits: true)) { process in
                for number in 0..<500 {
                    let child = try process.spawnLinked { _ in throw TestError(number) }
                    let exit = try await process.receive() as? MessageExit
                    #expect(exit == MessageExit(from: child.pid, reason: .error(TestError(number))))
                }
                return true
            }
            #expect(try await parent.value)
        }
    }

    @Test("LINK-29 a process with many links: every partner gets one signal")
    func manyLinks() async throws {
        try await withNode { node in
            let hub = try idle(node)
            let linked = Log<Pid>()
            let partners = try (0..<2000).map { _ in
                try node.spawn(options: .init(trapsExits: true)) { process in
                    try process.link(to: hub.pid)
                    linked.append(process.pid)
                    let exit = try await process.receive() as? MessageExit
                    #expect(exit == MessageExit(from: hub.pid, reason: .custom("hub")))
                    return try await process.receive(timeout: .zero) == nil
                }
            }
            _ = await linked.wait(for: 2000)
            node.exit(hub.pid, .custom("hub"))
            for partner in partners { #expect(try await partner.value) }
        }
    }

    @Test("GS-42 a trapping server obeys the exit of the parent that started it linked")
    func parentExit() async throws {
        try await withNode { node in
            let log = Log<String>()
            let stranger = try node.spawn { _ in 1 }
            let parent = try node.spawn { process in
                let server = try process.spawnLinked(
                    Recorder.self, .init(log), options: .init(trapsExits: true))
                node.exit(server.pid, .custom("stranger"))
                #expect(await log.wait(for: 1) == ["exit stranger"])
                throw TestError(1)
            }
            #expect(try await parent.exitReason == .error(TestError(1)))
            #expect(
                await log.wait(for: 2) == ["exit stranger", "terminate error(TestError(code: 1))"])
            _ = stranger
        }
    }
}
