//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe
import TroupeTesting

/// A program with a bug that real threads practically never show.
struct Bug: Sendable {
    let name: String
    let story: String
    /// How the simulation goes about it.
    let options: SimulationOptions
    /// The program, which knows nothing of the simulation. Throws ``BugFound`` when the bug shows.
    let program: @Sendable (Node) async throws -> Void

    static let all = [lostUpdate, lateName, deadWorker]

    init(
        name: String, story: String, options: SimulationOptions,
        program: @escaping @Sendable (Node) async throws -> Void
    ) {
        self.name = name
        self.story = story
        self.options = options
        self.program = program
    }

    /// Runs the program on real threads, many times, side by side.
    ///
    /// - Returns: how often the bug did not show.
    func passesOnRealThreads(of count: Int) async throws -> Int {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<count {
                group.addTask {
                    let node = try Node(
                        name: "real-\(index)", options: NodeOptions(events: NoEvents()))
                    do {
                        try await program(node)
                        await node.stop()
                        return true
                    } catch is BugFound {
                        await node.stop()
                        return false
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }

    /// Runs the program under simulation, once for every seed, until the bug shows.
    ///
    /// - Returns: the report; nil when the bug has not shown.
    func convict(seeds: ClosedRange<UInt64>) async throws -> SimulationFailure? {
        do {
            try await explore(seeds: seeds, options: options) { simulation in
                try await program(simulation.node())
            }
            return nil
        } catch let failure as SimulationFailure {
            return failure
        }
    }
}

/// The bug has shown.
struct BugFound: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
