//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe
import TroupeTesting

/// What subjects tell a probe.
enum Note: Sendable, Equatable {
    case hello
    case number(Int)
    case text(String)
    case at(Duration)
}

/// A server that does what a test says.
struct Subject: GenServer {
    enum Call: Sendable { case ping, hold(tell: Pid?) }
    enum Cast: Sendable {
        case tell(Pid, Note)
        case stop(ExitReason)
        case crash
        case run(@Sendable () -> Void)
    }
    struct Crash: Error, Hashable {}

    var held: [From<Int>] = []

    init(_: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        switch request {
        case .ping: return .reply(1)
        case .hold(let pid):
            held.append(from)
            if let pid { try? process.send(Note.hello, to: pid) }
            return .noReply
        }
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .tell(let pid, let note): try process.send(note, to: pid)
        case .stop(let reason): throw reason
        case .crash: throw Crash()
        case .run(let body): body()
        }
    }
}

/// Options of a node whose crashes are not written to standard error.
let quiet = NodeOptions(events: NoEvents())
