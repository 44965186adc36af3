//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The name of a node as a number, so that a ``Pid`` is two words without reference counts.
///
/// Names are interned for the life of the program, as Erlang's atoms are. The table grows by one
/// entry for every different node name that the program names or decodes, and never shrinks.
@usableFromInline
struct NodeName: Hashable, Sendable {
    /// Position in the intern table; also the first number of a printed pid.
    @usableFromInline let index: UInt32

    private static let table = Lock(Table())

    private struct Table {
        var names: [String] = []
        var indices: [String: UInt32] = [:]
        /// The last creation given to a node of each name.
        var creations: [UInt32: UInt32] = [:]
    }

    init(_ text: String) {
        self.index = Self.table.withLock { table in
            if let index = table.indices[text] { return index }
            let index = UInt32(table.names.count)
            table.names.append(text)
            table.indices[text] = index
            return index
        }
    }

    var text: String {
        Self.table.withLock { $0.names[Int(index)] }
    }

    /// A creation that no earlier node of this name in this program has, and that differs from
    /// those of earlier runs unless they began within the same second.
    func makeCreation(now: UInt32) -> UInt32 {
        Self.table.withLock { table in
            let creation = max(max(now, 1), (table.creations[index] ?? 0) &+ 1)
            table.creations[index] = creation
            return creation
        }
    }

    /// Notes a creation that a user chose, so that ``makeCreation(now:)`` does not repeat it.
    func note(creation: UInt32) {
        Self.table.withLock { table in
            table.creations[index] = max(creation, table.creations[index] ?? 0)
        }
    }
}
