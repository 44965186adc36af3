//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: monitors", .timeLimit(.minutes(4)))
struct MonitorConformanceTests {
    @Test(
        "MON-01 the end of a monitored process gives one DOWN with the reason, whatever it is",
        arguments: [
            ExitReason.normal, .shutdown, .shutdown("info"), .kill, .killed, .noProcess,
            .noConnection, .error(TestError(1)), .custom("why"),
        ])
    func one(reason: ExitReason) async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let target = try process.spawn { target in
                    _ = try await target.receive()
                    throw reason
                }
                let ref = process.monitor(target.pid)
                try target.send("end")
                let down = try await process.receiveDown()
                #expect(down == SeenDown(ref: ref, object: .pid(target.pid), reason: reason))
                #expect(try await target.exitReason == reason)
            }
        }
    }

    @Test("MON-02 a process that is not there gives a DOWN with noProcess")
    func missing() async throws {
        try await withNode { node in
            let gone = try node.spawn { _ in 1 }
            #expect(try await gone.exitReason == .normal)
            let never = Pid(node: "test", id: 99_999, creation: node.creation)
            try await node.inProcess { process in
                for pid in [gone.pid, never] {
                    let ref = process.monitor(pid)
                    let down = try await process.receive(timeout: .zero) as? MessageDown
                    #expect(down?.ref == ref && down?.object == .pid(pid))
                    #expect(down?.reason == .noProcess)
                }
            }
        }
    }

    @Test("MON-03 several monitors of one process give a DOWN each, with their own refs")
    func several() async throws {
        try await withNode { node in
            let target = try node.spawnListener(.init(name: "n"))
            try await node.inProcess { process in
                var refs = Set((0..<3).map { _ in process.monitor(target.pid) })
                let byName = process.monitor(name: "n")
                #expect(refs.count == 3 && !refs.contains(byName))
                process.exit(target.pid, .custom("why"))
                var named = 0
                for _ in 0..<4 {
                    let down = try await process.receiveDown()
                    #expect(down.reason == .custom("why"))
                    if down.ref == byName {
                        #expect(down.object == .name("n", node: "test"))
                        named += 1
                    } else {
                        #expect(down.object == .pid(target.pid))
                        #expect(refs.remove(down.ref) != nil)
                    }
                }
                #expect(refs.isEmpty && named == 1)
            }
        }
    }

    @Test("MON-04 the DOWN of a monitor by name carries the name and the node, not the pid")
    func byName() async throws {
        try await withNode { node in
            let target = try node.spawnListener()
            // Registered late: the monitor fires all the same.
            try node.register("holder", target.pid)
            try await node.inProcess { process in
                let here = process.monitor(name: "holder", node: "test")
                let short = process.monitor(name: "holder")
                process.exit(target.pid, .shutdown)
                let downs = [try await process.receiveDown(), try await process.receiveDown()]
                #expect(Set(downs.map(\.ref)) == [here, short])
                for down in downs {
                    #expect(down.object == .name("holder", node: "test"))
                    #expect(down.reason == .shutdown)
                }
            }
        }
    }

    @Test("MON-04 a monitor by name stays with the process when the name goes elsewhere")
    func nameMoves() async throws {
        try await withNode { node in
            let (first, second) = (try node.spawnListener(), try node.spawnListener())
            try node.register("n", first.pid)
            try await node.inProcess { process in
                let ref = process.monitor(name: "n")
                try process.unregister("n")
                try node.register("n", second.pid)
                process.exit(second.pid, .custom("second"))
                #expect(try await second.exitReason == .custom("second"))
                process.exit(first.pid, .custom("first"))
                let down = try await process.receiveDown()
                #expect(
                    down
                        == SeenDown(
                            ref: ref, object: .name("n", node: "test"), reason: .custom("first")))
            }
        }
    }

    @Test("MON-05 a name that nobody holds gives a DOWN with noProcess")
    func freeName() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let ref = process.monitor(name: "nobody")
                let down = try await process.receive(timeout: .zero) as? MessageDown
                #expect(down?.ref == ref && down?.object == .name("nobody", node: "test"))
                #expect(down?.reason == .noProcess)
            }
        }
    }

    @Test("MON-07 the name of a process is free when its DOWN is seen")
    func nameIsFree() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                for round in 0..<200 {
                    let target = try process.spawn(options: .init(name: "n")) { target in
                        _ = try await target.receive()
                    }
                    let ref = process.monitor(name: "n")
                    try target.send("end")
                    let down = try await process.receiveDown()
                    #expect(down.ref == ref && down.reason == .normal)
                    try process.register("n")
                    #expect(process.names == ["n"], "round \(round)")
                    try process.unregister("n")
                }
            }
        }
    }

    @Test("MON-20 the end of a watcher does not touch its target, which forgets the monitors")
    func watcherEnds() async throws {
        try await withNode { node in
            let target = try node.spawnListener()
            let watcher = try node.spawn { process in
                for _ in 0..<10 { _ = process.monitor(target.pid) }
                #expect(target.cell.monitoredByCount == 10)
                throw TestError(1)
            }
            #expect(try await watcher.exitReason == .error(TestError(1)))
            #expect(target.cell.monitoredByCount == 0)
            #expect(node.isAlive(target.pid))
        }
    }

    @Test("MON-21 a DOWN carries a large reason as it is")
    func largeReason() async throws {
        struct Large: Error, Hashable {
            var numbers = Array(0..<100_000)
            var nested = Array(repeating: ["a": [1, 2, 3]], count: 1000)
        }
        try await withNode { node in
            for reason in [ExitReason.error(Large()), .custom(Large()), .shutdown(Large())] {
                try await node.inProcess { process in
                    let (_, ref) = try process.spawnMonitored { _ in throw reason }
                    let down = try await process.receiveDown()
                    #expect(down.ref == ref)
                    // Not in the condition: a failure would print all of it.
                    let isEqual = down.reason == reason
                    #expect(isEqual)
                }
            }
        }
    }

    @Test("MON-22 the pid of an earlier start of the node gives a DOWN with noProcess at once")
    func oldIncarnation() async throws {
        try await withNode { node in
            let live = try node.spawnListener()
            let old = Pid(node: "test", id: live.pid.id, creation: node.creation - 1)
            try await node.inProcess { process in
                let ref = process.monitor(old)
                let down = try await process.receive(timeout: .zero) as? MessageDown
                #expect(down?.ref == ref && down?.object == .pid(old))
                #expect(down?.reason == .noProcess)
            }
        }
    }

    @Test("MON-23 what is on a node without a connection gives a DOWN with noConnection")
    func unreachable() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                let away = Pid(node: "elsewhere", id: process.pid.id, creation: node.creation)
                let byPid = process.monitor(away)
                let byName = process.monitor(name: "x", node: "elsewhere")
                let downs = [try await process.receiveDown(), try await process.receiveDown()]
                #expect(
                    downs == [
                        SeenDown(ref: byPid, object: .pid(away), reason: .noConnection),
                        SeenDown(
                            ref: byName, object: .name("x", node: "elsewhere"),
                            reason: .noConnection),
                    ])
            }
        }
    }

    /// Ends with its first message, which it sends itself.
    private struct EndsAtOnce: GenServer {
        init(_ code: Int, process: ServerProcess) throws {
            try process.send(code, to: process.pid)
        }

        mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
            throw TestError(message as? Int ?? -1)
        }
    }

    @Test("MON-25 a tag comes back in the DOWN, of a target that ends, is missing, or has a name")
    func tag() async throws {
        struct Tag: Equatable, Sendable { let name: String }
        try await withNode { node in
            let target = try node.spawnListener(.init(name: "target"))
            try await node.inProcess { process in
                _ = process.monitor(target.pid, tag: Tag(name: "pid"))
                _ = process.monitor(name: "target", tag: Tag(name: "name"))
                _ = process.monitor(target.pid)
                _ = process.monitor(target.pid, alias: .demonitor, tag: Tag(name: "alias"))
                process.exit(target.pid, .shutdown)
                var tags: [Tag?] = []
                for _ in 0..<4 {
                    let down = try #require(try await process.receive() as? MessageDown)
                    #expect(down.reason == .shutdown)
                    tags.append(down.tag as? Tag)
                }
                // The monitors of one process are told in no particular order.
                let names = tags.map { $0?.name ?? "-" }.sorted()
                #expect(names == ["-", "alias", "name", "pid"])
                _ = process.monitor(target.pid, tag: Tag(name: "late"))
                let late = try #require(try await process.receive() as? MessageDown)
                #expect(late.tag as? Tag == Tag(name: "late") && late.reason == .noProcess)
            }
        }
    }

    @Test("MON-26 a child that is started monitored and ends at once gives its real reason")
    func atomic() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                for number in 0..<300 {
                    let reason = ExitReason.error(TestError(number))
                    let (closure, ref) = try process.spawnMonitored { _ in throw reason }
                    var down = try await process.receiveDown()
                    #expect(down == SeenDown(ref: ref, object: .pid(closure.pid), reason: reason))
                    let (server, ref2) = try process.spawnMonitored(EndsAtOnce.self, number)
                    down = try await process.receiveDown()
                    #expect(down == SeenDown(ref: ref2, object: .pid(server.pid), reason: reason))
                    #expect(!node.isAlive(server.pid))
                }
            }
        }
    }

    @Test("MON-28 a DOWN for a watcher that its target has ended goes nowhere")
    func watcherIsEnded() async throws {
        try await withNode { node in
            for round in 0..<200 {
                let watching = Gate()
                let target = try node.spawn { process in
                    let watcher = try await process.receive() as? Pid
                    process.exit(try #require(watcher), .custom(round))
                }
                let watcher = try node.spawn { process in
                    _ = process.monitor(target.pid)
                    watching.open()
                    while true { _ = try await process.receive() }
                }
                await watching.wait()
                try target.send(watcher.pid)
                #expect(try await watcher.exitReason == .custom(round))
                #expect(try await target.exitReason == .normal)
                #expect(watcher.cell.monitorCount == 0)
                #expect(target.cell.monitoredByCount == 0)
            }
        }
    }

    @Test("MON-30 a DOWN comes after everything that the process has sent, however addressed")
    func order() async throws {
        try await withNode { node in
            try await node.inProcess(.init(name: "receiver")) { process in
                let (own, alias) = (process.pid, process.makeAlias())
                let (watch, watchAlias) = process.monitor(own, alias: .explicitUnalias)
                let (_, ref) = try process.spawnMonitored { sender in
                    for number in 0..<1500 {
                        switch number % 4 {
                        case 0: try sender.send(number, to: own)
                        case 1: try sender.send(number, to: "receiver")
                        case 2: try sender.send(number, to: .alias(watchAlias))
                        default: try sender.send(number, to: .alias(alias))
                        }
                    }
                }
                for number in 0..<1500 {
                    let message = try await process.receive() as? Int
                    #expect(message == number)
                }
                let down = try await process.receiveDown()
                #expect(down.ref == ref && down.reason == .normal)
                process.demonitor(watch)
            }
            let (log, isWatched) = (Log<String>(), Gate())
            let server = try node.spawn(Recorder.self, .init(log))
            let sender = try node.spawn { process in
                await isWatched.wait()
                for number in 0..<1500 { try process.send(number, to: server.pid) }
            }
            try server.cast { process in
                _ = process.monitor(sender.pid)
                isWatched.open()
            }
            #expect(await log.wait(for: 1501) == (0..<1500).map(String.init) + ["down normal"])
        }
    }

    @Test("MON-31 a DOWN carries what the body returned, and nothing when it did not return")
    func result() async throws {
        try await withNode { node in
            try await node.inProcess { process in
                for number in 0..<300 {
                    let (child, ref) = try process.spawnMonitored { _ in number * 2 }
                    let down = try #require(try await process.receive() as? MessageDown)
                    #expect(down.ref == ref && down.reason == .normal)
                    #expect(down.result as? Int == number * 2)
                    #expect(down.object == .pid(child.pid))
                }
                let failing: @Sendable (Process) async throws -> Int = { _ in throw TestError(1) }
                _ = try process.spawnMonitored(failing)
                let failed = try await process.receive() as? MessageDown
                #expect(failed?.reason == .error(TestError(1)) && failed?.result == nil)
                let gone = process.monitor(Pid(node: "test", id: 99_999, creation: node.creation))
                let missing = try await process.receive() as? MessageDown
                #expect(missing?.ref == gone && missing?.result == nil)
            }
        }
    }
}
