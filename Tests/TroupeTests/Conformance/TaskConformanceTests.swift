//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: tasks", .timeLimit(.minutes(4)))
struct TaskConformanceTests {
    @Test("TASK-01 a task is linked to its owner; its outcome can come as one message")
    func start() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    let go = Gate()
                    let task = try process.async { _ in
                        await go.wait()
                        return 7
                    }
                    #expect(process.links == [task.pid] && task.ownerPid == process.pid)
                    #expect(node.info(task.pid)?.links == [process.pid])
                    #expect(node.info(task.pid)?.parent == process.pid)
                    let id = try process.requestOutcome(of: task)
                    let early = try await process.receive(timeout: .zero)
                    #expect(early == nil)
                    go.open()
                    // A process that traps exits gets that of the link, as from every link, first.
                    if trapsExits {
                        let exit = try await process.receiveExit()
                        #expect(exit == MessageExit(from: task.pid, reason: .normal))
                    }
                    let response = try await process.receive() as? MessageResponse
                    #expect(response?.request == id)
                    return try response?.reply(as: Int.self)
                }
                #expect(report.value == 7)
                #expect(report.isClean)
            }
        }
    }

    @Test("TASK-02 value gives the value, and nothing of the task is left")
    func value() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    let waits = try process.async { child in
                        try await child.sleep(for: .milliseconds(1))
                        return "late"
                    }
                    let late = try await waits.value()
                    let ends = try process.async { _ in "early" }
                    await ends.untilEnded()
                    let early = try await ends.value(timeout: .zero)
                    #expect(!node.isAlive(waits.pid) && !node.isAlive(ends.pid))
                    return [late, early]
                }
                #expect(report.value == ["late", "early"])
                #expect(report.isClean)
            }
        }
    }

    @Test(
        "TASK-03 a task that fails: value throws its reason, and an owner that lets it pass ends",
        arguments: [ExitReason.error(TestError(3)), .custom("own"), .shutdown, .kill])
    func failure(reason: ExitReason) async throws {
        try await withNode { node in
            @Sendable func fail() throws -> Int {
                if case .error(let error) = reason { throw error }
                throw reason
            }
            let report = try await node.runOwner(trapsExits: true) { process in
                let task = try process.async { _ in try fail() }
                return await TaskError.thrown { () throws(TaskError) in try await task.value() }
            }
            #expect(report.value == .exited(reason))
            #expect(report.isClean)
            let careless = try node.spawn(options: .trapping) { process in
                try await process.async { _ in try fail() }.value()
            }
            #expect(try await careless.exitReason == .error(TaskError.exited(reason)))
            // One that does not trap exits is ended over the link, with the reason itself.
            let plain = try node.spawn { process in
                _ = await TaskError.thrown { () throws(TaskError) in
                    do {
                        return try await process.async { _ in try fail() }.value()
                    } catch let error as TaskError {
                        #expect(error == .cancelled)
                        throw error
                    } catch { return 0 }
                }
            }
            #expect(try await plain.exitReason == reason)
        }
    }

    @Test("TASK-04 a task that ends with normal and without a value")
    func normalWithoutValue() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    let task = try process.async { _ -> Int in throw ExitReason.normal }
                    return await TaskError.thrown { () throws(TaskError) in
                        try await task.value()
                    }
                }
                #expect(report.value == .exited(.normal))
                #expect(report.isClean)
            }
            let careless = try node.spawn { process in
                try await process.async { _ -> Int in throw ExitReason.normal }.value()
            }
            #expect(try await careless.exitReason == .error(TaskError.exited(.normal)))
        }
    }

    @Test("TASK-05 value that comes too late: the task goes on, linked as before")
    func timeout() async throws {
        try await withNode { node in
            let report = try await node.runOwner { process in
                let go = Gate()
                let task = try process.async { _ in
                    await go.wait()
                    return 5
                }
                for timeout in [Duration.zero, .milliseconds(1), .seconds(-1)] {
                    let error = await TaskError.thrown { () throws(TaskError) in
                        try await task.value(timeout: timeout)
                    }
                    #expect(error == .timeout(task.pid))
                }
                #expect(process.links == [task.pid] && !task.hasEnded)
                go.open()
                return try await task.value()
            }
            #expect(report.value == 5)
            #expect(report.isClean)
            // An owner that lets it pass ends, and its task with it.
            let pids = Log<ProcessTask<Int>>()
            let careless = try node.spawn { process in
                pids.append(try process.asyncIdle())
                return try await pids.elements[0].value(timeout: .milliseconds(1))
            }
            let task = await pids.wait(for: 1)[0]
            let reason = ExitReason.error(TaskError.timeout(task.pid))
            #expect(try await careless.exitReason == reason)
            #expect(try await task.end.wait() == reason)
        }
    }

    @Test("TASK-07 only its owner may wait for a task, shut it down, or ask for its outcome")
    func owner() async throws {
        try await withNode { node in
            @Sendable func tryAll(_ task: ProcessTask<Int>) async -> [TaskError?] {
                [
                    await TaskError.thrown { () throws(TaskError) in try await task.value() },
                    await TaskError.thrown { () throws(TaskError) in try await task.yield() },
                    await TaskError.thrown { () throws(TaskError) in try await task.shutdown() },
                    await TaskError.thrown { () throws(TaskError) in
                        try await task.shutdown(.brutalKill)
                    },
                    await TaskError.thrown { () throws(TaskError) in try await [task].values() },
                    await TaskError.thrown { () throws(TaskError) in
                        try await [task].yieldMany()
                    },
                ]
            }
            let report = try await node.runOwner { process in
                let go = Gate()
                let task = try process.async { _ in
                    await go.wait()
                    return 7
                }
                let refused = [TaskError?](repeating: .notOwner(process.pid), count: 6)
                // Another process, a Swift task of the owner, and the task itself.
                let other = try node.spawn { other in
                    let error = await TaskError.thrown { () throws(TaskError) in
                        try other.requestOutcome(of: task)
                    }
                    #expect(error == .notOwner(task.ownerPid))
                    return await tryAll(task)
                }
                #expect(try await other.value == refused)
                async let child = tryAll(task)
                #expect(await child == refused)
                #expect(!task.hasEnded)
                go.open()
                return try await task.value()
            }
            #expect(report.value == 7)
            #expect(report.isClean)
        }
    }

    @Test("TASK-08 yield of a task that is not ready gives nothing, and can be repeated")
    func yieldTwice() async throws {
        try await withNode { node in
            let report = try await node.runOwner(trapsExits: true) { process in
                let go = Gate()
                let task = try process.async { _ in
                    await go.wait()
                    return 8
                }
                let early = [
                    try await task.yield(upTo: .zero), try await task.yield(upTo: .milliseconds(1)),
                ]
                #expect(early == [nil, nil])
                go.open()
                return try await task.yield()
            }
            #expect(report.value == .success(8))
            #expect(report.isClean)
        }
    }

    @Test("TASK-09 yield of a task that has returned and was then killed gives the value")
    func replyWins() async throws {
        try await withNode { node in
            for isLinked in [true, false] {
                let report = try await node.runOwner(trapsExits: true) { process in
                    let task = try process.asyncIdle(linked: isLinked)
                    // As if the body had returned, and the kill had come before the end.
                    task.outcome.bodyReturned(9)
                    node.kill(task.pid)
                    await task.untilEnded()
                    #expect(try task.end.take() == .killed)
                    return try await task.yield()
                }
                #expect(report.value == .success(9))
                #expect(report.isClean)
            }
        }
    }

    @Test("TASK-10 yield of a task that died gives the reason, and the owner lives")
    func yieldDead() async throws {
        try await withNode { node in
            for (isLinked, trapsExits) in [(true, true), (false, true), (false, false)] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    let task = try process.async(linked: isLinked) { _ -> Int in
                        throw TestError(10)
                    }
                    return try await task.yield()
                }
                #expect(report.value == .failure(.error(TestError(10))))
                #expect(report.isClean)
            }
        }
    }

    @Test("TASK-11 yieldMany gives the outcomes in the order of the tasks")
    func yieldMany() async throws {
        try await withNode { node in
            let report = try await node.runOwner(trapsExits: true) { process in
                let go = Gate()
                let slow = try process.async { _ in
                    await go.wait()
                    return 11
                }
                let ready = try process.async { _ in 1 }
                let dead = try process.async { _ -> Int in throw TestError(11) }
                await ready.untilEnded()
                await dead.untilEnded()
                let first = try await [ready, slow, dead].yieldMany(upTo: .milliseconds(1))
                #expect(process.links == [slow.pid] && process.info.waitsOn == [])
                go.open()
                let second = try await [dead, slow].yieldMany()
                return first + second
            }
            #expect(
                report.value == [
                    .success(1), nil, .failure(.error(TestError(11))),
                    .failure(.noProcess), .success(11),
                ])
            #expect(report.isClean)
        }
    }
}

extension TypedReplyCell {
    /// Waits for the outcome.
    func wait() async throws -> Reply {
        let inbox = ReplyInbox()
        observe(inbox, token: 0)
        await inbox.nextIgnoringCancellation(on: .default)
        return try take()
    }
}
