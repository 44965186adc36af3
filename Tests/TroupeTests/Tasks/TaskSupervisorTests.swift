//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Task supervisors", .timeLimit(.minutes(4)))
struct TaskSupervisorTests {
    @Test("a supervisor that is gone, or does not answer in time, starts no task")
    func unavailable() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(TaskSupervisor.self, .init())
            let hasRun = Log<Int>()
            try await supervisor.suspend()
            let report = try await node.runOwner { process in
                let late = await TaskError.thrown { () throws(TaskError) in
                    try await process.async(under: supervisor, timeout: .milliseconds(1)) { _ in
                        hasRun.append(1)
                    }
                }
                #expect(late == .supervisorFailed(.timeout(supervisor.pid)))
                let waits = process.requestTask(under: supervisor) { _ in hasRun.append(2) }
                let gaveUp = process.requestTask(under: supervisor) { _ in hasRun.append(3) }
                #expect(process.abandonRequest(gaveUp))
                try await supervisor.resume()
                let response = try await process.receive() as? MessageResponse
                #expect(response?.request == waits)
                // What was asked for before has been looked at by now.
                while try await supervisor.children() != [] { await Task.yield() }
                try await supervisor.suspend()
                let lost = process.requestTask(under: supervisor) { _ in hasRun.append(4) }
                node.kill(supervisor.pid)
                let failure = try await process.receive() as? MessageResponse
                #expect(failure?.request == lost)
                #expect(throws: CallError.exited(.killed)) { try failure?.reply(as: Void.self) }
                let dead = await TaskError.thrown { () throws(TaskError) in
                    try await process.async(under: supervisor) { _ in hasRun.append(5) }
                }
                #expect(dead == .supervisorFailed(.noProcess(supervisor.pid)))
                _ = process.requestTask(under: supervisor) { _ in hasRun.append(6) }
                let gone = try await process.receive() as? MessageResponse
                #expect(throws: CallError.noProcess(supervisor.pid)) {
                    try gone?.reply(as: Void.self)
                }
            }
            #expect(report.isClean)
            // An abandoned request is carried out, unless its supervisor knows better.
            #expect(Set(hasRun.elements).isSubset(of: [2, 3]))
        }
    }

    @Test("a full mailbox of the supervisor, and options that are wrong, are told")
    func refused() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(
                TaskSupervisor.self, .init(), options: .init(mailbox: .init(capacity: 1)))
            let report = try await node.runOwner { process in
                let invalid = await TaskError.thrown { () throws(TaskError) in
                    try await process.async(under: supervisor, options: .init(name: "")) { _ in 0 }
                }
                #expect(invalid == .notStarted(.nameInvalid("")))
                try await supervisor.suspend()
                try supervisor.send("fills the mailbox")
                let full = await TaskError.thrown { () throws(TaskError) in
                    try await process.async(under: supervisor) { _ in 0 }
                }
                #expect(
                    full == .supervisorFailed(.mailboxFull(supervisor.pid, capacity: 1)))
                try await supervisor.resume()
                // There is room once it has taken its message.
                await waitWhile { supervisor.cell.queueLength > 0 }
                #expect(try await supervisor.children() == [])
            }
            #expect(report.isClean)
        }
    }

    @Test("children run in order of their start, and one that fails harms nobody")
    func children() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(TaskSupervisor.self, .init())
            let go = Gate()
            var pids: [Pid] = []
            for _ in 0..<10 {
                pids.append(try await supervisor.startChild { _ in await go.wait() })
            }
            let failing = try await supervisor.startChild { _ in throw TestError(1) }
            while try await supervisor.children().contains(failing) { await Task.yield() }
            #expect(try await supervisor.children() == pids)
            for pid in pids { #expect(node.info(pid)?.parent == supervisor.pid) }
            go.open()
            while try await supervisor.children() != [] { await Task.yield() }
            #expect(node.count == 1)
        }
    }

    @Test("when the supervisor is killed its tasks die by their links; an end takes them all along")
    func ends() async throws {
        try await withNode { node in
            for isKilled in [true, false] {
                let supervisor = try await node.spawn(TaskSupervisor.self, .init())
                let report = try await node.runOwner { process in
                    var tasks: [ProcessTask<Int>] = []
                    for _ in 0..<20 {
                        tasks.append(
                            try await process.async(under: supervisor) { child in
                                while true { _ = try await child.receive() }
                            })
                    }
                    if isKilled {
                        node.kill(supervisor.pid)
                    } else {
                        try await supervisor.stop()
                        #expect(tasks.allSatisfy { $0.hasEnded })
                    }
                    return try await tasks.yieldMany()
                }
                let reason: ExitReason = isKilled ? .killed : .shutdown
                #expect(report.value.allSatisfy { $0 == .failure(reason) })
                #expect(report.isClean)
            }
        }
    }

    @Test("a supervisor that is killed while it waits for a task that does not end takes it along")
    func killedWhileTerminating() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(TaskSupervisor.self, .init())
            let seen = Gate()
            let report = try await node.runOwner { process in
                let task = try await process.async(
                    under: supervisor, options: .trapping, shutdown: .timeout(.seconds(600))
                ) { child -> Int in
                    while true {
                        _ = try await child.receive()
                        seen.open()
                    }
                }
                // It traps exits, so a stranger's exit would be a message.
                let stop = Task { try? await supervisor.stop(.shutdown) }
                await seen.wait()
                node.kill(supervisor.pid)
                await stop.value
                return try await task.yield()
            }
            #expect(report.value == .failure(.killed))
            #expect(try await supervisor.exitReason == .killed)
        }
    }

    @Test("many owners at once stay within the limit")
    func limitUnderLoad() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(TaskSupervisor.self, .init(maxChildren: 3))
            let crowd = Crowd()
            let owners = try (0..<20).map { _ in
                try node.spawn { process in
                    var done = 0
                    while done < 20 {
                        do {
                            let task = try await process.async(under: supervisor) { _ in
                                crowd.enter()
                                await Task.yield()
                                crowd.leave()
                            }
                            try await task.value()
                            done += 1
                        } catch TaskError.tooManyTasks {
                            await Task.yield()
                        }
                    }
                }
            }
            for owner in owners { try await owner.value }
            #expect((1...3).contains(crowd.highest))
            #expect(try await supervisor.children() == [])
        }
    }
}
