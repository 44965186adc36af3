//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// What a Swift program without Troupe would do; each on the threads of Swift's own pool.
    static let alternatives: [Figure] = [
        swift("swift_actor_call", counterpart: "call_roundtrip") {
            let count = 500_000
            let server = PingActor()
            _ = try await server.answer(20_000)
            return [.nanoseconds("swift_actor_call", try await server.answer(count), each: count)]
        },
        swift("swift_async_stream_1p1c", counterpart: "send_1p1c") {
            let count = 2_000_000
            _ = try await stream(1000)
            return [.nanoseconds("swift_async_stream_1p1c", try await stream(count), each: count)]
        },
        swift("swift_task_group", counterpart: "spawn_run_100k_closure") {
            let count = 100_000
            await runGroup(1000)
            let time = await timed { await runGroup(count) }
            return [.microseconds("swift_task_group", time, each: count)]
        },
        swift("swift_task_spawn", counterpart: "spawn_run_100k_closure") {
            let count = 100_000
            await runTasks(1000)
            let time = await timed { await runTasks(count) }
            return [.microseconds("swift_task_spawn", time, each: count)]
        },
    ]

    /// Runs `body` outside of the node.
    private static func swift(
        _ name: String, counterpart: String,
        _ body: @escaping @Sendable () async throws -> [Row]
    ) -> Figure {
        Figure(name, hasPeer: false, counterpart: counterpart) { _ in
            try await Task.detached { try await body() }.value
        }
    }

    /// One task sends to another through a stream without a bound.
    private static func stream(_ count: Int) async throws -> Duration {
        let (stream, continuation) = AsyncStream.makeStream(of: Load.self)
        var received = 0
        let time = await timed {
            let producer = Task.detached {
                for index in 0..<count { continuation.yield(.increment(index)) }
                continuation.finish()
            }
            for await _ in stream { received += 1 }
            await producer.value
        }
        try check(received == count, "\(received) messages came")
        return time
    }

    /// Tasks of a group that do nothing.
    private static func runGroup(_ count: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<count { group.addTask {} }
        }
    }

    /// Tasks on their own that do nothing.
    private static func runTasks(_ count: Int) async {
        let tasks = (0..<count).map { _ in Task {} }
        for task in tasks { await task.value }
    }
}

/// ``PingServer`` as an actor.
actor PingActor {
    private var count = 0

    func ping() -> Int {
        count += 1
        return count
    }

    func reset() { count = 0 }

    /// How long that many calls take.
    @concurrent nonisolated func answer(_ count: Int) async throws -> Duration {
        let time = try await timed {
            for expected in 1...count {
                let answered = await ping()
                try check(answered == expected, "the actor has answered \(answered) calls")
            }
        }
        await reset()
        return time
    }
}
