//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Process groups", .timeLimit(.minutes(4)))
struct GroupScopeTests {
    @Test("none of a list joins when one cannot, and nobody is told")
    func allOrNone() async throws {
        try await withNode { node in
            let scope = GroupScope<Int>(on: node)
            let member = try node.spawnListener().pid
            let gone = try node.spawn { _ in 1 }
            _ = try await gone.exitReason
            try await node.inProcess { process in
                _ = try process.monitor(groupsOf: scope)
                #expect(throws: GroupError.processUnknown(gone.pid)) {
                    try scope.join(1, [member, gone.pid])
                }
            }
            #expect(scope.groups == [] && scope.table.all.isEmpty)
        }
    }

    @Test("one that begins to end within the list takes the others back out")
    func endsWithinList() async throws {
        try await withNode { node in
            let scope = GroupScope<Int>(on: node)
            let argument = SlowToEnd.Argument()
            let (first, second) = (try node.spawnListener(), try node.spawnListener())
            let dying = try node.spawn(SlowToEnd.self, argument, options: .init(ownThread: true))
            // Found, but closed: what a process is between giving back what it holds and its end.
            dying.cell.withCore { $0.isClosing = true }
            #expect(throws: GroupError.processUnknown(dying.pid)) {
                try scope.join(1, [first.pid, dying.pid, second.pid])
            }
            #expect(scope.members(of: 1) == [] && scope.table.all.isEmpty)
            #expect(first.cell.attachments.isEmpty && second.cell.attachments.isEmpty)
            argument.gate.open()
        }
    }

    @Test("a scope of another node is refused")
    func otherNode() async throws {
        try await withNode { node in
            try await withNode { other in
                let scope = GroupScope<Int>(on: other)
                try await node.inProcess { process in
                    let pid = process.pid
                    #expect(throws: GroupError.notLocal(pid)) {
                        try process.monitor(group: 1, in: scope)
                    }
                    #expect(throws: GroupError.notLocal(pid)) {
                        try process.monitor(groupsOf: scope)
                    }
                    #expect(throws: GroupError.incarnation(pid)) { try scope.join(1, pid) }
                    #expect(!scope.leave(1, pid))
                }
            }
        }
    }

    @Test("a full mailbox loses no change")
    func fullMailbox() async throws {
        try await withNode { node in
            let scope = GroupScope<Int>(on: node)
            let member = try node.spawnListener().pid
            let options = ProcessOptions(mailbox: .init(capacity: 1))
            try await node.inProcess(options) { process in
                let ref = try process.monitor(group: 1, in: scope).ref
                try process.send("fills it", to: process.pid)
                for _ in 0..<100 {
                    try scope.join(1, member)
                    scope.leave(1, member)
                }
                let first = try await process.receive() as? String
                #expect(first == "fills it")
                for round in 0..<200 {
                    let message = try await process.receive() as? MessageGroupChange<Int>
                    #expect(message?.ref == ref && message?.pids == [member])
                    #expect(message?.change == (round % 2 == 0 ? .join : .leave))
                }
            }
        }
    }

    /// A watcher that keeps the members up to date from what it is told.
    private struct Mirror: Sendable {
        var members: [Int: [Pid: Int]]

        init(_ start: [Int: [Pid]]) {
            members = start.mapValues { pids in
                pids.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            }
        }

        mutating func apply(_ message: MessageGroupChange<Int>) {
            for pid in message.pids {
                let count = members[message.group, default: [:]][pid, default: 0]
                let next = count + (message.change == .join ? 1 : -1)
                // Never below zero: a leave comes after its join.
                #expect(next >= 0)
                members[message.group, default: [:]][pid] = next == 0 ? nil : next
                if members[message.group]?.isEmpty ?? false { members[message.group] = nil }
            }
        }
    }

    @Test("what monitors add up is what is there, whenever they began and whoever changes it")
    func mirrors() async throws {
        try await withNode { node in
            let scope = GroupScope<Int>(on: node)
            // Few members in many groups, so that groups come and go.
            let pids = try (0..<2).map { _ in try node.spawnListener().pid }
            @Sendable func churn(_ seed: UInt64, _ count: Int) {
                var random = SeededGenerator(seed: seed)
                for _ in 0..<count {
                    let group = Int.random(in: 0..<12, using: &random)
                    guard let pid = pids.randomElement(using: &random) else { return }
                    if Int.random(in: 0..<5, using: &random) < 2 {
                        try? scope.join(group, pid)
                    } else {
                        scope.leave(group, pid)
                    }
                }
            }
            struct Settled: Sendable {}
            let watchers = Log<ProcessRef<[Int: [Pid: Int]]>>()
            await withTaskGroup(of: Void.self) { tasks in
                for seed in 0..<3 { tasks.addTask { churn(UInt64(seed), 500) } }
                tasks.addTask {
                    for index in 0..<10 {
                        let hasBegun = Gate()
                        let watcher = try? node.spawn { process in
                            let start =
                                index % 2 == 0
                                ? try process.monitor(groupsOf: scope).members
                                : [0: try process.monitor(group: 0, in: scope).members]
                            hasBegun.open()
                            var mirror = Mirror(start)
                            if mirror.members[0]?.isEmpty ?? false { mirror.members[0] = nil }
                            while let message = try await process.receive()
                                as? MessageGroupChange<Int>
                            {
                                mirror.apply(message)
                            }
                            return mirror.members
                        }
                        if let watcher { watchers.append(watcher) }
                        await hasBegun.wait()
                        churn(UInt64(100 + index), 200)
                    }
                }
            }
            let all = Mirror(
                Dictionary(uniqueKeysWithValues: scope.groups.map { ($0, scope.members(of: $0)) })
            ).members
            for (index, watcher) in await watchers.wait(for: 10).enumerated() {
                try watcher.send(Settled())
                let seen = try await watcher.value
                #expect(seen == (index % 2 == 0 ? all : all.filter { $0.key == 0 }))
            }
        }
    }

    @Test("many processes join, leave and end at once; nothing is left")
    func many() async throws {
        try await withNode { node in
            let scope = GroupScope<Int>(on: node)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for worker in 0..<4 {
                    tasks.addTask {
                        for round in 0..<100 {
                            try await node.spawn { process in
                                for group in 0..<5 { try scope.join(group, process.pid) }
                                scope.leave((worker + round) % 5, process.pid)
                                #expect(
                                    scope.members(of: (worker + round + 1) % 5)
                                        .contains(process.pid))
                            }.value
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(scope.groups == [] && scope.table.all.isEmpty)
        }
    }
}
