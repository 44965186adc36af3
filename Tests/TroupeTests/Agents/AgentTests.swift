//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Agents", .timeLimit(.minutes(4)))
struct AgentTests {
    /// A state that cannot leave its process.
    private final class Box {
        var text = "box"
    }

    @Test("the value need not be Sendable, and what is returned may be nil")
    func values() async throws {
        try await withNode { node in
            let agent = try node.spawn(Agent<Box>.self, { Box() })
            try await agent.update { $0.text += "es" }
            #expect(try await agent.get { $0.text } == "boxes")
            let nothing: Int? = try await agent.getAndUpdate { _ in nil }
            #expect(nothing == nil)
            let nested: Int?? = try await agent.get { _ in .some(nil) }
            #expect(nested == .some(nil))
            let word = try await agent.getAndUpdate { box in
                defer { box = Box() }
                return box.text
            }
            #expect(word == "boxes")
            #expect(try await agent.get { $0.text } == "box")
        }
    }

    @Test("a failure that the agent shall survive is a result")
    func result() async throws {
        try await withNode { node in
            let agent = try node.spawn(Agent<Int>.self, { 1 })
            let outcome = try await agent.get { state -> Result<Int, TestError> in
                .failure(TestError(state))
            }
            #expect(outcome == .failure(TestError(1)))
            #expect(try await agent.get { $0 } == 1)
            // An exit reason that is thrown is the reason.
            await #expect(throws: CallError.exited(.shutdown)) {
                try await agent.update { _ in throw ExitReason.shutdown }
            }
            #expect(try await agent.exitReason == .shutdown)
        }
    }

    @Test("calls that wait when an agent ends fail with its reason; a cast is refused afterwards")
    func ends() async throws {
        try await withNode { node in
            let (begun, go) = (Gate(), Gate())
            let agent = try node.spawn(Agent<Int>.self, { 0 }, options: .init(ownThread: true))
            try agent.cast { _ in
                begun.open()
                go.waitBlocking()
                throw TestError(1)
            }
            await begun.wait()
            let waiting = Task { try await agent.get { $0 } }
            await waitWhile { node.info(agent.pid)?.mailboxCount == 0 }
            go.open()
            await #expect(throws: CallError.exited(.error(TestError(1)))) {
                try await waiting.value
            }
            _ = try await agent.exitReason
            #expect(throws: SendError<Agent<Int>.Cast>.self) { try agent.cast { $0 += 1 } }
        }
    }

    @Test("an agent that calls itself, and a caller that is cancelled, do not wait")
    func refused() async throws {
        try await withNode { node in
            let agent = try node.spawn(Agent<Int>.self, { 0 })
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await agent.get { $0 }
            }
            await #expect(throws: CallError.cancelled) { try await task.value }
            let process = try node.spawn { process in
                let own = try process.spawn(Agent<Int>.self, { 3 })
                return try await own.get { $0 }
            }
            #expect(try await process.value == 3)
            #expect(try await agent.get { $0 } == 0)
        }
    }
}
