//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The clock of a node: what its timers and deadlines go by.
///
/// It never goes back and has nothing to do with the time of day. While the computer sleeps it may
/// stand still, as the system's monotonic clock does.
public struct NodeClock: Clock, Sendable {
    /// A point in time, comparable with others of the same node only.
    public struct Instant: InstantProtocol {
        let nanoseconds: UInt64

        init(nanoseconds: UInt64) {
            self.nanoseconds = nanoseconds
        }

        /// The instant so much later. Negative goes back; beyond the ends of the clock it stays at
        /// the end.
        public func advanced(by duration: Duration) -> Instant {
            let span = duration.clampedNanoseconds
            if duration >= .zero { return Instant(nanoseconds: nanoseconds.addingSaturated(span)) }
            let back = (Duration.zero - duration).clampedNanoseconds
            return Instant(nanoseconds: nanoseconds > back ? nanoseconds - back : 0)
        }

        /// How long it is from this instant to `other`; negative when that is earlier.
        public func duration(to other: Instant) -> Duration {
            other.nanoseconds >= nanoseconds
                ? Duration.inNanoseconds(other.nanoseconds - nanoseconds)
                : .zero - Duration.inNanoseconds(nanoseconds - other.nanoseconds)
        }

        /// Whether the left one is earlier.
        public static func < (left: Instant, right: Instant) -> Bool {
            left.nanoseconds < right.nanoseconds
        }
    }

    let node: Node

    /// This instant.
    public var now: Instant { Instant(nanoseconds: node.scheduler.now) }

    /// One nanosecond; timers are good to about a millisecond.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Waits until an instant has come.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        if deadline > now {
            let alarm = ReplyCell(callee: node.pid(id: 0))
            await alarm.wait(deadline: deadline.nanoseconds, on: node.scheduler)
        }
        try Task.checkCancellation()
    }
}

extension Node {
    /// The clock that the node's timers go by.
    public var clock: NodeClock { NodeClock(node: self) }
}
