//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: exit signals", .timeLimit(.minutes(4)))
struct ExitSignalConformanceTests {
    @Test("EXIT-07 an exit ends a process that does not trap, with the reason that was sent")
    func endsReceiver() async throws {
        try await withNode { node in
            for reason in ExitReason.examples where reason != .normal && reason != .kill {
                let receiver = try node.idle()
                let observer = try await node.observe(receiver.pid)
                try await node.spawn { $0.exit(receiver.pid, reason) }.value
                #expect(try await receiver.exitReason == reason)
                let expected = [MessageExit(from: receiver.pid, reason: reason)]
                #expect(try await observer.exits() == expected)
            }
        }
    }

    @Test("EXIT-08 a process that traps gets the exit as a message from whoever called exit")
    func trapped() async throws {
        try await withNode { node in
            for reason in ExitReason.examples where reason != .kill {
                let receiver = try node.spawn(options: .trapping) { process in
                    let exit = try await process.receiveExit()
                    let isAll = try await process.hasNothing()
                    return isAll ? exit : nil
                }
                let sender = try node.spawn { $0.exit(receiver.pid, reason) }
                #expect(
                    try await receiver.value == MessageExit(from: sender.pid, reason: reason))
            }
        }
    }

    @Test("EXIT-09 a normal exit from another process is dropped")
    func normalIsDropped() async throws {
        try await withNode { node in
            let receiver = try node.spawn { try await $0.receive() as? String }
            let sender = try node.spawn { process in
                process.exit(receiver.pid, .normal)
                try process.send("still there", to: receiver.pid)
            }
            try await sender.value
            #expect(try await receiver.value == "still there")
        }
    }

    @Test("EXIT-10 a normal exit from another process is trapped like any other")
    func normalIsTrapped() async throws {
        try await withNode { node in
            let receiver = try node.spawn(options: .trapping) { process in
                let exit = try await process.receiveExit()
                let next = try await process.receive() as? String
                #expect(next == "still there")
                return exit
            }
            let sender = try node.spawn { process in
                process.exit(receiver.pid, .normal)
                try process.send("still there", to: receiver.pid)
            }
            #expect(try await receiver.value == MessageExit(from: sender.pid, reason: .normal))
        }
    }

    @Test("EXIT-11 a normal exit that a process sends itself ends it")
    func normalToOneself() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                process.exit(process.pid, .normal)
                _ = try await process.receive()
                return 1
            }
            #expect(try await process.exitReason == .normal)
            // Without a value: the body did not come to its end.
            await #expect(throws: CallError.exited(.normal)) { try await process.value }
            let log = Log<String>()
            let server = try node.spawn(Recorder.self, .init(log))
            try server.cast { $0.exit($0.pid, .normal) }
            #expect(await log.wait(for: 1) == ["terminate normal"])
        }
    }

    @Test("EXIT-12 an exit that a trapping process sends itself is a message from itself")
    func trappedFromOneself() async throws {
        try await withNode { node in
            for reason in ExitReason.examples where reason != .kill {
                let process = try node.spawn(options: .trapping) { process in
                    process.exit(process.pid, reason)
                    let exit = try await process.receiveExit()
                    let isAll = try await process.hasNothing()
                    return isAll ? exit : nil
                }
                #expect(
                    try await process.value == MessageExit(from: process.pid, reason: reason))
            }
        }
    }

    @Test("EXIT-13 no error handler keeps a process that has sent itself an exit")
    func notIntercepted() async throws {
        try await withNode { node in
            let caught = Log<ExitReason>()
            let process = try node.spawn { process in
                do throws(ExitReason) {
                    process.exit(process.pid, .custom("why"))
                    _ = try await process.receive()
                } catch {
                    caught.append(error)
                }
                return 1
            }
            #expect(try await process.exitReason == .custom("why"))
            await #expect(throws: CallError.exited(.custom("why"))) { try await process.value }
            #expect(caught.elements == [.custom("why")])
        }
    }

    @Test(
        "EXIT-14 a kill ends a process whether it traps or not; it sees nothing, others see killed",
        arguments: [false, true])
    func kill(trapsExits: Bool) async throws {
        try await withNode { node in
            let received = Log<String>()
            let process = try node.spawn(options: .init(trapsExits: trapsExits)) { process in
                while true { received.append("\(try await process.receive())") }
            }
            let server = try node.spawn(
                Recorder.self, .init(received), options: .init(trapsExits: trapsExits))
            for pid in [process.pid, server.pid] {
                let observer = try await node.observe(pid)
                try await node.spawn { process in
                    process.exit(pid, .kill)
                    process.exit(pid, .kill)
                }.value
                #expect(try await observer.exits() == [MessageExit(from: pid, reason: .killed)])
            }
            #expect(try await process.exitReason == .killed)
            #expect(received.elements.isEmpty)
        }
    }

    @Test("EXIT-15 the kill of a process that kills itself is an ordinary reason for its partners")
    func killByLink() async throws {
        try await withNode { node in
            for (isSent, reason) in [(false, ExitReason.kill), (true, .killed)] {
                let process = try node.spawn { process in
                    _ = try await process.receive()
                    throw ExitReason.kill
                }
                let partner = try await node.partner(of: process.pid)
                let observer = try await node.observe(process.pid)
                if isSent { node.kill(process.pid) } else { try process.send("end") }
                #expect(try await process.exitReason == reason)
                #expect(try await partner.exitReason == reason)
                let expected = [MessageExit(from: process.pid, reason: reason)]
                #expect(try await observer.exits() == expected)
            }
        }
    }

    @Test(
        "EXIT-16 a kill sent to the last of a chain reaches the other end once, as killed",
        arguments: [1, 2, 9, 10])
    func killedChain(length: Int) async throws {
        let (exits, neighbour) = try await chain(length) { process, last in
            process.exit(last, .kill)
        }
        #expect(exits == [MessageExit(from: neighbour, reason: .killed)])
    }

    @Test(
        "EXIT-17 when the last of a chain ends itself with kill the other end gets kill",
        arguments: [1, 2, 9, 10])
    func killChain(length: Int) async throws {
        let (exits, neighbour) = try await chain(length) { process, last in
            try process.send("end yourself", to: last)
        }
        #expect(exits == [MessageExit(from: neighbour, reason: .kill)])
    }

    /// Makes a chain of linked processes that begins at a trapping one, ends it at its other end,
    /// and returns what the trapping process gets, and the pid of its neighbour.
    private func chain(
        _ length: Int, end: @escaping @Sendable (Process, Pid) throws -> Void
    ) async throws -> ([MessageExit], neighbour: Pid) {
        try await withNode { node in
            let last = Log<Pid>()
            let observer = try node.spawn(options: .trapping) { process in
                let neighbour = try process.spawnLinked { process in
                    try await Self.link(process, length - 1, last)
                }
                try end(process, await last.wait(for: 1)[0])
                _ = try await neighbour.exitReason
                return (try await process.remainingExits(), neighbour.pid)
            }
            return try await observer.value
        }
    }

    private static func link(_ process: Process, _ left: Int, _ last: Log<Pid>) async throws {
        if left == 0 {
            last.append(process.pid)
            _ = try await process.receive()
            throw ExitReason.kill
        }
        try process.spawnLinked { try await link($0, left - 1, last) }
        while true { _ = try await process.receive() }
    }

    @Test("EXIT-18 killed is a reason that can be trapped", arguments: [true, false])
    func killedIsTrappable(isSent: Bool) async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                _ = try await process.receive()
                throw ExitReason.killed
            }
            let observer = try await node.observe(process.pid)
            if isSent { node.kill(process.pid) } else { try process.send("end") }
            let expected = [MessageExit(from: process.pid, reason: .killed)]
            #expect(try await observer.exits() == expected)
        }
    }

    @Test("EXIT-21 an exit to a process that is gone does nothing, and says nothing")
    func gone() async throws {
        try await withNode { node in
            let gone = try node.spawn { _ in }
            try await gone.value
            let strangers = [
                gone.pid, Pid(node: "test", id: 99_999, creation: node.creation),
                Pid(node: "test", id: 1, creation: node.creation + 1),
                Pid(node: "elsewhere", id: 1, creation: 1),
            ]
            let sender = try node.spawn(options: .trapping) { process in
                for stranger in strangers {
                    process.exit(stranger, .custom("why"))
                    process.exit(stranger, .kill)
                }
                return try await process.hasNothing()
            }
            #expect(try await sender.value)
            #expect(try await gone.exitReason == .normal)
        }
    }

    @Test("EXIT-23 setting trap-exit returns what was set before")
    func trapExitFlag() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                [process.setTrapsExits(true), process.setTrapsExits(false), process.trapsExits]
            }
            #expect(try await process.value == [false, true, false])
            let log = Log<Bool>()
            _ = try node.spawn(
                Recorder.self,
                .init(Log()) { process in
                    log.append(process.setTrapsExits(true))
                    log.append(process.setTrapsExits(false))
                    log.append(process.trapsExits)
                })
            #expect(log.elements == [false, true, false])
        }
    }

    @Test("EXIT-25 whether an exit is trapped is decided when it is received")
    func flagAtReception() async throws {
        for trapsAtLast in [true, false] {
            try await HeldEnds.withNode { node, ends in
                let options = ProcessOptions(trapsExits: !trapsAtLast)
                let receiver = try node.spawn(options: options) { process in
                    let partner = try process.spawnLinked(options: HeldEnds.options) { _ in
                        throw HeldEnds.reason
                    }
                    await ends.hasEnded.wait()
                    process.setTrapsExits(trapsAtLast)
                    ends.release.open()
                    let exit = try await process.receiveExit()
                    #expect(exit == MessageExit(from: partner.pid, reason: HeldEnds.reason))
                    return try await process.hasNothing()
                }
                if trapsAtLast {
                    #expect(try await receiver.value)
                } else {
                    #expect(try await receiver.exitReason == HeldEnds.reason)
                }
            }
        }
    }
}
