//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

private enum Colour: EnvironmentKey { typealias Value = String }
private enum Size: EnvironmentKey { typealias Value = Int }

@Suite("Environment", .timeLimit(.minutes(1)))
struct EnvironmentTests {
    @Test(
        "ENV-01 ENV-02 ENV-03 ENV-05 ENV-07 process, parent, group leader, node: the nearest wins")
    func lookup() async throws {
        let options = NodeOptions(
            environment: Environment().setting(Colour.self, to: "node").setting(Size.self, to: 1),
            events: NoEvents())
        try await withNode(options) { node in
            let leader = try node.spawn(
                options: .init(environment: Environment().setting(Colour.self, to: "leader"))
            ) { process in while true { _ = try await process.receive() } }
            #expect(try await node.spawn { $0.environment(Colour.self) }.value == "node")
            let inGroup = ProcessOptions(groupLeader: leader.pid)
            let seen = try node.spawn(options: inGroup) { process in
                let own = process.environment(Colour.self)
                // Group leader and environment are inherited by the child.
                process.setEnvironment(Colour.self, to: "parent")
                let pid = process.pid
                let childs = try await process.spawn { child in
                    #expect(child.groupLeader == leader.pid && child.parent == pid)
                    return child.environment(Colour.self)
                }.value
                let overridden = try await process.spawn(
                    options: .init(environment: Environment().setting(Colour.self, to: "option"))
                ) { $0.environment(Colour.self) }.value
                return [own, childs, overridden]
            }
            #expect(try await seen.value == ["leader", "parent", "option"])
            #expect(try await node.spawn { $0.environment(Size.self) }.value == 1)
        }
        try await withNode { node in
            let size = try await node.spawn { $0.environment(Size.self) }.value
            #expect(size == nil)
        }
    }

    @Test("ENV-04 ENV-06 ENV-08 a value set at run time is seen by the process and later children")
    func runTime() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let gate = Gate()
                let earlier = try process.spawn { child in
                    await gate.wait()
                    return child.environment(Size.self)
                }
                process.setEnvironment(Size.self, to: 7)
                gate.open()
                let later = try process.spawn { $0.environment(Size.self) }
                process.setEnvironment(Colour.self, to: "red")
                #expect(process.environment.count == 2)
                #expect(process.environment[Size.self] == 7)
                process.setEnvironment(Size.self, to: nil)
                #expect(process.environment(Size.self) == nil)
                #expect(process.node === node)
                return [try await earlier.value, try await later.value]
            }
            #expect(try await process.value == [nil, 7])
        }
    }
}
