//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// An application made of closures, that writes down what is called.
struct TestApplication: Application {
    var spec: ApplicationSpec
    var log = Log<String>()
    var onStart: @Sendable (ApplicationContext) async throws -> Pid = { try $0.idle() }
    var onPhase: @Sendable (String, ApplicationContext) async throws -> Void = { _, _ in }
    var onPrepareStop: @Sendable (ApplicationContext) async -> Void = { _ in }
    var onStop: @Sendable (ApplicationContext) async -> Void = { _ in }
    var onChange: @Sendable (ApplicationConfigurationChange) async -> Void = { _ in }

    init(_ name: String, needs dependencies: [String] = [], log: Log<String> = Log()) {
        spec = ApplicationSpec(name: name, dependencies: dependencies)
        self.log = log
    }

    mutating func start(process: ApplicationContext) async throws -> Pid {
        log.append("start \(spec.name)")
        return try await onStart(process)
    }

    mutating func startPhase(_ phase: String, process: ApplicationContext) async throws {
        log.append("phase \(phase) \(process.application)")
        try await onPhase(phase, process)
    }

    mutating func prepareStop(process: ApplicationContext) async {
        log.append("prepareStop \(spec.name)")
        await onPrepareStop(process)
    }

    mutating func stop(process: ApplicationContext) async {
        log.append("stop \(spec.name)")
        await onStop(process)
    }

    mutating func configurationChanged(
        _ change: ApplicationConfigurationChange, process: ApplicationContext
    ) async {
        await onChange(change)
    }
}

extension ProcessContext {
    /// A linked process that receives for ever.
    func idle(_ options: ProcessOptions = .default) throws -> Pid {
        try spawnLinked(options: options) { process -> Never in
            while true { _ = try await process.receive() }
        }.pid
    }

    /// A linked process that ends with the first reason that it is sent.
    func mortal() throws -> Pid {
        try spawnLinked { process in
            while true {
                if let reason = try await process.receive() as? ExitReason { throw reason }
            }
        }.pid
    }
}

/// A stand-in for a supervisor: starts its children in order, and ends them in reverse order.
struct Tree: AsyncGenServer {
    struct Argument: Sendable {
        let children: [String]
        let log: Log<String>
        var failing: String?
    }

    struct FailedToStartChild: Hashable { let id: String, why: TestError }

    private let log: Log<String>
    private var children: [ServerRef<Leaf>] = []

    init(_ argument: Argument, process: ServerProcess) async throws {
        log = argument.log
        process.setTrapsExits(true)
        for name in argument.children {
            if name == argument.failing {
                throw ExitReason.shutdown(FailedToStartChild(id: name, why: TestError(8)))
            }
            children.append(try process.spawnLinked(Leaf.self, .init(name: name, log: log)))
        }
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) async throws {}

    mutating func terminate(reason: ExitReason, process: ServerProcess) async throws {
        for child in children.reversed() { try? await child.stop(.shutdown) }
        log.append("end tree")
    }
}

/// A server that says when it ends.
struct Leaf: GenServer {
    struct Argument: Sendable {
        let name: String
        let log: Log<String>
    }

    let argument: Argument

    init(_ argument: Argument, process: ServerProcess) { self.argument = argument }

    mutating func terminate(reason: ExitReason, process: ServerProcess) {
        argument.log.append("end \(argument.name)")
    }
}

extension Applications {
    func load(_ applications: [any Application]) async throws {
        for application in applications { try await load(application) }
    }

    /// The names of those that run.
    var runningNames: [String] {
        get async throws { try await running().map(\.name) }
    }

    func snapshot(_ name: String) async throws -> ApplicationSnapshot? {
        try await loaded().first { $0.name == name }
    }
}

extension ApplicationError {
    /// What an operation fails with; nil when it does not.
    static func thrown<Value>(
        _ body: () async throws(ApplicationError) -> Value
    ) async -> ApplicationError? {
        do {
            _ = try await body()
            return nil
        } catch { return error }
    }
}

/// Takes down what is reported of applications.
struct ApplicationEvents: EventSink {
    let log = Log<String>()

    var kinds: EventKind { [.applicationStarted, .applicationExited] }

    func receive(_ event: Event) {
        switch event {
        case .applicationStarted(let name, _): log.append("started \(name)")
        case .applicationExited(let exit):
            let how = exit.wasStopped ? "stopped" : "exited"
            log.append("\(how) \(exit.application) \(exit.reason) \(exit.mode)")
        default: break
        }
    }

    /// Runs `body` with a node whose applications are watched.
    static func withNode(
        _ body: (Node, Log<String>) async throws -> Void
    ) async throws {
        let events = ApplicationEvents()
        try await TroupeTests.withNode(NodeOptions(events: events)) { node in
            try await body(node, events.log)
        }
    }
}
