//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A value that is unique on its node for ever, and across nodes by name and creation.
///
/// A node counts its references with 64 bits: at ten million a second they repeat after 58,000
/// years.
///
/// - Source: OTP's `make_ref/0`.
public struct Reference: Hashable, Sendable {
    @usableFromInline let nodeName: NodeName
    @usableFromInline let creation: UInt32
    @usableFromInline let id: UInt64

    init(nodeName: NodeName, creation: UInt32, id: UInt64) {
        self.nodeName = nodeName
        self.creation = creation
        self.id = id
    }
}

extension Reference: CustomStringConvertible {
    /// `#Ref<node.creation.number>`.
    public var description: String { "#Ref<\(nodeName.index).\(creation).\(id)>" }
}

/// Names one monitor: what ``ProcessContext/monitor(_:tag:)`` returned and a ``MessageDown``
/// carries.
public struct MonitorRef: Hashable, Sendable, CustomStringConvertible {
    /// The reference as such.
    public let reference: Reference

    /// The description of the reference.
    public var description: String { reference.description }
}

/// A second address of a process, which its owner can switch off.
///
/// Messages sent to an alias reach its owner until the owner removes the alias or ends. It tells
/// nothing about the owner. Use it to give away an address that shall not work for ever.
///
/// - Source: OTP's `alias/0` and `unalias/1`.
public struct Alias: Hashable, Sendable, CustomStringConvertible {
    /// The reference as such.
    public let reference: Reference

    /// The description of the reference.
    public var description: String { reference.description }
}
