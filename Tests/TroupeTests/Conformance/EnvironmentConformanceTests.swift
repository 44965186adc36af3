//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

private enum Colour: EnvironmentKey { typealias Value = String }
private enum Size: EnvironmentKey { typealias Value = Int }

@Suite("Conformance: environment", .timeLimit(.minutes(4)))
struct EnvironmentConformanceTests {
    private func colour(_ value: String) -> Environment {
        Environment().setting(Colour.self, to: value)
    }

    private func leader(_ node: Node, _ environment: Environment) throws -> ProcessRef<Never> {
        try node.idle(.init(environment: environment))
    }

    /// A node whose own colour is `node`.
    private func withColouredNode(_ body: (Node) async throws -> Void) async throws {
        let options = NodeOptions(environment: colour("node"), events: NoEvents())
        try await withNode(options) { try await body($0) }
    }

    @Test("ENV-01 process before parent, parent before group leader, group leader before node")
    func order() async throws {
        try await withColouredNode { node in
            let inGroup = ProcessOptions(groupLeader: try leader(node, colour("leader")).pid)
            let process = try node.spawn(options: inGroup) { process in
                var seen = [process.environment(Colour.self)]
                process.setEnvironment(Colour.self, to: "parent")
                let child = try process.spawn { child in
                    let inherited = child.environment(Colour.self)
                    child.setEnvironment(Colour.self, to: "process")
                    return [inherited, child.environment(Colour.self)]
                }
                seen += try await child.value
                // The value of one level gone, that of the next is seen.
                process.setEnvironment(Colour.self, to: nil)
                seen.append(process.environment(Colour.self))
                return seen
            }
            #expect(try await process.value == ["leader", "parent", "process", "leader"])
            let alone = try node.spawn { $0.environment(Colour.self) }
            #expect(try await alone.value == "node")
        }
    }

    @Test("ENV-02 every process sees the environment of its node")
    func nodes() async throws {
        try await withColouredNode { node in
            #expect(node.environment[Colour.self] == "node")
            let process = try node.spawn { process in
                let child = try process.spawn { $0.environment(Colour.self) }
                return [process.environment(Colour.self), try await child.value]
            }
            #expect(try await process.value == ["node", "node"])
            let log = Log<String?>()
            _ = try node.spawn(
                Recorder.self, .init(Log()) { log.append($0.environment(Colour.self)) })
            #expect(log.elements == ["node"])
        }
    }

    @Test("ENV-03 the spawn option overrides the parent's value, and only that")
    func option() async throws {
        try await withColouredNode { node in
            let parent = try node.spawn { process in
                process.setEnvironment(Colour.self, to: "parent")
                process.setEnvironment(Size.self, to: 1)
                let options = ProcessOptions(environment: self.colour("option"))
                let child = try process.spawn(options: options) { child in
                    #expect(child.environment(Size.self) == 1)
                    return child.environment(Colour.self)
                }
                return [try await child.value, process.environment(Colour.self)]
            }
            #expect(try await parent.value == ["option", "parent"])
        }
    }

    @Test("ENV-04 a value set at run time is seen by the process and its later children, no others")
    func atRunTime() async throws {
        try await withNode { node in
            let parent = try node.spawn { parent in
                let isSet = Gate()
                let sibling = try parent.spawn { sibling in
                    await isSet.wait()
                    return sibling.environment(Size.self)
                }
                let setter = try parent.spawn { process in
                    let earlier = try process.spawn { child in
                        await isSet.wait()
                        return child.environment(Size.self)
                    }
                    process.setEnvironment(Size.self, to: 7)
                    isSet.open()
                    let later = try process.spawn { $0.environment(Size.self) }
                    return [
                        try await earlier.value, try await later.value,
                        process.environment(Size.self),
                    ]
                }
                #expect(try await setter.value == [nil, 7, 7])
                #expect(try await sibling.value == nil)
                return parent.environment(Size.self)
            }
            #expect(try await parent.value == nil)
        }
    }

    @Test("ENV-05 members of a group see its leader's values, as they are now, unless overridden")
    func group() async throws {
        try await withColouredNode { node in
            let leader = try node.spawn(options: .init(environment: colour("leader"))) { process in
                while let value = try await process.receive() as? String {
                    process.setEnvironment(Colour.self, to: value)
                    try process.send("changed", to: "member")
                }
            }
            let options = ProcessOptions(name: "member", groupLeader: leader.pid)
            let member = try node.spawn(options: options) { process in
                var seen = [process.environment(Colour.self)]
                try leader.send("changed")
                _ = try await process.receive()
                seen.append(process.environment(Colour.self))
                let overriding = ProcessOptions(environment: self.colour("option"))
                let child = try process.spawn(options: overriding) { child in
                    [
                        child.environment(Colour.self),
                        try await child.spawn { grandchild in
                            grandchild.environment(Colour.self)
                        }.value,
                    ]
                }
                return seen + (try await child.value)
            }
            #expect(try await member.value == ["leader", "changed", "option", "option"])
            let stranger = try node.spawn { $0.environment(Colour.self) }
            #expect(try await stranger.value == "node")
        }
    }

    @Test("ENV-06 the whole environment has one entry for each key, with the value that wins")
    func merged() async throws {
        enum Shape: EnvironmentKey { typealias Value = String }
        enum Weight: EnvironmentKey { typealias Value = Double }
        let nodes = colour("node").setting(Size.self, to: 1).setting(Shape.self, to: "node")
        try await withNode(NodeOptions(environment: nodes, events: NoEvents())) { node in
            let leaders = colour("leader").setting(Size.self, to: 2)
            let inGroup = ProcessOptions(groupLeader: try leader(node, leaders).pid)
            let parent = try node.spawn(options: inGroup) { process in
                process.setEnvironment(Weight.self, to: 0.5)
                process.setEnvironment(Colour.self, to: "parent")
                return try await process.spawn { child in
                    child.setEnvironment(Weight.self, to: 1.5)
                    return child.environment
                }.value
            }
            let environment = try await parent.value
            #expect(environment.count == 4)
            #expect(environment[Colour.self] == "parent")
            #expect(environment[Size.self] == 2)
            #expect(environment[Shape.self] == "node")
            #expect(environment[Weight.self] == 1.5)
        }
    }

    @Test("ENV-07 a key that nobody has set has no value, also after it was removed")
    func unset() async throws {
        try await withNode { node in
            let inGroup = ProcessOptions(groupLeader: try leader(node, Environment()).pid)
            let process = try node.spawn(options: inGroup) { process in
                #expect(process.environment(Size.self) == nil && process.environment.isEmpty)
                process.setEnvironment(Size.self, to: 1)
                process.setEnvironment(Size.self, to: nil)
                #expect(process.environment(Size.self) == nil && process.environment.isEmpty)
                return try await process.spawn { $0.environment(Size.self) }.value
            }
            #expect(try await process.value == nil)
        }
    }

    @Test("ENV-08 every process reaches its node")
    func node() async throws {
        try await withNode { node in
            let process = try node.spawn { process in
                let child = try process.spawn { $0.node === node }
                let isChilds = try await child.value
                return process.node === node && isChilds
            }
            #expect(try await process.value)
            let log = Log<Bool>()
            _ = try node.spawn(Recorder.self, .init(Log()) { log.append($0.node === node) })
            #expect(log.elements == [true])
        }
    }
}
