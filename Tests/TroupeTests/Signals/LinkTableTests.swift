//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Link table: a pure table")
struct LinkTableTests {
    struct Partner: Addressed, Hashable {
        let pid: Pid
    }

    enum Operation: CaseIterable { case link, unlink, signal }

    /// All sequences of a length over two partners.
    static func sequences(_ length: Int) -> [[(Operation, Int)]] {
        guard length > 0 else { return [[]] }
        return sequences(length - 1).flatMap { head in
            Operation.allCases.flatMap { operation in
                (0..<2).map { head + [(operation, $0)] }
            }
        }
    }

    @Test("agrees with a set over every sequence of five operations on two partners")
    func model() {
        let partners = (1...2).map { Partner(pid: Pid(node: "n", id: $0, creation: 1)) }
        for sequence in Self.sequences(5) {
            var table = LinkTable<Partner>()
            var model: Set<Partner> = []
            for (operation, index) in sequence {
                let partner = partners[index]
                let pid = partner.pid
                switch operation {
                case .link: #expect(table.linked(partner) == model.insert(partner).inserted)
                case .unlink: #expect(table.unlinked(pid) == (model.remove(partner) != nil))
                // A signal counts once, and only while its link is there.
                case .signal:
                    #expect(table.signalArrived(from: pid) == (model.remove(partner) != nil))
                }
                #expect(Set(table.pids) == Set(model.map { $0.pid }))
                #expect(table.isEmpty == model.isEmpty)
            }
            var told: [Partner] = []
            table.ended { told.append($0) }
            #expect(told.count == model.count && Set(told) == model)
            #expect(table.isEmpty)
        }
    }
}
