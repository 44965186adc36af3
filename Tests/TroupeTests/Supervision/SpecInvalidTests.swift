//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Checks of supervisor specifications")
struct SpecInvalidTests {
    private static func mistake(_ path: [String], _ kind: SpecMistake.Kind) -> SpecMistake {
        SpecMistake(path: path, kind: kind)
    }

    @Test("a specification without mistakes passes")
    func valid() throws {
        let spec = SupervisorSpec(
            limit: RestartLimit(0), autoShutdown: .anySignificant, stuckAfter: .seconds(1),
            killGrace: .zero
        ) {
            ChildSpec.worker(
                "a", restart: .transient, shutdown: .timeout(.zero), isSignificant: true)
            ChildSpec.worker("b", shutdown: .brutalKill, options: .init(name: "b"))
            ChildSpec.supervisor("inner", name: "inner") { ChildSpec.worker("a") }
        }
        #expect(spec.mistakes == [])
        try spec.check()
        try SupervisorSpec(children: []).check()
    }

    @Test("every kind of mistake is found")
    func everyKind() {
        let backoffs = [
            RestartBackoff(from: .zero, upTo: .seconds(1)),
            RestartBackoff(from: .seconds(-1), upTo: .seconds(1)),
            RestartBackoff(from: .seconds(2), upTo: .seconds(1)),
            RestartBackoff(from: .seconds(1), upTo: .seconds(2), factor: 0.5),
            RestartBackoff(from: .seconds(1), upTo: .seconds(2), factor: 101),
            RestartBackoff(from: .seconds(1), upTo: .seconds(2), factor: -.infinity),
            RestartBackoff(from: .seconds(1), upTo: .seconds(2), jitter: -0.1),
            RestartBackoff(from: .seconds(1), upTo: .seconds(2), jitter: 1.1),
            RestartBackoff(from: .seconds(1), upTo: .seconds(2), resetAfter: .zero),
        ]
        for backoff in backoffs {
            let spec = SupervisorSpec { ChildSpec.worker("a", recovery: .init(backoff: backoff)) }
            #expect(spec.mistakes == [Self.mistake(["a"], .backoffInvalid(backoff))])
        }
        for broken in [Double.nan, .infinity] {
            for backoff in [
                RestartBackoff(from: .seconds(1), upTo: .seconds(2), factor: broken),
                RestartBackoff(from: .seconds(1), upTo: .seconds(2), jitter: broken),
            ] {
                let spec = SupervisorSpec {
                    ChildSpec.worker("a", recovery: .init(backoff: backoff))
                }
                #expect(spec.mistakes.count == 1)
            }
        }
        for limit in [
            RestartLimit(-1), RestartLimit(1, within: .zero), RestartLimit(1, within: .seconds(-1)),
        ] {
            #expect(
                SupervisorSpec(limit: limit, children: []).mistakes == [
                    Self.mistake([], .limitInvalid(limit))
                ])
            let budget = SupervisorSpec { ChildSpec.worker("a", recovery: .init(budget: limit)) }
            #expect(budget.mistakes == [Self.mistake(["a"], .limitInvalid(limit))])
        }
        let negative = Duration.seconds(-1)
        #expect(
            SupervisorSpec(stuckAfter: negative, children: []).mistakes == [
                Self.mistake([], .durationNegative(negative))
            ])
        #expect(SupervisorSpec(stuckAfter: .zero, children: []).mistakes.count == 1)
        #expect(
            SupervisorSpec(killGrace: negative, children: []).mistakes == [
                Self.mistake([], .durationNegative(negative))
            ])
        let long = String(repeating: "x", count: 256)
        for name in ["", long] {
            let spec = SupervisorSpec { ChildSpec.worker("a", options: .init(name: name)) }
            #expect(spec.mistakes == [Self.mistake(["a"], .nameInvalid(name))])
        }
        for capacity in [0, -1, Int.max] {
            let spec = SupervisorSpec {
                ChildSpec.worker("a", options: .init(mailbox: .init(capacity: capacity)))
            }
            #expect(spec.mistakes == [Self.mistake(["a"], .mailboxCapacityInvalid(capacity))])
        }
        // A name of two children, however deep they are.
        let names = SupervisorSpec {
            ChildSpec.worker("a", options: .init(name: "x"))
            ChildSpec.supervisor("b") { ChildSpec.worker("c", options: .init(name: "x")) }
        }
        #expect(names.mistakes == [Self.mistake(["b", "c"], .nameTaken("x"))])
    }

    @Test("all mistakes are named at once, in the order of the specification, with where they are")
    func several() {
        let limit = RestartLimit(-1)
        let spec = SupervisorSpec(limit: limit) {
            ChildSpec.worker("", isSignificant: true)
            ChildSpec.worker("a")
            ChildSpec.supervisor("inner", limit: limit) {
                ChildSpec.worker("b", shutdown: .timeout(.seconds(-2)))
                ChildSpec.worker("b")
                ChildSpec.supervisor("deep") { ChildSpec.worker("") }
            }
            ChildSpec.worker("a")
        }
        let expected = [
            Self.mistake([], .limitInvalid(limit)),
            Self.mistake([""], .idEmpty),
            Self.mistake([""], .significantPermanent),
            Self.mistake([""], .significantWithoutAutoShutdown),
            Self.mistake(["inner"], .limitInvalid(limit)),
            Self.mistake(["inner", "b"], .durationNegative(.seconds(-2))),
            Self.mistake(["inner", "b"], .idTaken("b")),
            Self.mistake(["inner", "deep", ""], .idEmpty),
            Self.mistake(["a"], .idTaken("a")),
        ]
        #expect(spec.mistakes == expected)
        #expect(throws: SpecInvalid(mistakes: expected)) { try spec.check() }
        let text = SpecInvalid(mistakes: expected).description
        #expect(text.contains("child \"inner/deep/\": the id is empty"))
        #expect(text.hasPrefix("the specification is not valid: supervisor: -1 restarts"))
        #expect(text.split(separator: ";").count >= expected.count)
    }

    @Test("a mistake in an inner supervisor keeps the outer one from starting anything")
    func nested() async throws {
        try await withNode { node in
            let log = Log<String>()
            let spec = SupervisorSpec {
                ChildSpec.worker("a", log)
                ChildSpec.supervisor("inner") { ChildSpec.worker("", log) }
            }
            let failure = await spawnFailure { () async throws(SpawnError) in
                try await node.spawn(Supervisor.self, spec)
            }
            let mistake = Self.mistake(["inner", ""], .idEmpty)
            #expect(failure == .initFailed(.error(SpecInvalid(mistakes: [mistake]))))
            #expect(log.elements == [] && node.count == 0)
        }
    }
}
