//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: removing monitors", .timeLimit(.minutes(4)))
struct DemonitorConformanceTests {
    @Test("MON-08 a monitor that was removed gives no DOWN")
    func removed() async throws {
        try await withNode { node in
            let target = try node.spawnListener(.init(name: "n"))
            try await node.inProcess { process in
                let refs = [process.monitor(target.pid), process.monitor(name: "n")]
                for ref in refs { process.demonitor(ref) }
                process.exit(target.pid, .custom("why"))
                let reason = try await target.exitReason
                #expect(reason == .custom("why"))
            }
        }
    }

    @Test("MON-09 removing a monitor a second time does nothing")
    func twice() async throws {
        try await withNode { node in
            let target = try node.spawnListener()
            try await node.inProcess { process in
                let (once, other) = (process.monitor(target.pid), process.monitor(target.pid))
                #expect(process.demonitor(once))
                #expect(!process.demonitor(once))
                process.exit(target.pid, .shutdown)
                let down = try await process.receiveDown()
                #expect(down == SeenDown(ref: other, object: .pid(target.pid), reason: .shutdown))
                #expect(!process.demonitor(once))
            }
        }
    }

    @Test("MON-10 removing a monitor that never was does nothing")
    func never() async throws {
        try await withNode { node in
            let target = try node.spawnListener()
            try await node.inProcess { process in
                let ref = process.monitor(target.pid)
                #expect(!process.demonitor(MonitorRef(reference: process.makeReference())))
                // The number of this one, on another node and in another life of this one.
                for (name, creation) in [
                    ("away", node.creation), ("test", node.creation + 1),
                ] {
                    let stranger = Reference(
                        nodeName: NodeName(name), creation: creation, id: ref.reference.id)
                    #expect(!process.demonitor(MonitorRef(reference: stranger)))
                }
                process.exit(target.pid, .shutdown)
                let down = try await process.receiveDown()
                #expect(down == SeenDown(ref: ref, object: .pid(target.pid), reason: .shutdown))
            }
        }
    }

    @Test("MON-12 the monitor of another process stays, whoever tries to remove it")
    func foreign() async throws {
        try await withNode { node in
            let taken = Log<Bool>()
            let ref = Log<MonitorRef>()
            let target = try node.spawn { process in
                taken.append(process.demonitor(await ref.wait(for: 1)[0]))
                while true { _ = try await process.receive() }
            }
            let owner = try node.spawn { process in
                ref.append(process.monitor(target.pid))
                let down = try await process.receiveDown()
                return down.ref == ref.elements[0] && down.reason == .custom("x")
            }
            try await node.inProcess { process in
                taken.append(process.demonitor(await ref.wait(for: 1)[0]))
                #expect(await taken.wait(for: 2) == [false, false])
                process.exit(target.pid, .custom("x"))
            }
            #expect(try await owner.value)
        }
    }

    @Test("MON-13 demonitor says whether the monitor was still armed")
    func wasArmed() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let target = try process.spawn { target in _ = try await target.receive() }
                let armed = process.monitor(target.pid)
                #expect(process.demonitor(armed))
                // The DOWN of one of these is in the mailbox, that of the other was received.
                let refs = [process.monitor(target.pid), process.monitor(target.pid)]
                try target.send("end")
                #expect(try await target.exitReason == .normal)
                let received = try await process.receiveDown().ref
                for ref in refs { #expect(!process.demonitor(ref)) }
                #expect(refs.contains(received))
                let missing = process.monitor(target.pid)
                #expect(!process.demonitor(missing))
            }
        }
    }

    @Test("MON-14 a DOWN that is in the mailbox is taken out of it, and nothing else is")
    func flush() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let target = try process.spawn { target in _ = try await target.receive() }
                let refs = (0..<3).map { _ in process.monitor(target.pid) }
                try process.send("before", to: process.pid)
                try target.send("end")
                #expect(try await target.exitReason == .normal)
                try process.send("after", to: process.pid)
                process.demonitor(refs[1])
                let before = try await process.receive() as? String
                let downs = [try await process.receiveDown(), try await process.receiveDown()]
                let after = try await process.receive() as? String
                #expect(before == "before" && after == "after")
                #expect(Set(downs.map(\.ref)) == [refs[0], refs[2]])
            }
        }
    }

    @Test("MON-15 a server does not handle a DOWN of a monitor that it removed; flush is the rule")
    func flushInServer() async throws {
        try await withNode { node in
            let (log, refs) = (Log<String>(), Log<MonitorRef>())
            let (isWatched, isOver) = (Gate(), Gate())
            let target = try node.spawn { target in _ = try await target.receive() }
            let server = try node.spawn(
                Recorder.self, .init(log), options: .init(ownThread: true))
            try server.cast { process in
                for _ in 0..<2 { refs.append(process.monitor(target.pid)) }
                isWatched.open()
                // Both DOWN arrive while this runs.
                isOver.waitBlocking()
                log.append("\(process.demonitor(refs.elements[0]))")
            }
            await isWatched.wait()
            try target.send("end")
            #expect(try await target.exitReason == .normal)
            try server.send("after")
            isOver.open()
            #expect(await log.wait(for: 3) == ["false", "down normal", "after"])
        }
    }

    @Test("MON-18 monitoring oneself gives no DOWN, and can be undone")
    func oneself() async throws {
        try await withNode { node in
            let log = Log<Int>()
            let process = try node.spawn(options: .init(name: "me")) { process in
                let refs = [process.monitor(process.pid), process.monitor(name: "me")]
                #expect(refs[0] != refs[1])
                log.append(process._handle.cell.monitorCount)
                log.append(process._handle.cell.monitoredByCount)
                process.demonitor(refs[0])
                let nothing = try await process.receive(timeout: .zero)
                #expect(nothing == nil)
            }
            #expect(try await process.exitReason == .normal)
            #expect(log.elements == [0, 0])
        }
    }

    @Test("MON-19 both sides know of a monitor until it is removed or has fired")
    func bothSides() async throws {
        try await withNode { node in
            let target = try node.spawnListener()
            try await node.inProcess { process in
                let own = process.pid
                let refs = [process.monitor(target.pid), process.monitor(target.pid)]
                #expect(process.info.monitors == [.pid(target.pid), .pid(target.pid)])
                #expect(target.info?.monitoredBy == [own, own])
                #expect(process.info.monitoredBy == [] && target.info?.monitors == [])
                process.demonitor(refs[0])
                #expect(process.info.monitors == [.pid(target.pid)])
                #expect(target.info?.monitoredBy == [own])
                process.exit(target.pid, .shutdown)
                let down = try await process.receiveDown()
                #expect(down.ref == refs[1])
                #expect(process.info.monitors == [])
            }
        }
    }
}
