//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The environments of the applications of a node: what was set, and what of it for good.
///
/// - Source: OTP's `application:set_env/4`, `load/1`, `unload/1`.
struct ApplicationEnvironments: Sendable {
    private struct Entry: Sendable {
        var values = Environment()
        /// What comes before the specification, and stays when the application is unloaded.
        var persistent = Environment()
    }

    private var entries: [String: Entry] = [:]

    /// What the application sees now.
    subscript(name: String) -> Environment { entries[name]?.values ?? Environment() }

    /// What an application with these parts sees; the first that has a value counts.
    func merged(_ names: [String]) -> Environment {
        names.reversed().reduce(Environment()) { $0.merging(self[$1]) }
    }

    /// Sets or removes a value.
    mutating func change(
        _ name: String, persistently: Bool, _ change: (inout Environment) -> Void
    ) {
        var entry = entries[name] ?? Entry()
        change(&entry.values)
        if persistently { change(&entry.persistent) }
        store(entry, name)
    }

    /// The application is loaded: its specification counts more than what was set before, and less
    /// than what was set persistently.
    mutating func load(_ name: String, _ environment: Environment) {
        var entry = entries[name] ?? Entry()
        entry.values = entry.values.merging(environment).merging(entry.persistent)
        store(entry, name)
    }

    mutating func unload(_ name: String) {
        guard var entry = entries[name] else { return }
        entry.values = entry.persistent
        store(entry, name)
    }

    /// Puts another environment in the place of the present one; persistent values stay.
    ///
    /// - Returns: the one before and the one after.
    mutating func replace(
        _ name: String, with environment: Environment
    ) -> (old: Environment, new: Environment) {
        var entry = entries[name] ?? Entry()
        let old = entry.values
        entry.values = environment.merging(entry.persistent)
        store(entry, name)
        return (old, entry.values)
    }

    private mutating func store(_ entry: Entry, _ name: String) {
        entries[name] = entry.values.isEmpty && entry.persistent.isEmpty ? nil : entry
    }
}

/// What a node knows of its applications without asking their controller.
final class ApplicationStore: Sendable {
    private struct State: Sendable {
        var environments = ApplicationEnvironments()
        /// The masters, with the names of all parts of their applications, the own one first.
        var leaders: [(leader: ProcessCell, names: [String])] = []
        var controller: ServerRef<ApplicationController>?
    }

    /// Rank 0: the lock of a process may be taken within.
    private let state = Lock(State())

    var controller: ServerRef<ApplicationController>? { state.withLock { $0.controller } }

    /// Makes this the controller, unless there is another by now.
    ///
    /// - Parameter old: who was before.
    /// - Returns: who it is.
    func setController(
        _ new: ServerRef<ApplicationController>, after old: ServerRef<ApplicationController>?
    ) -> ServerRef<ApplicationController> {
        state.withLock { state in
            if let current = state.controller, current != old { return current }
            state.controller = new
            return new
        }
    }

    func environment(of name: String) -> Environment { state.withLock { $0.environments[name] } }

    /// Changes environments, and lets those see it whom it concerns.
    func changeEnvironments<Result>(
        _ body: (inout ApplicationEnvironments) -> Result
    ) -> Result {
        state.withLock { state in
            let result = body(&state.environments)
            for (leader, names) in state.leaders {
                let merged = state.environments.merged(names)
                leader.withCore { $0.environment = merged }
            }
            return result
        }
    }

    /// From now on the leader has the environment of these.
    func adopt(_ leader: ProcessCell, _ names: [String]) {
        state.withLock { state in
            let merged = state.environments.merged(names)
            leader.withCore { $0.environment = merged }
            state.leaders.append((leader, names))
        }
    }

    func dismiss(_ leader: Pid) {
        state.withLock { state in state.leaders.removeAll { $0.leader.pid == leader } }
    }

    /// The application whose master this is.
    func application(ledBy leader: Pid) -> String? {
        state.withLock { state in state.leaders.first { $0.leader.pid == leader }?.names.first }
    }

    /// The node has stopped.
    func clear() {
        state.withLock { state in
            state.leaders = []
            state.controller = nil
        }
    }
}
