//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Monitors", .timeLimit(.minutes(1)))
struct MonitorTests {
    private func idle(_ node: Node, name: String? = nil) throws -> ProcessRef<Int> {
        try node.spawn(options: .init(name: name)) { process in
            while true { _ = try await process.receive() }
        }
    }

    /// The next message as a DOWN, without what cannot be compared.
    private static func down(_ process: Process) async throws -> Down? {
        guard let down = try await process.receive() as? MessageDown else { return nil }
        return Down(ref: down.ref, object: down.object, reason: down.reason)
    }

    struct Down: Equatable, Sendable {
        let ref: MonitorRef
        let object: MonitoredObject
        let reason: ExitReason
    }

    @Test("MON-01 MON-03 every monitor gives one DOWN with its own ref and the reason")
    func several() async throws {
        try await withNode { node in
            let target = try idle(node)
            let watcher = try node.spawn { process in
                let refs = (0..<3).map { _ in process.monitor(target.pid) }
                #expect(Set(refs).count == 3)
                process.exit(target.pid, .custom("why"))
                var seen: Set<MonitorRef> = []
                for _ in 0..<3 {
                    let down = try #require(try await Self.down(process))
                    #expect(down.object == .pid(target.pid))
                    #expect(down.reason == .custom("why"))
                    seen.insert(down.ref)
                }
                #expect(seen == Set(refs))
                return try await process.receive(timeout: .zero) == nil
            }
            #expect(try await watcher.value)
        }
    }

    @Test("MON-02 MON-05 MON-22 a target that is not there gives a DOWN at once")
    func missing() async throws {
        try await withNode { node in
            let gone = try node.spawn { _ in 1 }
            _ = try await gone.exitReason
            let watcher = try node.spawn { process in
                let byPid = process.monitor(gone.pid)
                let expected = Down(ref: byPid, object: .pid(gone.pid), reason: .noProcess)
                let first = try await Self.down(process)
                #expect(first == expected)
                let byName = process.monitor(name: "nobody")
                let down1 = try await Self.down(process)
                #expect(
                    down1
                        == Down(
                            ref: byName, object: .name("nobody", node: "test"), reason: .noProcess))
                let old = Pid(node: "test", id: gone.pid.id, creation: node.creation + 99)
                let byOld = process.monitor(old)
                let down2 = try await Self.down(process)
                #expect(
                    down2
                        == Down(ref: byOld, object: .pid(old), reason: .noProcess))
                let away = process.monitor(name: "x", node: "elsewhere")
                let down3 = try await Self.down(process)
                #expect(
                    down3
                        == Down(
                            ref: away, object: .name("x", node: "elsewhere"), reason: .noConnection)
                )
                return true
            }
            #expect(try await watcher.value)
        }
    }

    @Test("MON-04 MON-07 a DOWN by name carries the name, which is free when it is seen")
    func byName() async throws {
        try await withNode { node in
            let target = try idle(node)
            // Registered late: the monitor fires all the same.
            try node.register("holder", target.pid)
            let watcher = try node.spawn { process in
                let ref = process.monitor(name: "holder")
                process.exit(target.pid, .shutdown)
                let down4 = try await Self.down(process)
                #expect(
                    down4
                        == Down(ref: ref, object: .name("holder", node: "test"), reason: .shutdown))
                try process.register("holder")
                return process.names
            }
            #expect(try await watcher.value == ["holder"])
        }
    }

    @Test("MON-08 MON-09 MON-13 MON-14 after demonitor no DOWN is ever seen")
    func demonitor() async throws {
        try await withNode { node in
            let watcher = try node.spawn { process in
                let target = try process.spawn { target in _ = try await target.receive() }
                let armed = process.monitor(target.pid)
                #expect(process.demonitor(armed))
                #expect(!process.demonitor(armed))
                // The DOWN of this one is in the mailbox when it is taken away.
                let fired = process.monitor(target.pid)
                let witness = process.monitor(target.pid)
                try target.send("end")
                #expect(try await target.exitReason == .normal)
                #expect(!process.demonitor(fired))
                let down = try await Self.down(process)
                #expect(down?.ref == witness)
                return try await process.receive(timeout: .zero) == nil
            }
            #expect(try await watcher.value)
        }
    }

    @Test("MON-12 the monitor of another process cannot be removed")
    func foreign() async throws {
        try await withNode { node in
            let target = try idle(node)
            let ref = Log<MonitorRef>()
            let owner = try node.spawn { process in
                ref.append(process.monitor(target.pid))
                return try await Self.down(process)?.reason
            }
            let thief = try node.spawn { process in
                let taken = process.demonitor(await ref.wait(for: 1)[0])
                process.exit(target.pid, .custom("x"))
                return taken
            }
            #expect(try await thief.value == false)
            #expect(try await owner.value == .custom("x"))
        }
    }

    @Test("MON-18 monitoring oneself gives no DOWN and can be undone")
    func oneself() async throws {
        try await withNode { node in
            let process = try node.spawn(options: .init(name: "me")) { process in
                let refs = [process.monitor(process.pid), process.monitor(name: "me")]
                for ref in refs { process.demonitor(ref) }
                return try await process.receive(timeout: .zero) == nil
            }
            #expect(try await process.value)
        }
    }

    @Test("MON-20 a watcher that ends leaves nothing behind at its target")
    func watcherEnds() async throws {
        try await withNode { node in
            let target = try idle(node)
            let watcher = try node.spawn { process in
                for _ in 0..<10 { _ = process.monitor(target.pid) }
                throw TestError(1)
            }
            _ = try await watcher.exitReason
            #expect(target.cell.monitoredByCount == 0)
        }
    }

    @Test("MON-26 MON-31 a monitored child that ends at once: real reason, and its result")
    func atomic() async throws {
        try await withNode { node in
            let parent = try node.spawn { process in
                for number in 0..<300 {
                    let (child, ref) = try process.spawnMonitored { _ in number * 2 }
                    let down = try #require(try await process.receive() as? MessageDown)
                    #expect(down.ref == ref && down.reason == .normal)
                    #expect(down.result as? Int == number * 2)
                    #expect(down.object == .pid(child.pid))
                }
                return true
            }
            #expect(try await parent.value)
        }
    }

    @Test("MON-30 a DOWN comes after everything that the process has sent")
    func order() async throws {
        try await withNode { node in
            let receiver = try node.spawn { process in
                let own = process.pid
                let alias = process.makeAlias()
                try process.register("receiver")
                let (_, ref) = try process.spawnMonitored { sender in
                    for number in 0..<1500 {
                        switch number % 3 {
                        case 0: try sender.send(number, to: own)
                        case 1: try sender.send(number, to: "receiver")
                        default: try sender.send(number, to: .alias(alias))
                        }
                    }
                }
                for number in 0..<1500 {
                    let message = try await process.receive() as? Int
                    #expect(message == number)
                }
                let down = try await process.receive() as? MessageDown
                return down?.ref == ref
            }
            #expect(try await receiver.value)
        }
    }

    @Test("RACE-01 demonitor against targets that end on their own: never a DOWN afterwards")
    func demonitorRace() async throws {
        try await withNode { node in
            let watcher = try node.spawn { process in
                for _ in 0..<2000 {
                    let target = try process.spawn { _ in 1 }
                    let ref = process.monitor(target.pid)
                    process.demonitor(ref)
                    let late = try await process.receive(timeout: .zero)
                    #expect(late == nil)
                }
                return true
            }
            #expect(try await watcher.value)
        }
    }
}
