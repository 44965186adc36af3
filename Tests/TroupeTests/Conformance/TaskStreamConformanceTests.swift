//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: streams of tasks", .timeLimit(.minutes(4)))
struct TaskStreamConformanceTests {
    @Test("TASK-22 a stream gives the outcomes in the order of the input, some tasks at a time")
    func order() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                for limit in [1, 2, 3, 8] {
                    let crowd = Crowd()
                    let report = try await node.runOwner(trapsExits: trapsExits) { process in
                        var values: [Int] = []
                        let stream = process.stream(over: 0..<40, maxConcurrency: limit) { number in
                            crowd.enter()
                            defer { crowd.leave() }
                            // The early ones are the slow ones.
                            for _ in number..<40 { await Task.yield() }
                            return number * number
                        }
                        for try await outcome in stream { values.append(try outcome.get()) }
                        return values
                    }
                    #expect(report.value == (0..<40).map { $0 * $0 })
                    #expect(report.isClean)
                    #expect(crowd.highest <= limit)
                }
            }
            // The first two wait for each other, so they run at once; the first is overtaken.
            let (first, second) = (Gate(), Gate())
            let report = try await node.runOwner { process in
                var values: [Int] = []
                let stream = process.stream(over: 0..<4, maxConcurrency: 2) { number in
                    if number == 0 { await first.wait() }
                    if number == 1 { await second.wait() }
                    if number == 2 { first.open() }
                    return number
                }
                second.open()
                for try await outcome in stream { values.append(try outcome.get()) }
                return values
            }
            #expect(report.value == [0, 1, 2, 3])
            #expect(report.isClean)
        }
    }

    @Test("TASK-23 a consumer that stops early: the other tasks end, and nothing of them is left")
    func stopsEarly() async throws {
        try await withNode { node in
            for (isLinked, trapsExits) in [(true, false), (true, true), (false, false)] {
                let tasks = Log<Pid>()
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    // An endless input, and tasks that do not end by themselves and trap exits.
                    let stream = process.stream(
                        over: sequence(first: 0) { $0 + 1 }, maxConcurrency: 3, linked: isLinked,
                        options: .trapping
                    ) { number in
                        guard number > 0 else { return 23 }
                        await Gate().waitUntilCancelled()
                        return number
                    }
                    var first: Int?
                    for try await outcome in stream {
                        first = try outcome.get()
                        for pid in node.processes where pid != process.pid { tasks.append(pid) }
                        break
                    }
                    #expect(process.links == [])
                    for pid in tasks.elements {
                        let ref = process.monitor(pid)
                        let down = try await process.receive() as? MessageDown
                        #expect(down?.ref == ref)
                        #expect(down?.reason == .shutdown || down?.reason == .noProcess)
                    }
                    return first
                }
                #expect(report.value == 23)
                #expect(report.isClean)
                #expect(tasks.elements.count == 3)
                #expect(node.count == 0)
            }
        }
    }

    @Test("TASK-24 a task of a stream that fails has its reason in its place, the others go on")
    func failure() async throws {
        try await withNode { node in
            for (isLinked, trapsExits) in [(true, true), (false, false), (false, true)] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    var outcomes: [Result<Int, ExitReason>] = []
                    let stream = process.stream(
                        over: 0..<5, maxConcurrency: 2, linked: isLinked
                    ) { number in
                        if number == 1 { throw ExitReason.custom("one") }
                        if number == 3 { throw TestError(3) }
                        return number
                    }
                    for try await outcome in stream { outcomes.append(outcome) }
                    return outcomes
                }
                #expect(
                    report.value == [
                        .success(0), .failure(.custom("one")), .success(2),
                        .failure(.error(TestError(3))), .success(4),
                    ])
                #expect(report.isClean)
            }
            // Linked to one that does not trap exits, it takes its owner and the others with it.
            let owner = try node.spawn { process in
                let stream = process.stream(over: 0..<5, maxConcurrency: 5) { number in
                    if number == 1 { throw TestError(1) }
                    await Gate().waitUntilCancelled()
                }
                for try await _ in stream {}
            }
            #expect(try await owner.exitReason == .error(TestError(1)))
        }
    }
}

extension Gate {
    /// For bodies that shall run until they are told to end.
    func waitUntilCancelled() async {
        await withTaskCancellationHandler {
            await wait()
        } onCancel: {
            open()
        }
    }
}
