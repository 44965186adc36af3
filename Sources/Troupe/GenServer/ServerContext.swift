//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A server's view of its own process: the last argument of every callback.
///
/// Inside a server it is written ``ServerProtocol/ServerProcess``, without naming the server again.
/// A function that serves several servers takes `some ProcessContext`, or is generic over `Server`.
public struct ServerContext<Server: ServerProtocol>: ProcessContext {
    /// The process object; not for use outside Troupe.
    public let _handle: ProcessHandle

    @inlinable
    init(_ cell: ProcessCell) {
        self._handle = ProcessHandle(cell)
    }

    /// A typed reference to this server itself, to give to others.
    public var ref: ServerRef<Server> { ServerRef(cell) }

    /// Reports a message as unhandled, as the default `handleInfo` does.
    public func reportUnhandled(_ message: any Sendable) {
        cell.node.emit(.unhandledMessage) {
            .unhandledMessage(
                pid, behaviour: cell.traits.typeName, type: "\(type(of: message as Any))")
        }
    }

    /// Waits for a while; the server handles no message meanwhile. For ``AsyncGenServer``.
    ///
    /// - Throws: ``ExitReason`` when the process has been told to end.
    public func sleep(for duration: Duration) async throws(ExitReason) {
        try await cell.sleep(for: duration)
    }
}

@available(*, unavailable, message: "only the process itself may use it")
extension ServerContext: Sendable {}
