//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing
import Troupe
import TroupeTesting

@Suite("A test probe", .timeLimit(.minutes(1)))
struct TestProbeTests {
    @Test("takes what is wanted and leaves the rest, in its order")
    func takes() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node)
            for note in [Note.hello, .number(1), .number(2)] { try node.send(note, to: probe.pid) }
            try node.send("text", to: probe.pid)
            try node.send(7, to: probe.pid)
            #expect(try await probe.next(Note.self) { $0 == .number(2) } == .number(2))
            #expect(try await probe.next(Int.self) == 7)
            #expect(try await probe.next(Note.self) == .hello)
            #expect(try await probe.next(Note.self) == .number(1))
            #expect(try await probe.next() as? String == "text")
            try await probe.expectNoMessage(for: .zero)
            #expect(probe.received.count == 5)
            #expect(probe.received.compactMap { $0 as? Note } == [.hello, .number(1), .number(2)])
        }
    }

    @Test("waits for what comes later")
    func waits() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node)
            let subject = try node.spawn(Subject.self)
            async let note = probe.next(Note.self) { $0 == .number(3) }
            for number in 1...3 { try subject.cast(.tell(probe.pid, .number(number))) }
            #expect(try await note == .number(3))
            #expect(try await probe.next(Note.self) == .number(1))
        }
    }

    @Test("one message goes to one of two that wait")
    func twoWait() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node)
            async let first = probe.next(Int.self)
            async let second = probe.next(Int.self)
            try node.send(1, to: probe.pid)
            try node.send(2, to: probe.pid)
            #expect(try await Set([first, second]) == [1, 2])
        }
    }

    @Test("a timeout says what was awaited, where, and what came instead")
    func timeout() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node, name: "teller")
            let subject = try node.spawn(Subject.self)
            try node.send("early", to: probe.pid)
            #expect(try await probe.next(String.self) { $0 == "early" } == "early")
            try node.send(Note.hello, to: probe.pid)
            try await probe.send(0, to: probe.pid)
            #expect(try await probe.next(Int.self) == 0)
            // It comes while the probe waits: its first look is what sends it.
            var hasAsked = false
            let error = await #expect(throws: ProbeError.self) {
                try await probe.next(Note.self, within: .seconds(2)) { note in
                    if !hasAsked, note == .hello {
                        hasAsked = true
                        for _ in 1...2 { try? subject.cast(.tell(probe.pid, .number(1))) }
                        try? subject.cast(.tell(probe.pid, .text("secret")))
                    }
                    return false
                }
            }
            guard case .timeout(let timeout) = error else { return }
            #expect(timeout.arrived == ["Note.number", "Note.number", "Note.text"])
            #expect(timeout.kept == ["Note.hello"])
            #expect(timeout.waited == .seconds(2))
            let text = "\(timeout)"
            #expect(
                text.hasPrefix("probe \"teller\" \(probe.pid) waited 2.0 seconds for Note that"))
            #expect(text.contains("TestProbeTests.swift:"))
            #expect(text.contains("; what arrived: 2 × Note.number, Note.text; "))
            #expect(text.hasSuffix("what was there before: Note.hello"))
        }
    }

    @Test("a timeout without any message says so")
    func nothing() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node)
            let error = await #expect(throws: ProbeError.self) {
                try await probe.next(Note.self, within: .milliseconds(1))
            }
            #expect("\(try #require(error))".hasSuffix("; nothing arrived"))
        }
    }

    @Test("no message is expected: one that was not taken fails, and one that comes")
    func noMessage() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node)
            try await probe.expectNoMessage(for: .milliseconds(1))
            try node.send(Note.hello, to: probe.pid)
            let kept = await #expect(throws: ProbeError.self) {
                try await probe.expectNoMessage(for: .zero)
            }
            #expect("\(try #require(kept))".hasSuffix(", and got Note.hello"))
            try await probe.next(Note.self)

            let subject = try node.spawn(Subject.self)
            try node.send(Note.number(1), to: .pid(probe.pid), after: .milliseconds(5))
            let come = await #expect(throws: ProbeError.self) {
                try await probe.expectNoMessage(for: .seconds(60))
            }
            #expect("\(try #require(come))".hasSuffix(", and got Note.number"))
            #expect(try await subject.call(.ping) == 1)
        }
    }

    @Test("monitors, and is linked without dying")
    func signals() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node)
            let subject = try node.spawn(Subject.self)
            let ref = try await probe.monitor(subject.pid)
            try await probe.link(subject.pid)
            try subject.cast(.crash)
            let exit = try await probe.next(MessageExit.self)
            #expect(exit.from == subject.pid && exit.reason == .error(Subject.Crash()))
            let down = try await probe.next(MessageDown.self)
            #expect(down.ref == ref && down.reason == .error(Subject.Crash()))
            #expect(node.isAlive(probe.pid))
            await #expect(throws: SignalError.processUnknown(subject.pid)) {
                try await probe.link(subject.pid)
            }
            let error = await #expect(throws: ProbeError.self) {
                _ = try await probe.monitor(subject.pid)
                // When this has been done the DOWN has been, too.
                try await probe.unlink(subject.pid)
                try await probe.next(Int.self, within: .milliseconds(20))
            }
            #expect("\(try #require(error))".contains("MessageDown(\(subject.pid): noproc)"))
        }
    }

    @Test("an unlinked process ends without a word")
    func unlinked() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node)
            let subject = try node.spawn(Subject.self)
            try await probe.link(subject.pid)
            try await probe.unlink(subject.pid)
            try await expectExit(of: subject.pid, on: node) { try subject.cast(.crash) }
            try await probe.expectNoMessage(for: .zero)
        }
    }

    @Test("sends in its own name, after what it has sent before")
    func sends() async throws {
        try await withNode(options: quiet) { node in
            let (probe, other) = (try TestProbe(on: node), try TestProbe(on: node, name: "other"))
            for number in 1...100 { try await probe.send(number, to: "other") }
            try await probe.send(Note.hello, to: other.pid)
            try await other.next(Note.self)
            #expect(other.received.compactMap { $0 as? Int } == Array(1...100))
            await other.stop()
            await #expect(throws: SendError<Int>.self) { try await probe.send(1, to: "other") }
        }
    }

    @Test("stopped, it is gone and keeps what it has got")
    func stopped() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node, name: "probe")
            #expect(throws: SpawnError.nameTaken("probe", by: probe.pid)) {
                try TestProbe(on: node, name: "probe")
            }
            try await probe.send(1, to: probe.pid)
            #expect(try await probe.next(Int.self) == 1)
            await probe.stop()
            await probe.stop()
            #expect(!node.isAlive(probe.pid) && node.count == 0)
            #expect(probe.received.count == 1)
            await #expect(throws: ProbeError.stopped(probe: "\(probe)")) {
                try await probe.send(1, to: probe.pid)
            }
        }
    }

    @Test("a cancelled wait takes nothing")
    func cancelled() async throws {
        try await withNode(options: quiet) { node in
            let probe = try TestProbe(on: node)
            let task = Task { try await probe.next(Int.self, within: .seconds(60)) }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            try node.send(1, to: probe.pid)
            #expect(try await probe.next(Int.self) == 1)
        }
    }

    @Test("works under simulation, where a timeout takes no time")
    func simulated() async throws {
        try await withSimulation(seed: 7) { simulation in
            let node = try simulation.node()
            let probe = try TestProbe(on: node)
            let subject = try node.spawn(Subject.self)
            try subject.cast(.tell(probe.pid, .number(1)))
            #expect(try await probe.next(Note.self) == .number(1))
            try node.send(Note.hello, to: .pid(probe.pid), after: .seconds(60))
            try await probe.expectNoMessage(for: .seconds(59))
            #expect(try await probe.next(Note.self) == .hello)
            #expect(simulation.now >= .seconds(60))
            let error = await #expect(throws: ProbeError.self) {
                try await probe.next(Note.self, within: .seconds(3_600))
            }
            #expect("\(try #require(error))".hasSuffix("; nothing arrived"))
            #expect(
                try await expectExit(of: subject.pid, on: node) { try subject.cast(.crash) }
                    == .error(Subject.Crash()))
        }
    }
}
