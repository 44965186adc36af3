//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

extension Node {
    /// Runs `body` in a process of its own, and checks that nothing has arrived there that `body`
    /// did not receive.
    @discardableResult
    func inProcess<Value: Sendable>(
        _ options: ProcessOptions = .default,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: @escaping @Sendable (Process) async throws -> Value
    ) async throws -> Value {
        let process = try spawn(options: options) { process in
            let value = try await body(process)
            let rest = try await process.receive(timeout: .zero)
            #expect(rest == nil, "this came, too", sourceLocation: sourceLocation)
            return value
        }
        return try await process.value
    }

    /// A process that takes messages for ever.
    func spawnListener(_ options: ProcessOptions = .default) throws -> ProcessRef<Int> {
        try spawn(options: options) { process in
            while true { _ = try await process.receive() }
        }
    }

    /// A recorder whose handler is held up until the gate opens.
    func spawnBlocked(
        _ options: ProcessOptions
    ) async throws -> (server: ServerRef<Recorder>, log: Log<String>, gate: Gate) {
        let (log, gate, started) = (Log<String>(), Gate(), Gate())
        var options = options
        options.ownThread = true
        let server = try spawn(Recorder.self, .init(log), options: options)
        try server.cast { _ in
            started.open()
            gate.waitBlocking()
        }
        await started.wait()
        return (server, log, gate)
    }
}

/// A DOWN without the result, which cannot be compared.
struct SeenDown: Equatable, Sendable {
    let ref: MonitorRef
    let object: MonitoredObject
    let reason: ExitReason
}

extension Process {
    /// The next message, which has to be a DOWN.
    func receiveDown() async throws -> SeenDown {
        let down = try #require(try await receive() as? MessageDown)
        return SeenDown(ref: down.ref, object: down.object, reason: down.reason)
    }
}

extension ProcessCell {
    /// How many monitors this process holds.
    var monitorCount: Int { withCore { $0.relations?.monitors.count ?? 0 } }

    /// How many calls wait for a reply that this process has deferred.
    var deferredCallCount: Int { withCore { $0.relations?.rare?.deferredCalls.count ?? 0 } }
}
