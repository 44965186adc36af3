//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Relations of a process")
struct RelationsTests {
    @Test("take no more memory than is freed without a lock")
    func size() {
        #expect(Relations.byteCount <= 120)
        for capacity in [
            MessageQueue.firstCapacity(of: Int8.self), MessageQueue.firstCapacity(of: Int.self),
            MessageQueue.firstCapacity(of: (Int, Int, Int, Int, Int).self),
        ] {
            #expect((2...8).contains(capacity))
        }
        #expect(MessageQueue.firstCapacity(of: InlineArray<16, Int>.self) == 1)
    }

    @Test("hold what they refer to until they are released")
    func release() {
        final class Observed: Sendable {}
        weak var seen: Observed?
        let relations = Relations()
        do {
            let observed = Observed()
            seen = observed
            relations.makeRare().continuations = [observed]
        }
        #expect(seen != nil)
        relations.release()
        #expect(seen == nil)
    }
}
