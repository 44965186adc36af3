//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: partition supervisors", .timeLimit(.minutes(4)))
struct PartitionSupervisorConformanceTests {
    private func spec(
        _ name: String = "counters", count: Int = 4
    ) -> PartitionSupervisorSpec<Counter> {
        PartitionSupervisorSpec(Counter.self, named: name, count: count) { $0 * 100 }
    }

    @Test("DSUP-17 an integer goes to the partition of its magnitude, other keys by their hash")
    func routing() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(PartitionSupervisor<Counter>.self, spec())
            let partitions = try await supervisor.partitions()
            #expect(partitions.count == 4)
            #expect(partitions.all.map(\.name) == (0..<4).map { "counters/\($0)" })
            for key in [0, 1, 5, -1, -7, Int.min, Int.max] {
                let number = Int(key.magnitude % 4)
                #expect(partitions[key].name == "counters/\(number)")
                #expect(try await partitions[key].call(.value) == number * 100)
            }
            #expect(partitions[UInt8(7)].name == "counters/3")
            let names = (0..<200).map { partitions["key \($0)"].name }
            #expect(names == (0..<200).map { partitions["key \($0)"].name })
            #expect(Set(names).count == 4)
        }
    }

    @Test("DSUP-18 no name and no partitions are mistakes, named before anything starts")
    func mistakes() async throws {
        try await withNode { node in
            let bad = spec("", count: 0)
            #expect(bad.mistakes.map(\.kind) == [.nameMissing, .partitionCountInvalid(0)])
            await #expect(
                throws: SpawnError.initFailed(.error(SpecInvalid(mistakes: bad.mistakes)))
            ) {
                try await node.spawn(PartitionSupervisor<Counter>.self, bad)
            }
            let long = spec(String(repeating: "x", count: 254), count: 2)
            #expect(long.mistakes.count == 2)
            #expect(node.count == 0 && node.registered.isEmpty)
        }
    }

    @Test("DSUP-19 when it has stopped its partitions have ended, and all names are free")
    func stopping() async throws {
        try await withNode { node in
            for _ in 0..<20 {
                let supervisor = try await node.spawn(PartitionSupervisor<Counter>.self, spec())
                #expect(node.whereis("counters") == supervisor.pid)
                #expect(node.count == 5)
                try await supervisor.stop()
                #expect(node.count == 0 && node.registered.isEmpty)
            }
        }
    }

    @Test("a partition that fails is started again alone, under its name")
    func restart() async throws {
        try await withNode { node in
            let supervisor = try await node.spawn(PartitionSupervisor<Counter>.self, spec())
            let partitions = try await supervisor.partitions()
            let before = partitions.all.compactMap(\.pid)
            try partitions[1].cast(.increment(by: 5))
            #expect(try await partitions[1].call(.value) == 105)
            node.kill(before[1])
            // Asked once: nobody holds the name for a moment.
            await waitWhile { (partitions[1].pid ?? before[1]) == before[1] }
            #expect(try await partitions[1].call(.value) == 100)
            let children = try await supervisor.whichChildren()
            #expect(children.map(\.id) == ["3", "2", "1", "0"])
            #expect(children.map(\.pid) == partitions.all.reversed().map(\.pid))
            #expect([0, 2, 3].allSatisfy { partitions.all[$0].pid == before[$0] })
            #expect(
                try await supervisor.countChildren()
                    == ChildCount(specs: 4, active: 4, supervisors: 0, workers: 4))
        }
    }

    @Test("as a child it is a supervisor, and a tree of all kinds can be walked through by pids")
    func tree() async throws {
        try await withNode { node in
            let root = try await node.spawn(
                Supervisor.self,
                SupervisorSpec {
                    ChildSpec(PartitionSupervisor<Counter>.self, spec(count: 2), id: "partitions")
                    ChildSpec.dynamicSupervisor(
                        "sessions", DynamicSupervisorSpec { ChildSpec(Counter.self, $0) },
                        name: "sessions")
                    ChildSpec(
                        Pool<Counter>.self, PoolSpec(Counter.self, 0, workers: 3), id: "pool")
                    ChildSpec(TaskSupervisor.self, .init(), id: "tasks")
                    ChildSpec(Counter.self, 0, id: "worker")
                })
            let sessions = try #require(
                node.whereis("sessions", as: DynamicSupervisor<Int>.self))
            let session = try #require(try await sessions.startChild(7))
            let children = try await node.whichChildren(of: root.pid)
            let types = children.map(\.type)
            #expect(types == [.worker, .supervisor, .supervisor, .supervisor, .supervisor])
            var counts: [String: Int] = [:]
            for child in children where child.type == .supervisor {
                let grandchildren = try await node.whichChildren(of: try #require(child.pid))
                counts[child.id ?? ""] = grandchildren.count
            }
            #expect(counts == ["partitions": 2, "sessions": 1, "pool": 3, "tasks": 0])
            #expect(try await node.server(Counter.self, at: session.pid)?.call(.value) == 7)
            #expect(node.server(AsyncCounter.self, at: session.pid) == nil)
            await #expect(throws: SupervisorError.notSupervisor(session.pid)) {
                try await node.whichChildren(of: session.pid)
            }
            try await sessions.terminateChild(session.pid)
            await #expect(throws: SupervisorError.call(.noProcess(session.pid))) {
                try await node.whichChildren(of: session.pid)
            }
        }
    }
}
