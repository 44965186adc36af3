//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Events and crash reports", .timeLimit(.minutes(4)))
struct EventTests {
    @Test("a sink is told only what it asks for")
    func kinds() async throws {
        let events = Log<Event>()
        let options = NodeOptions(events: EventHandler(.exited) { events.append($0) })
        try await withNode(options) { node in
            let process = try node.spawn { _ in throw TestError(1) }
            _ = try await process.exitReason
        }
        #expect(events.elements.map(\.kind) == [.exited])
    }

    @Test("the debug switch lets an error crash the program where it is caught")
    func crashesOnError() async {
        await #expect(processExitsWith: .failure) {
            let node = try Node(name: "debug", options: .init(crashesOnError: true))
            let counter = try node.spawn(Counter.self, 0)
            _ = try? await counter.call(.fail(1))
        }
    }

    @Test("an exit reason that is thrown is no error for the debug switch")
    func exitReasonIsNoError() async throws {
        try await withNode(NodeOptions(events: NoEvents(), crashesOnError: true)) { node in
            let counter = try node.spawn(Counter.self, 0)
            try counter.cast(.exit(.custom("meant")))
            await waitWhile { node.count > 0 }
        }
    }
}
