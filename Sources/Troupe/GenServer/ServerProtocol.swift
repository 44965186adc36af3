//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The types that both kinds of server name; conform to ``GenServer`` or ``AsyncGenServer``.
///
/// Usually none of them has to be written out: Swift takes them from the signatures of `init` and
/// the handlers. A server without calls, or without casts, leaves the handler away.
public protocol ServerProtocol: SendableMetatype {
    /// What `init` is given. `Void` for none.
    associatedtype Argument: Sendable
    /// The requests that are answered.
    associatedtype Call: Sendable
    /// The answer to a ``Call``.
    associatedtype Reply: Sendable
    /// The messages that are not answered.
    associatedtype Cast: Sendable
    /// The requests of plain, non-process code. The same as ``Call`` unless you say otherwise.
    associatedtype Direct: Sendable
    /// The answer to a ``Direct``.
    associatedtype DirectReply: Sendable
}
