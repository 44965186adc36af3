//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Where a process finds its names in the registry: the hashes of those that it was registered under.
///
/// The registry alone knows who holds a name, and takes one away without touching the process. So a hash
/// may be left whose name is gone; and it is there twice when the name was registered again. Every name
/// that the process holds has its hash here.
struct NameTrail: Sendable {
    /// 0 for none. Nearly always there is at most one.
    var first: UInt32 = 0
    /// Those that came after it, in order.
    var others: [UInt32] = []

    /// The first look for hashes that can be forgotten.
    private static let othersMin = 16

    var isEmpty: Bool { first == 0 }

    /// Each hash once, in the order in which the names were last registered.
    var hashes: [UInt32] {
        if others.isEmpty { return isEmpty ? [] : [first] }
        var (seen, latest) = (Set<UInt32>(), [UInt32]())
        for hash in others.reversed() where seen.insert(hash).inserted { latest.append(hash) }
        if !seen.contains(first) { latest.append(first) }
        return latest.reversed()
    }

    /// A name was registered.
    ///
    /// - Parameter isHeld: whether the process holds a name with this hash. Asked so seldom that the cost
    ///   is constant, amortised.
    mutating func append(_ hash: UInt32, isHeld: (UInt32) -> Bool) {
        // A process that gets one name after the other needs no memory for that.
        if isEmpty || others.isEmpty && (hash == first || !isHeld(first)) {
            first = hash
            return
        }
        others.append(hash)
        let count = others.count
        guard count >= Self.othersMin, count & (count - 1) == 0 else { return }
        let held = hashes.filter(isHeld)
        self = NameTrail(first: held.first ?? 0, others: Array(held.dropFirst()))
    }
}

extension ProcessCore {
    var names: NameTrail {
        NameTrail(first: firstName, others: relations?.rare?.otherNames ?? [])
    }

    /// The process was registered; see ``NameTrail/append(_:isHeld:)``.
    mutating func wasNamed(_ hash: UInt32, isHeld: (UInt32) -> Bool) {
        if firstName == 0 {
            // As the trail of nearly every process begins, and ends.
            firstName = hash
            return
        }
        var trail = NameTrail(first: firstName)
        if let rare = relations?.rare { swap(&trail.others, &rare.otherNames) }
        trail.append(hash, isHeld: isHeld)
        firstName = trail.first
        if !trail.others.isEmpty { makeRelations().makeRare().otherNames = trail.others }
    }
}
