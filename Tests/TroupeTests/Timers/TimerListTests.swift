//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Timer list: what a process has to cancel")
struct TimerListTests {
    @Test("agrees with a set over random insertions and removals", arguments: 1...10)
    func model(seed: UInt64) async throws {
        try await withNode { node in
            let owner = try node.spawn(Counter.self, 0).cell
            let receiver = try node.spawn(Counter.self, 0).cell
            // As the same timer is in the lists of both.
            var (list, others) = (TimerList(), TimerList())
            var (ids, otherIDs): (Set<ObjectIdentifier>, Set<ObjectIdentifier>) = ([], [])
            let timers = (0..<50).map { _ in
                OwnedTimer(owner: owner, second: receiver, service: node.timers)
            }
            var random = SeededGenerator(seed: seed)
            for _ in 0..<1000 {
                let timer = timers[Int.random(in: 0..<50, using: &random)]
                let id = ObjectIdentifier(timer)
                switch UInt8.random(in: 0..<4, using: &random) {
                case 0: if ids.insert(id).inserted { list.insert(timer, of: owner) }
                case 1: if otherIDs.insert(id).inserted { others.insert(timer, of: receiver) }
                case 2:
                    ids.remove(id)
                    list.remove(timer, of: owner)
                default:
                    otherIDs.remove(id)
                    others.remove(timer, of: receiver)
                }
                #expect(list.count(of: owner) == ids.count && list.isEmpty == ids.isEmpty)
                #expect(others.count(of: receiver) == otherIDs.count)
            }
            #expect(Set(list.removeAll(of: owner).map(ObjectIdentifier.init)) == ids)
            #expect(Set(others.removeAll(of: receiver).map(ObjectIdentifier.init)) == otherIDs)
            #expect(list.isEmpty && others.isEmpty)
        }
    }
}
