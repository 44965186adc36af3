//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What can happen next in a simulation, in an order that is the same in every run.
///
/// First comes what has been passed over least, then what has been possible longest. What has become
/// possible within one step is ordered by who does it: not by when it was said, which may depend on
/// the order of a dictionary.
struct SimulatedAgenda<Work> {
    private struct Item {
        let choice: SimulatedChoice
        let work: Work
        let step: UInt64
        let number: UInt64
        var passes = 0

        static func isBefore(_ left: Item, _ right: Item) -> Bool {
            if left.passes != right.passes { return left.passes < right.passes }
            if left.step != right.step { return left.step < right.step }
            let (one, other) = (left.choice.actor.rank, right.choice.actor.rank)
            return one != other ? one < other : left.number < right.number
        }
    }

    private var items: [Item] = []
    private var isSorted = true
    private var nextNumber: UInt64 = 0
    private var step: UInt64 = 0

    init() {}

    var isEmpty: Bool { items.isEmpty }

    /// Something has become possible.
    mutating func insert(_ choice: SimulatedChoice, _ work: Work) {
        items.append(Item(choice: choice, work: work, step: step, number: nextNumber))
        nextNumber += 1
        isSorted = false
    }

    /// Everything that is possible, in order.
    mutating func choices() -> [SimulatedChoice] {
        if !isSorted { items.sort(by: Item.isBefore) }
        isSorted = true
        return items.map(\.choice)
    }

    /// Takes one of the ``choices()``; with it begins a step. Those before it have been passed over.
    mutating func take(_ index: Int) -> (SimulatedChoice, Work) {
        step += 1
        for earlier in items.indices.prefix(index) { items[earlier].passes += 1 }
        if index > 0 { isSorted = false }
        let item = items.remove(at: index)
        return (item.choice, item.work)
    }

    /// How many insertions there have been.
    var insertionCount: UInt64 { nextNumber }

    /// Whether something of this actor was inserted after so many insertions, and is there still.
    func hasNew(of actor: SimulatedActor, since count: UInt64) -> Bool {
        items.contains { $0.number >= count && $0.choice.actor == actor }
    }
}

extension SimulatedActor {
    /// An order that is the same in every run.
    fileprivate var rank: (UInt8, UInt64, UInt32) {
        switch self {
        case .body: (0, 0, 0)
        case .timers: (1, 0, 0)
        // Within a simulation no two nodes have the same creation.
        case .process(let pid): (2, pid.id, pid.creation)
        case .task(let number): (3, UInt64(number), 0)
        }
    }
}
