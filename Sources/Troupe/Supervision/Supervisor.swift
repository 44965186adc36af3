//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A process that starts others, and starts them again when they fail.
///
/// ```swift
/// let tree = try await node.spawn(Supervisor.self, SupervisorSpec(strategy: .oneForOne) {
///     ChildSpec(Counter.self, 0, name: "counter")
///     ChildSpec(Fetcher.self, url, name: "fetcher", restart: .transient)
/// })
/// let counter = node.server(Counter.self, named: "counter")
/// try counter.cast(.increment(by: 2))
/// ```
///
/// The children are started one by one, in order, and ended in reverse order. When one fails, the
/// strategy says which are started again; after more restarts than the limit allows the supervisor
/// ends them all and itself, with `.shutdown`, and leaves the decision to its own supervisor.
///
/// A child is reached by its name, which every instance registers anew; see ``NamedServer``.
///
/// A supervisor cannot interrupt a callback that does not return. A child that does not even end
/// after a kill is reported as stuck and left behind, and the supervisor goes on without it.
///
/// - Source: OTP's `supervisor`.
public struct Supervisor: AsyncGenServer, SupervisorBehaviour {
    /// What the supervisor is asked for; made by the operations on its ``ServerRef``.
    public struct Request: Sendable {
        let kind: SupervisorRequest
    }

    private var driver: SupervisorDriver

    var children: [ChildInfo] { driver.children }

    /// Checks the specification, then starts the children.
    ///
    /// - Throws: ``SpecInvalid``; or `.shutdown(ChildStartFailure)` for the first child that does
    ///   not start, and then those before it have been ended again.
    public init(_ spec: SupervisorSpec, process: ServerProcess) async throws {
        driver = try await SupervisorDriver(spec, process)
    }

    /// Does what it is asked for.
    public mutating func handleCast(_ message: Request, process: ServerProcess) async throws {
        try await driver.handle(message.kind, process)
    }

    /// Takes note of children that have ended.
    public mutating func handleInfo(
        _ message: any Sendable, process: ServerProcess
    ) async throws {
        if try await !driver.handle(message, process) { process.reportUnhandled(message) }
    }

    /// Ends the children, the newest first.
    public mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        try await driver.endAll(process)
    }
}
