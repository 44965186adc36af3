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
    /// What the server tells itself to do next; see ``ServerContext/continue(with:)``.
    associatedtype Continue: Sendable

    /// The server's view of its own process: the last argument of every callback.
    typealias ServerProcess = ServerContext<Self>

    /// Describes the state, for ``ServerRef/status(timeout:)`` and for crash reports.
    ///
    /// The default returns nil: then `status` shows the state as Swift prints it, and a crash report
    /// does not show it at all. What this returns appears in both, so leave secrets out. When it
    /// throws, a fixed text takes its place.
    ///
    /// - Source: `format_status` of OTP's `gen_server`.
    func formatStatus() throws -> String?
}

extension ServerProtocol {
    /// Leaves the description of the state to the default.
    @inlinable
    public func formatStatus() throws -> String? { nil }
}
