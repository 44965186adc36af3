//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The identity of a process: its node, a number, and the node's creation.
///
/// A pid says who, it does not keep anybody alive, and it can be sent, stored, compared and encoded.
/// It is never reused: the pid of an ended process stays the pid of an ended process.
///
/// It prints like an OTP pid, `<0.12.0>`: a number for the node (0 for the first node that this
/// program named), the process number, and the serial that grows when a number is used again.
///
/// - Source: OTP's `pid()`; the three parts are those of the distribution protocol's `NEW_PID_EXT`.
public struct Pid: Hashable, Sendable {
    @usableFromInline let nodeName: NodeName

    /// Which life of the node the process belongs to.
    ///
    /// A node that is started again under the same name has another creation, so an old pid is
    /// recognised instead of naming a stranger.
    public let creation: UInt32

    /// The process on its node: the serial in the upper, the process number in the lower 32 bits.
    public let id: UInt64

    @inlinable
    init(nodeName: NodeName, creation: UInt32, id: UInt64) {
        self.nodeName = nodeName
        self.creation = creation
        self.id = id
    }

    /// Makes the pid that these three parts name, for example one that was stored as text.
    ///
    /// No such process needs to exist.
    public init(node: String, id: UInt64, creation: UInt32) {
        self.init(nodeName: NodeName(node), creation: creation, id: id)
    }

    /// The name of the node that the process runs on.
    public var node: String { nodeName.text }
}

extension Pid: CustomStringConvertible, CustomDebugStringConvertible {
    /// `<node.number.serial>`, as OTP prints it.
    public var description: String {
        "<\(nodeName.index).\(UInt32(truncatingIfNeeded: id)).\(id >> 32)>"
    }

    /// The description with the node's name and creation: `<0.12.0>@demo/7`.
    public var debugDescription: String { "\(description)@\(node)/\(creation)" }
}

extension Pid: Codable {
    private enum CodingKeys: CodingKey {
        case node, id, creation
    }

    /// Decodes a pid that ``encode(to:)`` wrote, in this or another program.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            node: try container.decode(String.self, forKey: .node),
            id: try container.decode(UInt64.self, forKey: .id),
            creation: try container.decode(UInt32.self, forKey: .creation))
    }

    /// Encodes the node's name, the id and the creation under these keys.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(node, forKey: .node)
        try container.encode(id, forKey: .id)
        try container.encode(creation, forKey: .creation)
    }
}
