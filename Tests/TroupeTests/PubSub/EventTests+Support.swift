//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

/// A published number, in a form that can be compared.
struct SeenEvent: Equatable, Sendable {
    let number: UInt64
    let message: Int

    init(_ number: UInt64, _ message: Int) {
        self.number = number
        self.message = message
    }

    init(_ event: MessageEvent<Int>) { self.init(event.number, event.message) }
}

extension Process {
    /// The next message, which has to be a published number.
    func receiveEvent() async throws -> SeenEvent {
        SeenEvent(try #require(try await receive() as? MessageEvent<Int>))
    }
}
