//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Traits table: shared by processes of a type")
struct TraitsTableTests {
    private static func makeTraits(_ key: TraitsTable.Key) -> ProcessTraits {
        ProcessTraits(
            key, options: .default, groupLeader: nil, type: Int.self, isServer: true,
            on: TestSlots.scheduler)
    }

    /// Enough types for chains of more than one.
    private static let types: [Any.Type] = {
        func wrap<T>(_ type: T.Type) -> Any.Type { [T].self }
        var types: [Any.Type] = []
        var type: Any.Type = Int.self
        for _ in 0..<50 {
            types.append(type)
            type = wrap(type)
        }
        return types
    }()

    /// Neither tasks nor expectations can capture a table.
    private final class Holder: Sendable {
        private let table: TraitsTable

        init(threadCount: Int) {
            table = TraitsTable(threadCount: threadCount)
        }

        var ownThread: Int { table.ownThread }
        func find(_ key: TraitsTable.Key) -> ProcessTraits? { table.find(key) }
        func insert(_ traits: ProcessTraits) -> ProcessTraits { table.insert(traits) }
    }

    @Test("each key has traits of its own, made once")
    func keys() {
        let table = Holder(threadCount: 3)
        #expect(table.ownThread == 0)
        let keys = Self.types.flatMap { type in
            [false, true].flatMap { obeysParent in
                (0..<3).map {
                    TraitsTable.Key(
                        type: ObjectIdentifier(type), obeysParent: obeysParent, thread: $0)
                }
            }
        }
        var made = 0
        for key in keys + keys {
            if let traits = table.find(key) {
                #expect(traits.key == key)
            } else {
                made += 1
                #expect(table.insert(Self.makeTraits(key)).key == key)
            }
        }
        #expect(made == keys.count)
    }

    @Test("threads that ask at once get the same traits")
    func race() async {
        for _ in 0..<200 {
            let table = Holder(threadCount: 1)
            let key = TraitsTable.Key(
                type: ObjectIdentifier(Int.self), obeysParent: false, thread: 0)
            let found = await withTaskGroup(of: ProcessTraits.self) { group in
                for _ in 0..<4 {
                    group.addTask { table.insert(Self.makeTraits(key)) }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(found.allSatisfy { $0 === table.find(key) })
        }
    }

    @Test(
        "processes of a type share traits with those of the same group leader, as long as it lives")
    func groups() async throws {
        try await withNode { node in
            let leaders = try (0..<2).map { _ in
                try node.spawn { process in _ = try await process.receive(Int.self) }
            }
            func traits(_ leader: Pid?) throws -> ProcessTraits {
                let options = ProcessOptions(groupLeader: leader)
                return try node.spawn(Counter.self, 0, options: options).cell.traits
            }
            let first = try traits(leaders[0].pid)
            #expect(first.groupLeader == leaders[0].pid)
            #expect(try traits(leaders[0].pid) === first)
            #expect(try traits(leaders[1].pid).groupLeader == leaders[1].pid)
            #expect(try traits(nil) === (try traits(nil)))
            #expect(try traits(nil).groupLeader == nil)
            try node.send(1, to: .pid(leaders[0].pid))
            _ = try await leaders[0].value
            #expect(try traits(leaders[0].pid).groupLeader == leaders[0].pid)
        }
    }
}
