//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("What can happen next in a simulation")
struct SimulatedAgendaTests {
    private var agenda = SimulatedAgenda<String>()

    private mutating func insert(_ id: UInt64) {
        let pid = Pid(node: "agenda", id: id, creation: 1)
        agenda.insert(SimulatedChoice(actor: .process(pid), kind: .turn), "\(id)")
    }

    private mutating func ids() -> [UInt64] {
        agenda.choices().map { choice in
            if case .process(let pid) = choice.actor { pid.id } else { 0 }
        }
    }

    private mutating func expect(
        _ expected: [UInt64], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let ids = ids()
        #expect(ids == expected, sourceLocation: sourceLocation)
    }

    private mutating func take(_ index: Int) -> String { agenda.take(index).1 }

    @Test("within a step the order is that of who does it, not of who said so first")
    mutating func withinAStep() {
        for id in [5, 3, 9, 1] as [UInt64] { insert(id) }
        expect([1, 3, 5, 9])
    }

    @Test("what has become possible in an earlier step comes first")
    mutating func steps() {
        insert(7)
        insert(8)
        expect([7, 8])
        let taken0 = take(0)
        #expect(taken0 == "7")
        insert(1)
        expect([8, 1])
    }

    @Test("what has been passed over comes after the rest, however long it waits")
    mutating func passedOver() {
        for id in 1...3 as ClosedRange<UInt64> { insert(id) }
        _ = ids()
        let taken1 = take(1)
        #expect(taken1 == "2")
        expect([3, 1])
        insert(4)
        insert(5)
        expect([3, 4, 5, 1])
        let next = take(1)
        #expect(next == "4")
        // As often as the other, but later.
        expect([5, 1, 3])
    }

    @Test("the body and the clock go before processes, tasks after them")
    mutating func kinds() {
        agenda.insert(SimulatedChoice(actor: .task(1), kind: .resumption), "task")
        insert(1)
        agenda.insert(SimulatedChoice(actor: .timers, kind: .timer), "timers")
        agenda.insert(SimulatedChoice(actor: .body, kind: .resumption), "body")
        let actors = agenda.choices().map(\.actor)
        #expect(actors.prefix(2) == [.body, .timers])
        #expect(actors.last == .task(1))
    }

    @Test("who was inserted since can be asked for")
    mutating func since() {
        insert(1)
        let count = agenda.insertionCount
        insert(2)
        let old = agenda.hasNew(of: .process(Pid(node: "agenda", id: 1, creation: 1)), since: count)
        let new = agenda.hasNew(of: .process(Pid(node: "agenda", id: 2, creation: 1)), since: count)
        #expect(!old && new)
    }
}
