//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: process groups", .timeLimit(.minutes(4)))
struct GroupConformanceTests {
    typealias Scope = GroupScope<String>

    @Test("PG-01 a process that joins is listed once")
    func join() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let member = try node.spawnListener()
            #expect(scope.members(of: "g") == [])
            try scope.join("g", member.pid)
            #expect(scope.members(of: "g") == [member.pid])
            #expect(scope.groups == ["g"])
            #expect(scope.members(of: "other") == [])
        }
    }

    @Test("PG-02 a process that joined k times is listed k times, leaves k times, and dies once")
    func severalTimes() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let member = try node.spawnListener()
            let other = try node.spawnListener()
            for _ in 0..<2 { try scope.join("g", member.pid) }
            try scope.join("g", other.pid)
            try scope.join("g", member.pid)
            #expect(scope.members(of: "g") == [member, member, other, member].map(\.pid))
            #expect(scope.leave("g", member.pid))
            #expect(scope.members(of: "g") == [member, other, member].map(\.pid))
            #expect(scope.leave("g", [member.pid, member.pid]))
            #expect(scope.members(of: "g") == [other.pid])
            #expect(!scope.leave("g", member.pid))
            for _ in 0..<5 { try scope.join("g", member.pid) }
            node.kill(member.pid)
            _ = try await member.exitReason
            #expect(scope.members(of: "g") == [other.pid])
        }
    }

    @Test("PG-03 a list that joins or leaves is one event")
    func lists() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let pids = try (0..<3).map { _ in try node.spawnListener().pid }
            try await node.inProcess { process in
                let ref = try process.monitor(group: "g", in: scope).ref
                let listed = [pids[0], pids[1], pids[0]]
                try scope.join("g", listed)
                #expect(scope.members(of: "g") == listed)
                try scope.join("g", [])
                #expect(scope.leave("g", [pids[2], pids[0], pids[1]]))
                #expect(scope.members(of: "g") == [pids[0]])
                #expect(!scope.leave("g", []))
                let join = try await process.receiveGroupChange()
                let leave = try await process.receiveGroupChange()
                #expect(join == SeenGroupChange(ref, .join, "g", listed))
                #expect(leave == SeenGroupChange(ref, .leave, "g", [pids[0], pids[1]]))
            }
        }
    }

    @Test("PG-04 who is not in a group cannot leave it, and nothing changes")
    func notJoined() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let (member, stranger) = (try node.spawnListener(), try node.spawnListener())
            try scope.join("g", member.pid)
            try scope.join("other", stranger.pid)
            try await node.inProcess { process in
                _ = try process.monitor(groupsOf: scope)
                #expect(!scope.leave("g", stranger.pid))
                #expect(!scope.leave("free", stranger.pid))
                #expect(!scope.leave("g", Pid(node: "away", id: 1, creation: 1)))
            }
            #expect(scope.members(of: "g") == [member.pid])
            #expect(scope.members(of: "other") == [stranger.pid])
        }
    }

    @Test("PG-05 a group without members is not listed, be it monitored or not")
    func lastLeaves() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let member = try node.spawnListener()
            for group in ["a", "b"] { try scope.join(group, member.pid) }
            #expect(Set(scope.groups) == ["a", "b"])
            #expect(scope.leave("a", member.pid))
            #expect(scope.groups == ["b"])
            try await node.inProcess { process in
                let (ref, members) = try process.monitor(group: "b", in: scope)
                #expect(members == [member.pid])
                #expect(scope.leave("b", member.pid))
                #expect(scope.groups == [])
                #expect(process.demonitor(ref))
            }
            #expect(scope.table.all.isEmpty)
        }
    }

    @Test("PG-06 a member that died is listed nowhere, before anybody knows of its end")
    func memberDies() async throws {
        try await HeldEnds.withNode { node, ends in
            let scope = Scope(on: node)
            let other = try node.spawnListener()
            try scope.join("a", other.pid)
            let member = try node.spawn(options: HeldEnds.options) { process in
                for group in ["a", "b", "a"] { try scope.join(group, process.pid) }
                throw HeldEnds.reason
            }
            await ends.hasEnded.wait()
            #expect(scope.members(of: "a") == [other.pid])
            #expect(scope.groups == ["a"])
            #expect(throws: GroupError.processUnknown(member.pid)) {
                try scope.join("a", member.pid)
            }
            ends.release.open()
        }
    }

    @Test("PG-07 joining, leaving and dying race; in the end the dead are listed nowhere")
    func races() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            for round in 0..<200 {
                let member = try node.spawn { process in
                    try scope.join("g", process.pid)
                    if round % 2 == 0 { _ = try await process.receive() }
                }
                await withTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try? scope.join("g", [member.pid, member.pid]) }
                    tasks.addTask { scope.leave("g", member.pid) }
                    tasks.addTask { node.kill(member.pid) }
                }
                _ = try await member.exitReason
                #expect(scope.members(of: "g") == [])
            }
            #expect(scope.groups == [] && scope.table.all.isEmpty)
        }
    }

    @Test("PG-08 the local members are those of this node")
    func local() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let member = try node.spawnListener()
            try scope.join("g", member.pid)
            let away = Pid(node: "away", id: member.pid.id, creation: node.creation)
            let old = Pid(node: "test", id: member.pid.id, creation: node.creation + 1)
            #expect(throws: GroupError.notLocal(away)) { try scope.join("g", [member.pid, away]) }
            #expect(throws: GroupError.incarnation(old)) { try scope.join("g", old) }
            #expect(scope.localMembers(of: "g") == [member.pid])
            #expect(scope.localMembers(of: "free") == [])
        }
    }

    @Test("PG-13 a monitor of a group gets the members as of now, and then each change once")
    func monitor() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let pids = try (0..<3).map { _ in try node.spawnListener().pid }
            try scope.join("g", pids[0])
            try await node.inProcess { process in
                let (ref, members) = try process.monitor(group: "g", in: scope)
                #expect(members == [pids[0]])
                try scope.join("g", pids[1])
                try scope.join("other", pids[1])
                #expect(scope.leave("g", pids[0]))
                let (again, now) = try process.monitor(group: "g", in: scope)
                #expect(again != ref && now == [pids[1]])
                node.kill(pids[1])
                var seen: [SeenGroupChange] = []
                for _ in 0..<4 { seen.append(try await process.receiveGroupChange()) }
                #expect(
                    seen.filter { $0.ref == ref } == [
                        SeenGroupChange(ref, .join, "g", [pids[1]]),
                        SeenGroupChange(ref, .leave, "g", [pids[0]]),
                        SeenGroupChange(ref, .leave, "g", [pids[1]]),
                    ])
                #expect(
                    seen.filter { $0.ref == again }
                        == [SeenGroupChange(again, .leave, "g", [pids[1]])])
            }
        }
    }

    @Test("PG-14 a monitor of a scope gets all groups, and then each change in any of them once")
    func monitorScope() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let pids = try (0..<2).map { _ in try node.spawnListener().pid }
            try scope.join("a", [pids[0], pids[1]])
            try scope.join("b", pids[0])
            try await node.inProcess { process in
                let (ref, groups) = try process.monitor(groupsOf: scope)
                #expect(groups == ["a": [pids[0], pids[1]], "b": [pids[0]]])
                try scope.join("new", pids[1])
                #expect(scope.leave("b", pids[0]))
                try scope.join("b", pids[1])
                var seen: [SeenGroupChange] = []
                for _ in 0..<3 { seen.append(try await process.receiveGroupChange()) }
                #expect(
                    seen == [
                        SeenGroupChange(ref, .join, "new", [pids[1]]),
                        SeenGroupChange(ref, .leave, "b", [pids[0]]),
                        SeenGroupChange(ref, .join, "b", [pids[1]]),
                    ])
                node.kill(pids[1])
                var left: [String] = []
                for _ in 0..<3 {
                    let change = try await process.receiveGroupChange()
                    #expect(change.change == .leave && change.pids == [pids[1]])
                    left.append(change.group)
                }
                #expect(left == ["a", "new", "b"])
            }
        }
    }

    @Test("PG-15 after a monitor is removed nothing comes, not even what was in the mailbox")
    func demonitor() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let member = try node.spawnListener().pid
            try await node.inProcess { process in
                let (group, _) = try process.monitor(group: "g", in: scope)
                let (all, _) = try process.monitor(groupsOf: scope)
                try scope.join("g", member)
                #expect(process.demonitor(group))
                #expect(process.demonitor(all))
                try scope.join("g", member)
                try scope.join("other", member)
                #expect(!process.demonitor(group))
                #expect(!process.demonitor(all))
                let other = try node.spawn(Doer.self)
                try await other.call { #expect(!$0.demonitor(all)) }
            }
            #expect(scope.scopeWatchers.isEmpty)
        }
    }

    @Test("PG-16 the monitors of a dead process are gone from the scope")
    func monitorDies() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let member = try node.spawnListener().pid
            try scope.join("g", member)
            let watcher = try node.spawn { process in
                _ = try process.monitor(groupsOf: scope)
                for group in ["g", "empty"] { _ = try process.monitor(group: group, in: scope) }
            }
            try await watcher.value
            #expect(scope.scopeWatchers.isEmpty)
            // Of the slots only the one with a member is left, and that is gone with the member.
            #expect(scope.table.all.map(\.key) == ["g"])
            #expect(scope.leave("g", member))
            #expect(scope.table.all.isEmpty)
        }
    }

    @Test("PG-17 a process that monitors a group and is in it takes both along")
    func both() async throws {
        try await withNode { node in
            let scope = Scope(on: node)
            let isIn = Gate()
            let process = try node.spawn { process in
                _ = try process.monitor(group: "g", in: scope)
                _ = try process.monitor(groupsOf: scope)
                try scope.join("g", process.pid)
                isIn.open()
                while true { _ = try await process.receive() }
            }
            await isIn.wait()
            #expect(scope.members(of: "g") == [process.pid])
            node.kill(process.pid)
            _ = try await process.exitReason
            #expect(scope.groups == [] && scope.table.all.isEmpty && scope.scopeWatchers.isEmpty)
            let next = try node.spawnListener().pid
            try scope.join("g", next)
            #expect(scope.members(of: "g") == [next])
        }
    }
}
