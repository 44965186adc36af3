//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Troupe

/// Waits until a process has ended, through a monitor.
///
/// ```swift
/// try await expectDown(of: worker.pid, on: node, reason: .shutdown)
/// ```
///
/// - Parameters:
///   - pid: the process. One that has ended before gives the reason `noProcess`, as in OTP; when
///     that can happen, use `expectExit(of:on:reason:within:_:)`.
///   - node: a node that the process runs on.
///   - reason: with which it has to end.
///   - limit: how long to wait at most; see ``TestProbe`` for the clock.
///   - fileID: for the error.
///   - line: for the error.
/// - Returns: the reason.
/// - Throws: ``ExpectationError`` when the process lives on, with what it does, or ends with
///   another reason; `SpawnError` when the node has stopped; `CancellationError`.
/// - Source: OTP's `monitor/2` and a `receive` of the DOWN; Akka's `expectTerminated`.
@discardableResult
public func expectDown(
    of pid: Pid, on node: Node, reason: ExitReason? = nil, within limit: Duration = .seconds(5),
    fileID: String = #fileID, line: Int = #line
) async throws -> ExitReason {
    let end = ExpectedEnd(
        pid: pid, limit: limit, expected: reason,
        location: CallLocation(fileID: fileID, line: line))
    return try await end.wait(on: node) { reason == nil || $0 == reason }
}

/// Waits until a process has ended, with a reason that matches.
///
/// - Parameters:
///   - pid: the process.
///   - node: a node that the process runs on.
///   - limit: how long to wait at most.
///   - fileID: for the error.
///   - line: for the error.
///   - isExpected: whether it is to end with this reason.
/// - Returns: the reason.
/// - Throws: as `expectDown(of:on:reason:within:)`.
@discardableResult
public func expectDown(
    of pid: Pid, on node: Node, within limit: Duration = .seconds(5), fileID: String = #fileID,
    line: Int = #line, where isExpected: (ExitReason) -> Bool
) async throws -> ExitReason {
    let end = ExpectedEnd(
        pid: pid, limit: limit, expected: nil,
        location: CallLocation(fileID: fileID, line: line))
    return try await end.wait(on: node, isExpected)
}

/// Does something that shall end a process, and waits until that has ended.
///
/// ```swift
/// let reason = try await expectExit(of: server.pid, on: node) { try server.cast(.crash) }
/// #expect(reason == .error(Crash()))
/// ```
///
/// The process is monitored before `body` runs, so that the real reason is known however soon it
/// ends.
///
/// - Parameters:
///   - pid: the process.
///   - node: a node that the process runs on.
///   - reason: with which it has to end; nil for any.
///   - limit: how long to wait at most when `body` has returned.
///   - fileID: for the error.
///   - line: for the error.
///   - body: what shall end the process.
/// - Returns: the reason.
/// - Throws: ``ExpectationError`` when there is no such process, it lives on, or ends with another
///   reason; what `body` throws; `SpawnError` when the node has stopped; `CancellationError`.
/// - Source: ExUnit's `catch_exit` and `assert_receive {:DOWN, …}`.
@discardableResult
public func expectExit(
    of pid: Pid, on node: Node, reason: ExitReason? = nil, within limit: Duration = .seconds(5),
    fileID: String = #fileID, line: Int = #line, _ body: () async throws -> Void
) async throws -> ExitReason {
    let end = ExpectedEnd(
        pid: pid, limit: limit, expected: reason,
        location: CallLocation(fileID: fileID, line: line))
    guard node.isAlive(pid) else { throw end.error(.noProcess) }
    return try await end.wait(on: node, after: body) { reason == nil || $0 == reason }
}

/// The end of a process that a test expects.
private struct ExpectedEnd {
    let pid: Pid
    let limit: Duration
    let expected: ExitReason?
    let location: CallLocation

    func wait(
        on node: Node, after body: () async throws -> Void = {},
        _ isExpected: (ExitReason) -> Bool
    ) async throws -> ExitReason {
        let probe = try TestProbe(on: node)
        do {
            let reason = try await reason(by: probe, after: body)
            await probe.stop()
            if isExpected(reason) { return reason }
            throw error(.otherReason(reason))
        } catch {
            await probe.stop()
            throw error
        }
    }

    private func reason(
        by probe: TestProbe, after body: () async throws -> Void
    ) async throws -> ExitReason {
        let ref = try await probe.monitor(pid)
        try await body()
        do {
            return try await probe.next(MessageDown.self, within: limit) { $0.ref == ref }.reason
        } catch ProbeError.timeout {
            throw error(.alive(probe.node.info(pid)))
        }
    }

    func error(_ cause: ExpectationError.Cause) -> ExpectationError {
        ExpectationError(
            pid: pid, waited: limit, cause: cause, expected: expected, location: location)
    }
}
