//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

private enum Colour: EnvironmentKey { typealias Value = String }

@Suite("Environment", .timeLimit(.minutes(4)))
struct EnvironmentTests {
    @Test("a group leader that is not of this node, or of another life of it, is nobody here")
    func foreignLeader() async throws {
        try await withNode { node in
            let options = ProcessOptions(environment: Environment().setting(Colour.self, to: "red"))
            let local = try node.idle(options).pid
            let foreign = [
                Pid(node: "elsewhere", id: local.id, creation: local.creation),
                Pid(node: "test", id: local.id, creation: local.creation + 1),
            ]
            for leader in foreign {
                let member = try node.spawn(options: .init(groupLeader: leader)) { process in
                    #expect(process.groupLeader == leader && process.environment.isEmpty)
                    return process.environment(Colour.self)
                }
                #expect(try await member.value == nil)
            }
        }
    }
}
