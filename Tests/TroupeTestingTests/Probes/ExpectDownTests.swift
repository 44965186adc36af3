//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("Expected ends", .timeLimit(.minutes(1)))
struct ExpectDownTests {
    @Test("the reason is returned, and nothing is left")
    func reason() async throws {
        try await withNode(options: quiet) { node in
            let subject = try node.spawn(Subject.self)
            async let reason = expectDown(of: subject.pid, on: node)
            // Monitored before it ends, so that the reason is not `noproc`.
            while node.info(subject.pid)?.monitoredBy.isEmpty == true { await Task.yield() }
            node.exit(subject.pid, .shutdown(7))
            #expect(try await reason == .shutdown(7))
            #expect(node.count == 0)
            #expect(try await expectDown(of: subject.pid, on: node) == .noProcess)
        }
    }

    @Test("a reason that is expected, by value or by a condition")
    func expected() async throws {
        try await withNode(options: quiet) { node in
            let subjects = try (0..<4).map { _ in try node.spawn(Subject.self) }
            let probe = try TestProbe(on: node)
            for subject in subjects {
                try subject.cast(.tell(probe.pid, .hello))
                try await probe.next(Note.self)
            }
            async let first = expectDown(of: subjects[0].pid, on: node, reason: .shutdown)
            async let second = expectDown(of: subjects[1].pid, on: node) { $0.isClean }
            // Both are monitored before the processes end, so that neither sees `noproc`.
            for subject in subjects.prefix(2) {
                while node.info(subject.pid)?.monitoredBy.isEmpty == true { await Task.yield() }
                try subject.cast(.stop(.shutdown))
            }
            #expect(try await first == .shutdown)
            #expect(try await second == .shutdown)

            let other = await #expect(throws: ExpectationError.self) {
                try await expectExit(of: subjects[2].pid, on: node, reason: .normal) {
                    try subjects[2].cast(.stop(.shutdown))
                }
            }
            let text = "\(try #require(other))"
            #expect(text.hasPrefix("\(subjects[2].pid) was to end with normal at "))
            #expect(text.hasSuffix("and ended with shutdown"))
            let unmatched = await #expect(throws: ExpectationError.self) {
                try await expectDown(of: subjects[2].pid, on: node) { $0 == .killed }
            }
            #expect("\(try #require(unmatched))".contains("a reason that matches"))
        }
    }

    @Test("what ends the process runs after it is monitored")
    func exits() async throws {
        try await withNode(options: quiet) { node in
            let subject = try node.spawn(Subject.self)
            let reason = try await expectExit(of: subject.pid, on: node) {
                try subject.cast(.crash)
                // It is over before this closure is.
                _ = try await subject.exitReason
            }
            #expect(reason == .error(Subject.Crash()))
            #expect(node.count == 0)
        }
    }

    @Test("nothing runs when there is no process, and what the closure throws is thrown")
    func problems() async throws {
        try await withNode(options: quiet) { node in
            let subject = try node.spawn(Subject.self)
            await #expect(throws: Subject.Crash()) {
                try await expectExit(of: subject.pid, on: node) { throw Subject.Crash() }
            }
            #expect(node.count == 1)
            try await subject.stop()
            var hasRun = false
            let error = await #expect(throws: ExpectationError.self) {
                try await expectExit(of: subject.pid, on: node) { hasRun = true }
            }
            #expect(!hasRun)
            #expect("\(try #require(error))".hasSuffix("there is no such process"))
        }
    }

    @Test("of a process that lives the error says what it does")
    func lives() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node)
            let subject = try node.spawn(Subject.self, options: ProcessOptions(name: "subject"))
            let waiting = await #expect(throws: ExpectationError.self) {
                try await expectDown(of: subject.pid, on: node, within: .milliseconds(1))
            }
            let text = "\(try #require(waiting))"
            #expect(text.hasPrefix("\(subject.pid) was to end within 0.001 seconds at "))
            #expect(
                text.hasSuffix(
                    "it is \"subject\", a Subject, waiting for a message, "
                        + "with 0 messages in its mailbox"))

            let caller = try node.spawn { process in
                try await subject.call(.hold(tell: probe.pid), timeout: .seconds(60))
            }
            try await probe.next(Note.self)
            try node.send(1, to: caller.pid)
            let busy = await #expect(throws: ExpectationError.self) {
                try await expectDown(of: caller.pid, on: node, within: .milliseconds(1))
            }
            #expect(
                "\(try #require(busy))".hasSuffix(
                    "it is a closure, running, waiting for a reply of \(subject.pid), "
                        + "with 1 message in its mailbox"))
            #expect(node.count == 3)
        }
    }

    @Test("works under simulation")
    func simulated() async throws {
        try await withSimulation(seed: 3) { simulation in
            let node = try simulation.node()
            let subject = try node.spawn(Subject.self)
            let error = await #expect(throws: ExpectationError.self) {
                try await expectDown(of: subject.pid, on: node, within: .seconds(3_600))
            }
            #expect("\(try #require(error))".contains("waiting for a message"))
            node.exit(subject.pid, .shutdown)
            try await expectDown(of: subject.pid, on: node) {
                $0 == .shutdown || $0 == .noProcess
            }
        }
    }
}
