//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The active aliases of a node's processes.
final class AliasTable: Sendable {
    /// Rank 2: locked alone or within the lock of a process.
    private let owners = Lock<[UInt64: ProcessCell]>([:])

    func insert(_ id: UInt64, owner: ProcessCell) {
        owners.withLock { $0[id] = owner }
    }

    func remove(_ id: UInt64) {
        owners.withLock { $0[id] = nil }
    }

    func find(_ id: UInt64) -> ProcessCell? {
        owners.withLock { $0[id] }
    }

    var count: Int { owners.withLock { $0.count } }
}
