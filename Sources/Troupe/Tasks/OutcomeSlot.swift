//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The outcome of a task as a pure value: what its body has returned, and whether its owner has asked
/// for it.
///
/// The two come in any order, and each at most once. What the body has returned wins over the reason
/// with which the process ends, as in Elixir, where the reply is sent before the end.
struct OutcomeSlot<Value> {
    private var value: Value?
    private(set) var isClaimed = false

    init() {}

    /// The body has returned, and nobody had told it to end before.
    mutating func bodyReturned(_ value: Value) {
        self.value = value
    }

    /// The owner asks for the outcome, whether it is there or not.
    ///
    /// - Returns: false when it has been asked for before.
    mutating func claimed() -> Bool {
        if isClaimed { return false }
        isClaimed = true
        return true
    }

    /// Whether the body has returned.
    var hasValue: Bool { value != nil }

    /// The process has ended: the outcome, to be handed over. The value is not kept.
    mutating func handedOver(_ reason: ExitReason) -> Result<Value, ExitReason> {
        defer { value = nil }
        return value.map { .success($0) } ?? .failure(reason)
    }
}

extension OutcomeSlot: Sendable where Value: Sendable {}
