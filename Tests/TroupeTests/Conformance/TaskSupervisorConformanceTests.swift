//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: supervised tasks", .timeLimit(.minutes(4)))
struct TaskSupervisorConformanceTests {
    @Test("TASK-18 a supervised task that crashes: its owner lives and is told the reason")
    func crash() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(TaskSupervisor.self, .init())
            for trapsExits in [false, true] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    let go = Gate()
                    let task = try await process.async(under: supervisor) { _ -> Int in
                        await go.wait()
                        throw TestError(18)
                    }
                    #expect(process.links == [])
                    #expect(node.info(task.pid)?.links == [supervisor.pid])
                    go.open()
                    let first = try await task.yield()
                    let id = process.requestTask(under: supervisor) { _ -> Int in
                        throw TestError(18)
                    }
                    let response = try await process.receive() as? MessageResponse
                    #expect(response?.request == id)
                    #expect(throws: CallError.exited(.error(TestError(18)))) {
                        try response?.reply(as: Int.self)
                    }
                    let well = try await process.async(under: supervisor) { _ in 18 }
                    #expect(try await well.value() == 18)
                    return first
                }
                #expect(report.value == .failure(.error(TestError(18))))
                #expect(report.isClean)
            }
            #expect(try await supervisor.children() == [])
        }
    }

    @Test("TASK-19 when the supervisor ends so do its tasks; their owners are told")
    func supervisorEnds() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(TaskSupervisor.self, .init())
            let report = try await node.runOwner(trapsExits: true) { process in
                let isReady = Gate()
                let brutal = try await process.async(under: supervisor, shutdown: .brutalKill) {
                    child -> Int in
                    while true { _ = try await child.receive() }
                }
                let polite = try await process.async(under: supervisor) { child -> Int in
                    while true { _ = try await child.receive() }
                }
                let deaf = try await process.async(
                    under: supervisor, options: .trapping, shutdown: .timeout(.milliseconds(5))
                ) { child -> Int in
                    isReady.open()
                    while true { _ = try await child.receive() }
                }
                await isReady.wait()
                try await supervisor.stop()
                // Its tasks have ended before it has.
                #expect(brutal.hasEnded && polite.hasEnded && deaf.hasEnded)
                return try await [brutal, polite, deaf].yieldMany()
            }
            #expect(
                report.value == [.failure(.killed), .failure(.shutdown), .failure(.killed)])
            #expect(report.isClean)
        }
    }

    @Test("TASK-21 a supervisor that runs as many tasks as it may refuses more")
    func limit() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(TaskSupervisor.self, .init(maxChildren: 1))
            let report = try await node.runOwner { process in
                let go = Gate()
                let task = try await process.async(under: supervisor) { _ in
                    await go.wait()
                    return 21
                }
                let refused = [
                    await TaskError.thrown { () throws(TaskError) in
                        try await process.async(under: supervisor) { _ in 0 }
                    },
                    await TaskError.thrown { () throws(TaskError) in
                        try await supervisor.startChild { _ in }
                    },
                ]
                #expect(refused == [.tooManyTasks(limit: 1), .tooManyTasks(limit: 1)])
                _ = process.requestTask(under: supervisor) { _ in 0 }
                let response = try await process.receive() as? MessageResponse
                #expect(throws: CallError.exited(.error(TaskError.tooManyTasks(limit: 1)))) {
                    try response?.reply(as: Int.self)
                }
                #expect(try await supervisor.children() == [task.pid])
                go.open()
                let value = try await task.value()
                // Its place is free as soon as its outcome is there.
                for _ in 0..<100 {
                    let next = try await process.async(under: supervisor) { _ in 1 }
                    #expect(try await next.value() == 1)
                }
                return value
            }
            #expect(report.value == 21)
            #expect(report.isClean)
        }
    }

    @Test("SPAWN-15 a task of a task knows for whom it works; its parent is its supervisor")
    func callers() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(TaskSupervisor.self, .init())
            let report = try await node.runOwner { process in
                #expect(process.callers == [])
                let task = try await process.async(under: supervisor) { child in
                    let inner = try child.async { grandchild in
                        (callers: grandchild.callers, parent: grandchild.parent)
                    }
                    let seen = try await inner.value()
                    #expect(seen.parent == child.pid && child.parent == supervisor.pid)
                    // A process that is no task works for itself.
                    let plain = try child.spawn { $0.callers }
                    #expect(try await plain.value == [])
                    return seen.callers + [child.pid]
                }
                let seen = try await task.value()
                #expect(seen == [task.pid, process.pid, task.pid])
            }
            #expect(report.isClean)
        }
    }
}
