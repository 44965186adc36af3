//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Held: an object that is kept")
struct HeldTests {
    private final class Thing {}

    /// Expectations cannot capture what is not copyable.
    private final class Keeper {
        private let held: Held<Thing>

        init(_ thing: consuming Thing?) { held = Held(thing) }

        func isThing(_ thing: Thing) -> Bool? { held.withObject { $0 === thing } }
        func isIdentical(to thing: Thing?) -> Bool { held.isIdentical(to: thing) }
    }

    @Test("an object lives as long as it is held")
    func life() {
        weak var thing: Thing?
        var keeper: Keeper?
        do {
            let new = Thing()
            (thing, keeper) = (new, Keeper(new))
        }
        #expect(thing != nil)
        withExtendedLifetime(keeper) {}
        keeper = nil
        #expect(thing == nil)
    }

    @Test("it is itself, and none is none")
    func identity() {
        let (thing, other) = (Thing(), Thing())
        #expect(Keeper(thing).isThing(thing) == true)
        #expect(Keeper(thing).isIdentical(to: thing))
        #expect(!Keeper(thing).isIdentical(to: other) && !Keeper(thing).isIdentical(to: nil))
        #expect(Keeper(nil).isIdentical(to: nil) && !Keeper(nil).isIdentical(to: thing))
        #expect(Keeper(nil).isThing(thing) == nil)
    }
}
