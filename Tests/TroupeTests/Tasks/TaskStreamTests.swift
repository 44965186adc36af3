//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Streams of tasks", .timeLimit(.minutes(4)))
struct TaskStreamTests {
    @Test("inputs of any length, any number at a time", arguments: [-1, 0, 1, 5, Int.max])
    func sizes(limit: Int) async throws {
        try await withNode { node in
            let report = try await node.runOwner { process in
                var sums: [Int] = []
                for count in [0, 1, 2, 9] {
                    let stream = process.stream(over: 0..<count, maxConcurrency: limit) { $0 }
                    // Each iteration is one of its own.
                    for _ in 0..<2 {
                        var sum = 0
                        for try await outcome in stream { sum += try outcome.get() }
                        sums.append(sum)
                    }
                }
                var iterator = process.stream(over: ["a"]) { $0 }.makeAsyncIterator()
                let ends = [
                    try await iterator.next(), try await iterator.next(), try await iterator.next(),
                ]
                #expect(ends == [.success("a"), nil, nil])
                return sums
            }
            #expect(report.value == [0, 0, 0, 0, 1, 1, 36, 36])
            #expect(report.isClean)
        }
    }

    @Test("a slow consumer of an endless input holds it up")
    func bound() async throws {
        try await withNode { node in
            let taken = Crowd()
            let report = try await node.runOwner { process in
                let numbers = sequence(first: 0) { $0 + 1 }.lazy.map { number in
                    taken.enter()
                    return number
                }
                let stream = process.stream(over: numbers, maxConcurrency: 4) { $0 }
                var consumed = 0
                for try await outcome in stream {
                    #expect(outcome == .success(consumed))
                    consumed += 1
                    // The tasks of the window have ended, and no more are started.
                    while node.count > 1 { await Task.yield() }
                    #expect(taken.highest <= consumed + 8)
                    if consumed == 100 { break }
                }
            }
            #expect(report.isClean)
        }
    }

    @Test("a task that takes too long is ended")
    func timeout() async throws {
        try await withNode { node in
            let report = try await node.runOwner { process in
                var outcomes: [Result<Int, ExitReason>] = []
                let stream = process.stream(
                    over: 0..<3, maxConcurrency: 3, timeout: .seconds(3), linked: false
                ) { number in
                    if number == 1 { await Gate().waitUntilCancelled() }
                    return number
                }
                for try await outcome in stream { outcomes.append(outcome) }
                return outcomes
            }
            #expect(
                report.value == [
                    .success(0), .failure(.shutdown(LifetimeEnd.deadline)), .success(2),
                ])
            #expect(report.isClean)
            let linked = try node.spawn { process in
                let stream = process.stream(over: [1], timeout: .zero) { _ in
                    await Gate().waitUntilCancelled()
                }
                for try await _ in stream {}
            }
            #expect(try await linked.exitReason == .shutdown(LifetimeEnd.deadline))
        }
    }

    @Test("only the process that has made it can consume a stream")
    func owner() async throws {
        try await withNode { node in
            let report = try await node.runOwner { process in
                let stream = process.stream(over: 0..<3) { $0 }
                nonisolated(unsafe) let smuggled = stream
                let owner = process.pid
                await Task {
                    var iterator = smuggled.makeAsyncIterator()
                    let error = await TaskError.thrown { () throws(TaskError) in
                        try await iterator.next()
                    }
                    #expect(error == .notOwner(owner))
                }.value
            }
            #expect(report.isClean)
        }
    }

    @Test("when a task cannot be started the stream throws, and its other tasks end")
    func notStarted() async throws {
        var options = NodeOptions(events: NoEvents())
        options.processCountMax = 3
        try await withNode(options) { node in
            let report = try await node.runOwner { process in
                let stream = process.stream(over: 0..<5, maxConcurrency: 5, linked: false) { _ in
                    await Gate().waitUntilCancelled()
                }
                var iterator = stream.makeAsyncIterator()
                let error = await TaskError.thrown { () throws(TaskError) in
                    try await iterator.next()
                }
                #expect(error == .notStarted(.tooManyProcesses(limit: 3)))
                let end = try await iterator.next()
                #expect(end == nil)
                await waitWhile { node.count > 1 }
            }
            #expect(report.isClean)
        }
    }

    @Test("a consumer that is told to end in the middle takes the tasks along")
    func consumerEnds() async throws {
        try await withNode { node in
            for (isLinked, isKilled) in [
                (true, true), (true, false), (false, true), (false, false),
            ] {
                let isRunning = Log<Int>()
                let owner = try node.spawn { process in
                    let stream = process.stream(
                        over: 0..<10, maxConcurrency: 3, linked: isLinked, options: .trapping
                    ) { number in
                        isRunning.append(number)
                        await Gate().waitUntilCancelled()
                    }
                    do {
                        for try await _ in stream {}
                    } catch { #expect(error as? TaskError == .cancelled) }
                }
                #expect(Set(await isRunning.wait(for: 3)) == [0, 1, 2])
                let reason: ExitReason = isKilled ? .kill : .custom("enough")
                node.exit(owner.pid, reason)
                #expect(try await owner.exitReason == (isKilled ? .killed : reason))
                await waitWhile { node.count > 0 }
                #expect(isRunning.elements.count == 3)
            }
        }
    }

    @Test("stopping early, again and again, while tasks end by themselves")
    func stopRaces() async throws {
        try await withNode { node in
            for trapsExits in [false, true] {
                let report = try await node.runOwner(trapsExits: trapsExits) { process in
                    for round in 0..<300 {
                        let stream = process.stream(over: 0..<20, maxConcurrency: 4) { number in
                            for _ in 0..<(round % 3) { await Task.yield() }
                            return number
                        }
                        var expected = 0
                        for try await outcome in stream {
                            #expect(outcome == .success(expected))
                            expected += 1
                            if expected > round % 20 { break }
                        }
                    }
                    while node.count > 1 { await Task.yield() }
                }
                #expect(report.isClean)
            }
        }
    }
}
