//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import Troupe

/// Reads the clock of Troupe's timers.
func now() -> SuspendingClock.Instant { SuspendingClock.now }

/// How long `body` takes.
func timed(_ body: () async throws -> Void) async rethrows -> Duration {
    let start = now()
    try await body()
    return now() - start
}

/// What does not go as a figure has to.
enum FigureError: Error, CustomStringConvertible {
    case unexpectedMessage(String)
    case wrong(String)

    var description: String {
        switch self {
        case .unexpectedMessage(let text): "got the message \(text)"
        case .wrong(let text): text
        }
    }
}

/// Ends the figure unless `condition` is true.
func check(_ condition: Bool, _ text: @autoclosure () -> String) throws {
    if !condition { throw FigureError.wrong(text()) }
}

/// What processes of a figure tell each other besides their own messages.
enum Signal: Sendable {
    case go, done, acknowledged
}

extension Troupe.Process {
    /// The next message, which has to be of this type.
    func receive<Message: Sendable>(_ type: Message.Type) async throws -> Message {
        let message = try await receive()
        guard let expected = message as? Message else {
            throw FigureError.unexpectedMessage("\(message)")
        }
        return expected
    }

    /// Waits for this signal.
    func wait(for signal: Signal) async throws {
        let received = try await receive(Signal.self)
        try check(received == signal, "got the signal \(received) instead of \(signal)")
    }

    /// Lets what went before fade away.
    func settle() async throws {
        try await sleep(for: .milliseconds(200))
    }
}

/// The memory of this program that is in the machine's memory.
func residentSizeInBytes() throws -> Double {
    if let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) {
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        if let line, let kibibytes = firstNumber(in: line) { return kibibytes * 1024 }
    }
    let own = "\(ProcessInfo.processInfo.processIdentifier)"
    let text = try Subprocess.run("/bin/ps", ["-o", "rss=", "-p", own]).output
    guard let kibibytes = firstNumber(in: text) else {
        throw FigureError.wrong("neither /proc nor ps tells how much memory is used")
    }
    return kibibytes * 1024
}

/// The processor time that this program has taken.
func processorTime() throws -> Duration {
    var time = timespec()
    guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else {
        throw FigureError.wrong("the system does not tell how much processor time was taken")
    }
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}

/// Writes a line to standard error.
func note(_ text: String) {
    FileHandle.standardError.write(Data("\(text)\n".utf8))
}

private func firstNumber(in text: some StringProtocol) -> Double? {
    text.split(whereSeparator: { !$0.isNumber }).first.flatMap { Double($0) }
}
