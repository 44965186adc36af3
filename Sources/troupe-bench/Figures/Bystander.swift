//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// Takes what it gets and does nothing with it; a call tells that everything before has come.
struct Bystander: GenServer {
    enum Call: Sendable { case sync }

    private var count = 0

    init(_ argument: Void, process: ServerProcess) {}

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> {
        .reply(count)
    }

    mutating func handleCast(_ message: Load, process: ServerProcess) {
        count += 1
    }

    mutating func handleInfo(_ message: any Sendable, process: ServerProcess) throws {
        guard message is Signal else { throw FigureError.unexpectedMessage("\(message)") }
        count += 1
    }
}
