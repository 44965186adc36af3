//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

extension ProcessOptions {
    static let trapping = ProcessOptions(trapsExits: true)
}

extension ExitReason {
    /// One or more of every kind.
    static let examples: [ExitReason] = [
        .normal, .shutdown, .shutdown("x"), .kill, .killed, .noProcess, .noConnection, .noProxy,
        .error(TestError(1)), .custom("reason"),
    ]
}

/// A process that traps exits and is linked to another, to see what comes over the link.
struct Observer: Sendable {
    let process: ProcessRef<[MessageExit]>
    private let log: Log<MessageExit>

    fileprivate init(_ process: ProcessRef<[MessageExit]>, _ log: Log<MessageExit>) {
        self.process = process
        self.log = log
    }

    /// What has come so far.
    var seen: [MessageExit] { log.elements }

    /// Waits for `count` exits, ends the observer and returns all that it got.
    ///
    /// Its end is an ordinary message, so whatever was sent to it before is in the answer.
    func exits(waitingFor count: Int = 1) async throws -> [MessageExit] {
        _ = await log.wait(for: count)
        try process.send(Observer.End())
        return try await process.value
    }

    fileprivate struct End: Sendable {}
}

extension Node {
    /// A process that receives for ever.
    func idle(_ options: ProcessOptions = .default) throws -> ProcessRef<Never> {
        try spawn(options: options) { process in
            while true { _ = try await process.receive() }
        }
    }

    /// A process that is linked to `target` when this returns, and else idle.
    func partner(
        of target: Pid, _ options: ProcessOptions = .default
    ) async throws -> ProcessRef<Never> {
        let isLinked = Gate()
        let process = try spawn(options: options) { process -> Never in
            try process.link(to: target, opening: isLinked)
            while true { _ = try await process.receive() }
        }
        await isLinked.wait()
        return process
    }

    /// A process that is linked to `target` when this returns and takes down the exits it traps.
    func observe(_ target: Pid) async throws -> Observer {
        let isLinked = Gate()
        let log = Log<MessageExit>()
        let process = try spawn(options: .trapping) { process in
            try process.link(to: target, opening: isLinked)
            while true {
                switch try await process.receive() {
                case let exit as MessageExit: log.append(exit)
                case is Observer.End: return log.elements
                case let other: Issue.record("unexpected \(type(of: other as Any))")
                }
            }
        }
        await isLinked.wait()
        return Observer(process, log)
    }
}

extension Process {
    /// Links, and opens the gate also when that throws.
    func link(to target: Pid, opening gate: Gate) throws {
        defer { gate.open() }
        try link(to: target)
    }

    /// The next message, if it is an exit.
    func receiveExit() async throws(ExitReason) -> MessageExit? {
        try await receive() as? MessageExit
    }

    /// The exits that are in the mailbox, which must hold nothing else.
    func remainingExits() async throws -> [MessageExit] {
        var exits: [MessageExit] = []
        while let message = try await receive(timeout: .zero) {
            exits.append(try #require(message as? MessageExit))
        }
        return exits
    }

    /// Whether the mailbox is empty.
    func hasNothing() async throws(ExitReason) -> Bool {
        try await receive(timeout: .zero) == nil
    }
}

extension ProcessRef where Value == Never {
    /// Whether the process still receives: it ends when it is told to, and not before.
    var isWell: Bool { cell.withCore { $0.lifecycle.stopReason == nil } }
}

/// Stops processes that end with ``reason`` just before their signals leave: they are not alive any
/// more and hold nothing, and nobody has been told.
///
/// They need threads of their own, as a thread is blocked meanwhile.
struct HeldEnds: EventSink {
    static let reason = ExitReason.custom("held")
    static let options = ProcessOptions(ownThread: true)

    let hasEnded = Gate()
    let release = Gate()

    var kinds: EventKind { .exited }

    func receive(_ event: Event) {
        guard case .exited(_, Self.reason) = event else { return }
        hasEnded.open()
        release.waitBlocking()
    }

    /// Runs `body` with a node whose ends are held.
    static func withNode(_ body: (Node, HeldEnds) async throws -> Void) async throws {
        let ends = HeldEnds()
        try await TroupeTests.withNode(NodeOptions(events: ends)) { node in
            try await body(node, ends)
        }
    }
}

/// Says that it has begun to end, and blocks its thread before it does.
struct SlowToEnd: GenServer {
    struct Argument: Sendable { let isTerminating = Gate(), gate = Gate() }

    let argument: Argument

    init(_ argument: Argument, process: ServerProcess) { self.argument = argument }

    mutating func terminate(reason: ExitReason, process: ServerProcess) {
        argument.isTerminating.open()
        argument.gate.waitBlocking()
    }
}
