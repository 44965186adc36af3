//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Which children of a dynamic supervisor are to be started again, and when.
///
/// However many wait, the next one is found at once, and the others cost a logarithm.
struct RestartAgenda {
    struct Entry {
        let due: NodeClock.Instant
        /// Whether the limit knows of the attempt already.
        let isCounted: Bool
    }

    private struct Node {
        let due: NodeClock.Instant
        let number: UInt64

        static func < (left: Node, right: Node) -> Bool {
            (left.due, left.number) < (right.due, right.number)
        }
    }

    private var entries: [UInt64: Entry] = [:]
    /// A binary heap, the earliest first. A node that `entries` does not confirm is out of date; the
    /// first one never is.
    private var heap: [Node] = []

    /// The next one; of those that are due at the same time the child that is known longest.
    var next: (number: UInt64, entry: Entry)? {
        guard let number = heap.first?.number, let entry = entries[number] else { return nil }
        return (number, entry)
    }

    func contains(_ number: UInt64) -> Bool { entries[number] != nil }

    /// Puts a child on the agenda, in the place of what was there for it.
    mutating func insert(_ number: UInt64, _ entry: Entry) {
        entries[number] = entry
        heap.append(Node(due: entry.due, number: number))
        siftUp()
        removeOutdated()
    }

    mutating func remove(_ number: UInt64) {
        guard entries.removeValue(forKey: number) != nil else { return }
        removeOutdated()
    }

    // MARK: - The heap

    private mutating func removeOutdated() {
        if heap.count > 16, heap.count > entries.count * 2 {
            // What is sorted is a heap.
            heap = entries.map { Node(due: $0.value.due, number: $0.key) }.sorted(by: <)
        }
        while let first = heap.first, entries[first.number]?.due != first.due { removeFirst() }
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        if heap.isEmpty { return }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [parent * 2 + 1, parent * 2 + 2]
            where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private mutating func siftUp() {
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }
}
