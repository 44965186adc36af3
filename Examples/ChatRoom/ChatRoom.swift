//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// A room is a process that listens to topics: who joins, and who says what. It monitors its members,
// so nobody has to say good-bye: one that crashes has left, and the others are told.
import Troupe

struct Join: Sendable {
    let name: String
    let member: Pid
}

struct Line: Sendable {
    let name: String
    let text: String
}

/// The room: it ends when the last member has left, and returns what was said.
@Sendable
func room(_ process: Process) async throws -> [String] {
    enum Step {
        case joined(Join)
        case said(Line)
        case left(MonitorRef)
    }
    let joins = process.listen("join", of: Join.self)
    let lines = process.listen("say", of: Line.self)
    let events = process.listenForEvents()
    var members: [MonitorRef: Join] = [:]
    var transcript: [String] = []

    func tellAll(_ line: String) {
        transcript.append(line)
        print(line)
        for join in members.values { try? process.send(line, to: .pid(join.member), topic: "room") }
    }

    repeat {
        let step: Step? = try await process.select(
            .receive(joins) { .joined($0) },
            .receive(lines) { .said($0) },
            .receive(events) { event in
                guard case .down(let down) = event else { throw ExitReason.shutdown }
                return .left(down.ref)
            })
        switch step {
        case .joined(let join):
            tellAll("\(join.name) comes in")
            members[process.monitor(join.member)] = join
        case .said(let line):
            tellAll("\(line.name): \(line.text)")
        case .left(let ref):
            if let join = members.removeValue(forKey: ref) { tellAll("\(join.name) has left") }
        case nil:
            break
        }
    } while !members.isEmpty
    return transcript
}

/// A member: says what it has to say when it is its turn, which it learns from what the others say.
@Sendable
func member(
    _ name: String, in room: Destination, answers: [String: String], lastWords: String?,
    _ process: Process
) async throws {
    let heard = process.listen("room", of: String.self)
    try process.send(Join(name: name, member: process.pid), to: room, topic: "join")
    for try await line in heard {
        guard let answer = answers[line] else { continue }
        try process.send(Line(name: name, text: answer), to: room, topic: "say")
        // The room has it before it learns that this member has crashed.
        if answer == lastWords { throw ExitReason.custom("fell off the chair") }
        if answer == "good night" { return }
    }
}

@main
enum Main {
    static func main() async throws {
        let node = try Node(name: "chat", options: .init(events: NoEvents()))
        let room = try node.spawn(options: .init(name: "room"), room)
        let scripts: [(name: String, answers: [String: String], lastWords: String?)] = [
            // Whoever comes second is heard coming in by the first.
            ("Ada", ["Bob comes in": "hello", "Bob has left": "good night"], nil),
            ("Bob", ["Ada: hello": "watch this", "Ada comes in": "watch this"], "watch this"),
        ]
        for script in scripts {
            try node.spawn { process in
                try await member(
                    script.name, in: "room", answers: script.answers, lastWords: script.lastWords,
                    process)
            }
        }
        let transcript = try await room.value
        print("\(transcript.count) lines; the room is empty")
        await node.stop()
    }
}
