//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: links", .timeLimit(.minutes(4)))
struct LinkConformanceTests {
    @Test("LINK-01 both sides of a link list the other")
    func bothSides() async throws {
        try await withNode { node in
            let isLinked = Gate()
            let other = try node.spawn { process in
                await isLinked.wait()
                return process.links
            }
            let linker = try node.spawn { process in
                let result = try process.link(to: other.pid)
                #expect(result == .linked)
                let links = process.links
                isLinked.open()
                #expect(try await other.value == [process.pid])
                return links
            }
            #expect(try await linker.value == [other.pid])
        }
    }

    @Test("LINK-02 a second link, from either side, is none: one unlink removes all")
    func secondLink() async throws {
        try await withNode { node in
            let (isLinked, isUnlinked) = (Gate(), Gate())
            let linkers = Log<Pid>()
            let other = try node.spawn { process in
                await isLinked.wait()
                let again = try process.link(to: linkers.elements[0])
                #expect(again == .alreadyLinked)
                process.unlink(from: linkers.elements[0])
                #expect(process.links.isEmpty)
                isUnlinked.open()
                throw TestError(1)
            }
            let linker = try node.spawn { process in
                linkers.append(process.pid)
                let results = [try process.link(to: other.pid), try process.link(to: other.pid)]
                #expect(results == [.linked, .alreadyLinked])
                #expect(process.links == [other.pid])
                isLinked.open()
                await isUnlinked.wait()
                #expect(process.links.isEmpty)
                #expect(try await other.exitReason == .error(TestError(1)))
                // No exit has come: this is not the time at which it would throw.
                return try await process.hasNothing()
            }
            #expect(try await linker.value)
        }
    }

    @Test("LINK-03 a link to oneself makes no entry, and can be removed")
    func oneself() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let result = try process.link(to: process.pid)
                #expect(result == .alreadyLinked)
                #expect(process.links.isEmpty)
                process.unlink(from: process.pid)
                #expect(process.links.isEmpty)
                return try await process.hasNothing()
            }
            #expect(try await process.value)
        }
    }

    @Test("LINK-05 an unlink without a link does nothing")
    func unlinkWithoutLink() async throws {
        try await withNode { node in
            let (kept, stranger) = (try node.idle(), try node.idle())
            let gone = try node.spawn { _ in }
            try await gone.value
            let process = try node.spawn { process in
                try process.link(to: kept.pid)
                process.unlink(from: stranger.pid)
                process.unlink(from: gone.pid)
                process.unlink(from: Pid(node: "elsewhere", id: kept.pid.id, creation: 1))
                return (process.links, try await process.hasNothing())
            }
            let (links, hasNothing) = try await process.value
            #expect(links == [kept.pid] && hasNothing)
            #expect(stranger.isWell)
        }
    }

    @Test("LINK-06 a link that was removed can be made again, as a fresh one")
    func linkAgain() async throws {
        try await withNode { node in
            let other = try node.idle()
            let linker = try node.spawn(options: .trapping) { process in
                for _ in 0..<3 {
                    let result = try process.link(to: other.pid)
                    #expect(result == .linked)
                    process.unlink(from: other.pid)
                }
                try process.link(to: other.pid)
                process.exit(other.pid, .custom("why"))
                let exit = try await process.receiveExit()
                #expect(exit == MessageExit(from: other.pid, reason: .custom("why")))
                return try await process.hasNothing()
            }
            #expect(try await linker.value)
        }
    }

    @Test("LINK-07 a partner that does not trap ends with the same reason")
    func partnerEnds() async throws {
        try await withNode { node in
            for reason in ExitReason.examples where reason != .normal {
                let process = try node.spawn { process in
                    _ = try await process.receive()
                    throw reason
                }
                let partner = try await node.partner(of: process.pid)
                try process.send("end")
                #expect(try await partner.exitReason == reason)
            }
        }
    }

    @Test("LINK-08 a normal end leaves a partner alone, and the link is gone")
    func normalEnd() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let child = try process.spawnLinked { _ in 1 }
                #expect(try await child.value == 1)
                #expect(process.links.isEmpty)
                return try await process.hasNothing()
            }
            #expect(try await process.value)
        }
    }

    @Test("LINK-09 a normal end is told to a partner that traps")
    func normalEndTrapped() async throws {
        try await withNode { node in
            let process = try node.spawn { try await $0.receive() as? String }
            let observer = try await node.observe(process.pid)
            try process.send("end")
            #expect(
                try await observer.exits() == [MessageExit(from: process.pid, reason: .normal)])
        }
    }

    @Test("LINK-10 a process that traps passes nothing on")
    func trappingStops() async throws {
        try await withNode { node in
            let failing = try node.idle()
            let trapping = try await node.observe(failing.pid)
            let partner = try await node.partner(of: trapping.process.pid)
            let second = try await node.observe(trapping.process.pid)
            node.exit(failing.pid, .custom("why"))
            #expect(
                try await trapping.exits()
                    == [MessageExit(from: failing.pid, reason: .custom("why"))])
            // The end of the observer itself, and nothing before it.
            let end = MessageExit(from: trapping.process.pid, reason: .normal)
            #expect(try await second.exits() == [end])
            #expect(partner.isWell)
        }
    }

    @Test("LINK-11 an exit runs along links; each process names itself as the sender")
    func propagation() async throws {
        try await withNode { node in
            let a = try node.spawn { process in
                _ = try await process.receive()
                throw TestError(9)
            }
            let b = try await node.partner(of: a.pid)
            let c = try await node.observe(b.pid)
            try a.send("end")
            #expect(try await b.exitReason == .error(TestError(9)))
            #expect(
                try await c.exits() == [MessageExit(from: b.pid, reason: .error(TestError(9)))])
        }
    }

    @Test("LINK-12 a trapping parent hears of each of five children, with its own reason")
    func fiveChildren() async throws {
        try await withNode { node in
            let parent = try node.spawn(options: .trapping) { process in
                var expected: [Pid: ExitReason] = [:]
                for number in 0..<5 {
                    let child = try process.spawnLinked { _ in
                        if number == 3 { throw TestError(3) }
                    }
                    expected[child.pid] = number == 3 ? .error(TestError(3)) : .normal
                }
                for _ in 0..<5 {
                    let exit = try #require(try await process.receiveExit())
                    #expect(expected.removeValue(forKey: exit.from) == exit.reason)
                }
                #expect(expected.isEmpty)
                return try await process.hasNothing()
            }
            #expect(try await parent.value)
        }
    }

    @Test("LINK-13 a parent that does not trap dies with one of five children, and all the others")
    func allDie() async throws {
        try await withNode { node in
            let (children, ended) = (Log<ProcessRef<Void>>(), Log<Pid>())
            let parent = try node.spawn { process in
                for _ in 0..<4 {
                    children.append(
                        try process.spawnLinked { child in
                            _ = try await child.receive()
                            ended.append(child.pid)
                        })
                }
                try process.spawnLinked { _ in throw TestError(5) }
                _ = try await process.receive()
                ended.append(process.pid)
            }
            #expect(try await parent.exitReason == .error(TestError(5)))
            #expect(children.elements.count == 4)
            for child in children.elements {
                #expect(try await child.exitReason == .error(TestError(5)))
            }
            #expect(ended.elements.isEmpty)
        }
    }

    @Test("LINK-14 a linked child that ends on its first instruction gives its real reason")
    func atomicSpawnLink() async throws {
        try await withNode { node in
            let parent = try node.spawn(options: .trapping) { process in
                for number in 0..<500 {
                    let child = try process.spawnLinked { _ in throw TestError(number) }
                    let exit = try await process.receiveExit()
                    #expect(exit == MessageExit(from: child.pid, reason: .error(TestError(number))))
                }
                return try await process.hasNothing()
            }
            #expect(try await parent.value)
        }
    }

    @Test("LINK-15 a link to a child that has ended does not give the child's reason")
    func linkTooLate() async throws {
        try await withNode { node in
            let parent = try node.spawn(options: .trapping) { process in
                let child = try process.spawn { _ in throw TestError(1) }
                #expect(try await child.exitReason == .error(TestError(1)))
                #expect(throws: SignalError.processUnknown(child.pid)) {
                    try process.link(to: child.pid)
                }
                return try await process.hasNothing()
            }
            #expect(try await parent.value)
        }
    }

    @Test("LINK-16 a link to a process that is gone throws; who does not trap goes on")
    func gone() async throws {
        try await linkToGone(.default)
    }

    @Test("LINK-17 a link to a process that is gone throws, and sends no exit to who traps")
    func goneTrapping() async throws {
        try await linkToGone(.trapping)
    }

    private func linkToGone(_ options: ProcessOptions) async throws {
        try await withNode { node in
            let gone = try node.spawn { _ in }
            try await gone.value
            let process = try node.spawn(options: options) { process in
                #expect(throws: SignalError.processUnknown(gone.pid)) {
                    try process.link(to: gone.pid)
                }
                #expect(process.links.isEmpty)
                return try await process.hasNothing()
            }
            #expect(try await process.value)
        }
    }

    @Test("LINK-21 a partner that has ended is in no list of links any more")
    func entryGone() async throws {
        try await withNode { node in
            let process = try node.spawn(options: .trapping) { process in
                let child = try process.spawnLinked { _ = try await $0.receive() }
                #expect(process.links == [child.pid])
                try child.send("end")
                _ = try await process.receiveExit()
                return process.links
            }
            #expect(try await process.value == [])
        }
    }

    @Test("LINK-27 the links of a process are those that it has now")
    func links() async throws {
        try await withNode { node in
            let others = try (0..<4).map { _ in try node.idle() }
            let process = try node.spawn { process in
                for other in others { try process.link(to: other.pid) }
                #expect(Set(process.links) == Set(others.map(\.pid)))
                #expect(process.links.count == 4)
                process.unlink(from: others[1].pid)
                return process.links
            }
            #expect(Set(try await process.value) == Set([0, 2, 3].map { others[$0].pid }))
        }
    }

    @Test("LINK-29 a process with many links: every partner gets one signal")
    func manyLinks() async throws {
        try await withNode { node in
            let hub = try node.idle()
            let linked = Log<Pid>()
            let partners = try (0..<2000).map { _ in
                try node.spawn(options: .trapping) { process in
                    try process.link(to: hub.pid)
                    linked.append(process.pid)
                    let exit = try await process.receiveExit()
                    #expect(exit == MessageExit(from: hub.pid, reason: .custom("hub")))
                    return try await process.hasNothing()
                }
            }
            _ = await linked.wait(for: 2000)
            node.exit(hub.pid, .custom("hub"))
            #expect(try await hub.exitReason == .custom("hub"))
            for partner in partners { #expect(try await partner.value) }
        }
    }

    @Test("LINK-31 by default a partner's failure is shared; with the option it is a message")
    func trapOption() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                let failing = try node.idle()
                let isLinked = Gate()
                let options = ProcessOptions(trapsExits: trapsExits)
                let process = try node.spawn(options: options) { process in
                    #expect(process.trapsExits == trapsExits)
                    try process.link(to: failing.pid, opening: isLinked)
                    return try await process.receiveExit()
                }
                await isLinked.wait()
                node.exit(failing.pid, .custom("why"))
                if trapsExits {
                    let expected = MessageExit(from: failing.pid, reason: .custom("why"))
                    #expect(try await process.value == expected)
                } else {
                    #expect(try await process.exitReason == .custom("why"))
                }
            }
        }
    }

    @Test("LINK-33 a child that is not linked outlives its parent")
    func parenthood() async throws {
        try await withNode { node in
            let children = Log<ProcessRef<String?>>()
            let parent = try node.spawn { process in
                children.append(try process.spawn { try await $0.receive() as? String })
                throw TestError(1)
            }
            #expect(try await parent.exitReason == .error(TestError(1)))
            let child = children.elements[0]
            try child.send("still there")
            #expect(try await child.value == "still there")
        }
    }
}
