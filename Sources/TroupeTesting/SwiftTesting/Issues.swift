//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Testing
internal import Troupe

/// Runs `body` so that the issues that it records, such as expectations that are not met, are kept
/// instead of reported: a simulation repeats what fails, and reports it once.
///
/// Outside of a test nothing is kept.
func collectingIssues<Result: Sendable>(
    _ body: @escaping @Sendable (_ issues: @escaping @Sendable () -> [String]) async -> Result
) async -> Result {
    guard let test = Test.current else { return await body { [] } }
    let issues = LockBox<[String]>([])
    let result = LockBox<Result?>(nil)
    let trait = IssueHandlingTrait.compactMapIssues { issue in
        issues.lock.withLock { $0.append(issue.description) }
        return nil
    }
    do {
        try await trait.provideScope(for: test, testCase: Test.Case.current) {
            let value = await body { issues.lock.withLock { $0 } }
            result.lock.withLock { $0 = value }
        }
    } catch {
        preconditionFailure("what does not throw has thrown \(error)")
    }
    guard let value = result.lock.withLock({ $0 }) else {
        preconditionFailure("the scope of a trait runs what it is given")
    }
    return value
}

/// A lock that closures can share.
final class LockBox<Value: Sendable>: Sendable {
    let lock: Lock<Value>
    init(_ value: Value) { lock = Lock(value) }
}

/// Attaches the traces of a failure to the test that runs, if one does.
func attach(_ failure: SimulationFailure) {
    guard Test.current != nil else { return }
    Attachment.record(failure.trace.description, named: "seed-\(failure.seed).txt")
    Attachment.record(failure.trace.mermaid, named: "seed-\(failure.seed).mmd")
}
