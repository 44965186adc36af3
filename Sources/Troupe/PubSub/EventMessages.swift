//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Something that was published. Arrives in `handleInfo` or `receive` of every subscriber.
///
/// - Source: Ergo's `gen.MessageEvent`.
public struct MessageEvent<Message: Sendable>: Sendable {
    /// The name of the event.
    public let event: String
    /// 1 for the first message of the event, 2 for the second, and so on: who misses a number has
    /// lost a message to a full mailbox.
    public let number: UInt64
    /// When it was published, by the node's clock.
    public let instant: NodeClock.Instant
    /// What was published.
    public let message: Message
}

/// Tells the producer of an event that there is a subscriber now, and was none before. Arrives in
/// `handleInfo` or `receive`, if ``EventOptions/notifiesProducer`` is set.
///
/// - Source: Ergo's `gen.MessageEventStart`.
public struct MessageEventStart: Sendable, Hashable {
    /// The name of the event.
    public let event: String
}

/// Tells the producer of an event that its last subscriber has gone. Arrives in `handleInfo` or
/// `receive`, if ``EventOptions/notifiesProducer`` is set.
///
/// - Source: Ergo's `gen.MessageEventStop`.
public struct MessageEventStop: Sendable, Hashable {
    /// The name of the event.
    public let event: String
}

/// Tells a subscriber that the event is over; comes after everything that was published. Arrives in
/// `handleInfo` or `receive`.
///
/// - Source: Ergo's `gen.MessageDownEvent`.
public struct MessageEventDown: Sendable, Equatable {
    /// The name of the event.
    public let event: String
    /// Why its producer has ended; `.shutdown(EventUnregistered())` when it was unregistered.
    public let reason: ExitReason
}

/// As ``MessageEventDown``, for a subscriber that is linked with the event and traps exits.
///
/// - Source: Ergo's `gen.MessageExitEvent`.
public struct MessageEventExit: Sendable, Equatable {
    /// The name of the event.
    public let event: String
    /// Why its producer has ended; `.shutdown(EventUnregistered())` when it was unregistered.
    public let reason: ExitReason
}

/// What is in the reason with which an event ends that was unregistered.
///
/// - Source: Ergo's `gen.ErrUnregistered`.
public struct EventUnregistered: Hashable, Sendable, CustomStringConvertible {
    init() {}

    /// Says what happened.
    public var description: String { "the event was unregistered" }
}
