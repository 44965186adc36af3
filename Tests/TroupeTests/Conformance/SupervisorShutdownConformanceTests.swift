//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Conformance: significant children of a supervisor", .timeLimit(.minutes(4)))
struct SupervisorShutdownConformanceTests {
    private static let ends: [(Restart, ExitReason)] = [
        (.transient, .normal), (.transient, .shutdown), (.transient, .shutdown("x")),
        (.temporary, .normal), (.temporary, .shutdown), (.temporary, .killed),
        (.temporary, .custom("x")),
    ]

    /// - Source: `significant_simple`, `significant_temporary`, `significant_transient`.
    @Test("SUP-53 the end of a significant child ends the supervisor", arguments: ends)
    func any(restart: Restart, reason: ExitReason) async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise(
                autoShutdown: .anySignificant,
                [
                    .worker("c1", log), .worker("c2", log, restart: restart, isSignificant: true),
                    .worker("c3", log),
                ])
            try await node.end(tree.pid(of: "c2"), reason)
            #expect(try await tree.exitReason == .shutdown)
            #expect(log.elements.suffix(2) == ["-c3 shutdown", "-c1 shutdown"])
            #expect(node.count == 0)
        }
    }

    /// - Source: `significant_simple`, `significant_temporary`, `significant_transient`.
    @Test("SUP-54 the end of the last significant child ends the supervisor", arguments: ends)
    func all(restart: Restart, reason: ExitReason) async throws {
        try await withNode { node in
            let log = Log<String>()
            let tree = try await node.supervise(
                autoShutdown: .allSignificant,
                [
                    .worker("c1", log, restart: restart, isSignificant: true),
                    .worker("c2", log, restart: restart, isSignificant: true),
                    .worker("c3", log),
                ])
            try await node.end(tree.pid(of: "c2"), reason)
            #expect(node.isAlive(try await tree.pid(of: "c1")))
            try await node.end(tree.pid(of: "c1"), reason)
            #expect(try await tree.exitReason == .shutdown)
            #expect(log.elements.last == "-c3 shutdown")
        }
    }

    /// - Source: `significant_bystander`.
    @Test(
        "SUP-55 a significant transient child that fails is started again",
        arguments: [AutoShutdown.anySignificant, .allSignificant])
    func crash(autoShutdown: AutoShutdown) async throws {
        try await withNode { node in
            let tree = try await node.supervise(
                autoShutdown: autoShutdown,
                [.worker("c1", restart: .transient, isSignificant: true)])
            let pid = try await tree.pid(of: "c1")
            try await node.end(pid)
            #expect(try await tree.pid(of: "c1") != pid)
            try await node.end(tree.pid(of: "c1"), .normal)
            #expect(try await tree.exitReason == .shutdown)
        }
    }

    /// - Source: `significant_upgrade_child` and the manual's note on `terminate_child/2`.
    @Test(
        "SUP-56 a significant child that is terminated does not end the supervisor",
        arguments: [AutoShutdown.anySignificant, .allSignificant], [Restart.transient, .temporary])
    func terminated(autoShutdown: AutoShutdown, restart: Restart) async throws {
        try await withNode { node in
            let tree = try await node.supervise(
                autoShutdown: autoShutdown,
                [.worker("c1", restart: restart, isSignificant: true), .worker("c2")])
            try await tree.terminateChild("c1")
            #expect(try await tree.ids == (restart == .temporary ? ["c2"] : ["c1", "c2"]))
            #expect(node.isAlive(try await tree.pid(of: "c2")))
        }
    }

    /// - Source: `nonsignificant_temporary`, `nonsignificant_transient` of the shutdown cases.
    @Test(
        "SUP-58 the end of a child that is not significant does not end the supervisor",
        arguments: [AutoShutdown.never, .anySignificant, .allSignificant],
        [Restart.transient, .temporary])
    func notSignificant(autoShutdown: AutoShutdown, restart: Restart) async throws {
        try await withNode { node in
            let tree = try await node.supervise(
                autoShutdown: autoShutdown, [.worker("c1", restart: restart), .worker("c2")])
            try await node.end(tree.pid(of: "c1"), .normal)
            #expect(node.isAlive(try await tree.pid(of: "c2")))
        }
    }

    /// - Source: `significant_bad_combination`-like cases of `check_childspec`.
    @Test("SUP-59 a significant child needs auto-shutdown, and cannot be permanent")
    func combination() async throws {
        try await withNode { node in
            let tree = try await node.supervise([])
            for restart in [Restart.transient, .temporary] {
                let child = ChildSpec.worker("c1", restart: restart, isSignificant: true)
                await #expect(
                    throws: SupervisorError.specInvalid(
                        SpecInvalid(mistakes: [
                            SpecMistake(path: ["c1"], kind: .significantWithoutAutoShutdown)
                        ]))
                ) { try await tree.startChild(child) }
                let spec = SupervisorSpec(children: [child])
                let failure = await spawnFailure { () async throws(SpawnError) in
                    try await node.spawn(Supervisor.self, spec)
                }
                #expect(failure == .initFailed(.error(SpecInvalid(mistakes: spec.mistakes))))
            }
            let permanent = ChildSpec.worker("c1", isSignificant: true)
            for autoShutdown in [AutoShutdown.anySignificant, .allSignificant] {
                let spec = SupervisorSpec(autoShutdown: autoShutdown, children: [permanent])
                #expect(
                    spec.mistakes == [SpecMistake(path: ["c1"], kind: .significantPermanent)])
            }
            #expect(try await tree.whichChildren() == [])
        }
    }

    /// - Source: `significant_escalation`.
    @Test(
        "SUP-60 a significant inner supervisor that shuts down takes the outer one along",
        arguments: [true, false])
    func escalation(isSignificant: Bool) async throws {
        try await withNode { node in
            let outer = try await node.supervise(
                autoShutdown: .anySignificant,
                [
                    .supervisor(
                        "inner", name: "inner", autoShutdown: .anySignificant, restart: .transient,
                        isSignificant: isSignificant
                    ) {
                        ChildSpec.worker("c1", restart: .transient, isSignificant: true)
                    }
                ])
            let inner = try #require(node.whereis("inner", as: Supervisor.self))
            try await node.end(inner.pid(of: "c1"), .normal)
            #expect(try await inner.exitReason == .shutdown)
            if isSignificant {
                #expect(try await outer.exitReason == .shutdown)
            } else {
                #expect(try await outer.status(of: "inner") == .stopped)
            }
        }
    }
}
