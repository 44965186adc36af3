//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import TroupeTesting

@testable import Troupe

/// Something that must hold does not. Processes end with it: what they expect in the manner of Swift
/// Testing would belong to no test.
struct Violation: Error, CustomStringConvertible {
    let description: String

    static func unless(_ holds: Bool, _ what: @autoclosure () -> String) throws {
        if !holds { throw Violation(description: what()) }
    }
}

extension ProcessOptions {
    static let trapping = ProcessOptions(trapsExits: true)
}

extension RestartLimit {
    /// More than a test needs.
    static let plenty = RestartLimit(1000, within: .seconds(1000))
}

/// Lets others go first: between two steps anything can happen.
func pause(_ count: Int = 2) async {
    for _ in 0..<count { await Task.yield() }
}

extension Process {
    /// All that the mailbox holds when whatever was on its way has arrived.
    func rest() async throws(ExitReason) -> [any Sendable] {
        // Time passes when nothing else can happen.
        try await sleep(for: .seconds(1))
        var messages: [any Sendable] = []
        while let message = try await receive(timeout: .zero) { messages.append(message) }
        return messages
    }

    /// As ``rest()``, where only exits may be.
    func remainingExits() async throws -> [MessageExit] {
        try await rest().map { message in
            guard let exit = message as? MessageExit else {
                throw Violation(description: "unexpected \(message)")
            }
            return exit
        }
    }

    /// As ``rest()``, where nothing may be.
    func expectNothing() async throws {
        let rest = try await rest()
        try Violation.unless(rest.isEmpty, "left in the mailbox: \(rest)")
    }
}

extension ProcessCell {
    /// How many calls this server has not answered and not forgotten.
    var deferredCallCount: Int { withCore { $0.relations?.rare?.deferredCalls.count ?? 0 } }
}

extension Node {
    /// A process that kills another when its turn comes.
    func spawnKiller(of victim: Pid) throws {
        try spawn { $0.exit(victim, .kill) }
    }
}

/// A server that does nothing.
struct Idler: GenServer {
    init(_: Void, process: ServerProcess) {}
}

/// A server that does nothing, and takes some steps to start and to end.
struct SlowIdler: AsyncGenServer {
    struct Argument: Sendable {
        var steps = 2
        var endSteps = 0
    }

    let argument: Argument

    init(_ argument: Argument, process: ServerProcess) async throws {
        self.argument = argument
        for _ in 0..<argument.steps { await Task.yield() }
    }

    mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        for _ in 0..<argument.endSteps { await Task.yield() }
    }
}
