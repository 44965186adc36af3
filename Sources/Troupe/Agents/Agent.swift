//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A process around a value: others look at it and change it with functions, which run in the
/// process, one at a time and in the order in which they arrive.
///
/// ```swift
/// let counts = try node.spawn(Agent<[String: Int]>.self, { [:] })
/// try await counts.update { $0["a", default: 0] += 1 }
/// let total = try await counts.get { $0.values.reduce(0, +) }
/// try await counts.stop()
/// ```
///
/// It is started, linked, named, monitored and stopped as every ``GenServer``; what it is started with
/// is a function that makes the value. The value need not be `Sendable`: it never leaves the process.
///
/// A function that throws ends the agent, with the error as its reason, and whoever waits for it gets
/// `.exited(_)`. For a failure that the agent shall survive, return a `Result` from the function.
///
/// - Source: Elixir's `Agent`.
public struct Agent<State>: GenServer {
    /// Makes the value.
    public typealias Argument = @Sendable () throws -> State
    /// Changes the value, without an answer; see ``ServerRef/cast(_:)``.
    public typealias Cast = @Sendable (inout State) throws -> Void

    /// A function to run on the value while somebody waits; made by the operations on a
    /// ``ServerRef``.
    public struct Call: Sendable {
        fileprivate let body: @Sendable (inout State) throws -> Void
    }

    fileprivate var state: State

    /// Makes the value. If that throws there is no agent.
    public init(_ argument: Argument, process: ServerProcess) throws {
        state = try argument()
    }

    /// Runs a function that somebody waits for.
    public mutating func handleCall(
        _ request: Call, from: From<Void>, process: ServerProcess
    ) throws -> CallResult<Void> {
        try request.body(&state)
        return .reply(())
    }

    /// Runs a function that nobody waits for.
    public mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        try message(&state)
    }
}

extension ServerRef {
    /// Looks at the value of an agent. Elixir: `Agent.get/3`.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most. The function may run all the same, later.
    ///   - body: runs in the agent; keep it short, as others wait. What it throws ends the agent.
    /// - Returns: what the function returns.
    /// - Throws: ``CallError`` — `.exited(_)` with what the function threw, among others.
    @inlinable
    public func get<State, Result: Sendable>(
        timeout: Duration = .seconds(5), _ body: @escaping @Sendable (State) throws -> Result
    ) async throws(CallError) -> Result where Server == Agent<State> {
        try await getAndUpdate(timeout: timeout) { state in try body(state) }
    }

    /// Changes the value of an agent, and returns when that is done. Elixir: `Agent.update/3`.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most. The value may be changed all the same, later.
    ///   - body: runs in the agent; keep it short, as others wait. What it throws ends the agent.
    /// - Throws: ``CallError`` — `.exited(_)` with what the function threw, among others.
    @inlinable
    public func update<State>(
        timeout: Duration = .seconds(5), _ body: @escaping @Sendable (inout State) throws -> Void
    ) async throws(CallError) where Server == Agent<State> {
        try await getAndUpdate(timeout: timeout, body)
    }

    /// Changes the value of an agent and returns something of it. Elixir: `Agent.get_and_update/3`.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most. The value may be changed all the same, later.
    ///   - body: runs in the agent; keep it short, as others wait. What it throws ends the agent.
    /// - Returns: what the function returns.
    /// - Throws: ``CallError`` — `.exited(_)` with what the function threw, among others.
    public func getAndUpdate<State, Result: Sendable>(
        timeout: Duration = .seconds(5), _ body: @escaping @Sendable (inout State) throws -> Result
    ) async throws(CallError) -> Result where Server == Agent<State> {
        let answer = AgentAnswer<Result>()
        try await call(
            Agent<State>.Call { state in answer.value = try body(&state) }, timeout: timeout)
        guard let value = answer.value else {
            preconditionFailure("an agent replies after it has run the function")
        }
        return value
    }
}

/// Where a function leaves what it returns.
private final class AgentAnswer<Value: Sendable>: @unchecked Sendable {
    // Unchecked: `value` is written by the agent before it replies, and read by the caller only
    // after the reply.

    var value: Value?
}
