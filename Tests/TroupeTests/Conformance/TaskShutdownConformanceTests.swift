//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: shutdown of tasks", .timeLimit(.minutes(4)))
struct TaskShutdownConformanceTests {
    private static let manners: [Shutdown] = [.timeout(.seconds(30)), .brutalKill]

    @Test("TASK-12 shutdown of a running task gives nothing, and leaves nothing")
    func running() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    let task = try process.asyncIdle()
                    let outcome = try await task.shutdown()
                    #expect(try task.end.take() == .shutdown)
                    return outcome
                }
                #expect(report.value == nil)
                #expect(report.isClean)
            }
        }
    }

    @Test("TASK-13 shutdown of a task that has returned gives the value", arguments: manners)
    func replied(manner: Shutdown) async throws {
        try await withNode { node in
            let report = try await node.runOwner(trapsExits: true) { process in
                let normal = try process.async { _ in 1 }
                await normal.untilEnded()
                // Its body has returned, but it has not ended; and one that was killed just then.
                let ending = try process.asyncIdle()
                ending.outcome.bodyReturned(2)
                let killed = try process.asyncIdle()
                killed.outcome.bodyReturned(3)
                node.exit(killed.pid, .custom("late"))
                await killed.untilEnded()
                return [
                    try await normal.shutdown(manner), try await ending.shutdown(manner),
                    try await killed.shutdown(manner),
                ]
            }
            #expect(report.value == [.success(1), .success(2), .success(3)])
            #expect(report.isClean)
        }
    }

    @Test("TASK-14 shutdown of a task that died before gives the reason", arguments: manners)
    func diedBefore(manner: Shutdown) async throws {
        try await withNode { node in
            for (isLinked, trapsExits) in [(true, true), (false, false)] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    let task = try process.async(linked: isLinked) { _ -> Int in
                        throw TestError(14)
                    }
                    await task.untilEnded()
                    return try await task.shutdown(manner)
                }
                #expect(report.value == .failure(.error(TestError(14))))
                #expect(report.isClean)
            }
        }
    }

    @Test("TASK-15 a task that traps exits and ignores its shutdown is killed after the timeout")
    func ignores() async throws {
        try await withNode { node in
            let report = try await node.runOwner(trapsExits: true) { process in
                let exits = Log<MessageExit>()
                let task = try process.async(options: .trapping) { child -> Int in
                    while true {
                        if let exit = try await child.receiveExit() { exits.append(exit) }
                    }
                }
                let begin = node.clock.now
                let outcome = try await task.shutdown(.timeout(.milliseconds(500)))
                #expect(begin.duration(to: node.clock.now) >= .milliseconds(500))
                #expect(exits.elements == [MessageExit(from: process.pid, reason: .shutdown)])
                return outcome
            }
            #expect(report.value == .failure(.killed))
            #expect(report.isClean)
            // One that obeys in time ends as it likes.
            let obeys = try await node.runOwner { process in
                let task = try process.async(options: .trapping) { child -> Int in
                    _ = try await child.receive()
                    throw ExitReason.custom("obeys")
                }
                return try await task.shutdown()
            }
            #expect(obeys.value == .failure(.custom("obeys")))
            #expect(obeys.isClean)
        }
    }

    @Test("TASK-16 brutal shutdown gives nothing for its own kill, else the reason")
    func brutal() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    let task = try process.asyncIdle(.trapping)
                    let own = try await task.shutdown(.brutalKill)
                    #expect(try task.end.take() == .killed)
                    let other = try process.asyncIdle(linked: false)
                    node.exit(other.pid, .custom("other"))
                    await other.untilEnded()
                    return [own, try await other.shutdown(.brutalKill)]
                }
                #expect(report.value == [nil, .failure(.custom("other"))])
                #expect(report.isClean)
            }
        }
    }

    @Test("TASK-17 the outcome of a task is taken once; then it is noproc", arguments: manners)
    func consumed(manner: Shutdown) async throws {
        try await withNode { node in
            let report = try await node.runOwner { process in
                let awaited = try process.async { _ in 17 }
                #expect(try await awaited.value() == 17)
                let yielded = try process.async { _ in 17 }
                #expect(try await yielded.yield() == .success(17))
                let shut = try process.asyncIdle()
                #expect(try await shut.shutdown(manner) == nil)
                // One whose outcome comes as a message goes on.
                let asked = try process.asyncIdle(linked: false)
                let id = try process.requestOutcome(of: asked)
                for task in [awaited, yielded, shut, asked] {
                    #expect(try await task.shutdown(manner) == .failure(.noProcess))
                    #expect(try await task.yield() == .failure(.noProcess))
                    let errors = [
                        await TaskError.thrown { () throws(TaskError) in try await task.value() },
                        await TaskError.thrown { () throws(TaskError) in
                            try process.requestOutcome(of: task)
                        },
                    ]
                    #expect(errors == [.exited(.noProcess), .exited(.noProcess)])
                }
                #expect(!asked.hasEnded && process.abandonRequest(id))
                process.exit(asked.pid, .shutdown)
                await asked.untilEnded()
            }
            #expect(report.isClean)
        }
    }
}
