//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

public import Troupe

/// A clock that stands still until a test moves it, for nodes that run on real threads: minutes
/// pass in no time, and none of them by accident.
///
/// ```swift
/// let time = VirtualClock()
/// try await withNode(clock: time) { node in
///     let session = try node.spawn(Session.self)
///     await time.run(for: .seconds(60))
///     …
/// }
/// ```
///
/// Everything of a node goes by its clock: timers, timeouts of calls, idle timeouts, sleeps, the
/// restart windows of supervisors. What happens because of that is done by the node's threads, as
/// always. So there are three ways to see the effects of time:
/// - ``run(for:settlingWithin:)`` lets time pass from timer to timer, and each time waits until all
///   has been done that follows. Nearly all tests want this.
/// - ``advance(by:)`` only lets the timers fire. What they send is handled later, on other threads:
///   wait for it with a ``TestProbe``, a call, ``expectDown(of:on:reason:within:fileID:line:)`` or
///   ``settle(within:)``.
/// - A test that waits in some other way, such as for the reply of a call, does so while another of
///   its tasks moves the time.
///
/// A timer has to be armed before its time can come: call ``settle(within:)`` before
/// ``advance(by:)`` if a process may still be about to arm it. One that is armed too late, for an
/// instant that has passed, fires at once.
///
/// The clock stands still, too, while a node is stopped: grace periods do not pass then, unless
/// `withNode` stops it.
///
/// - Source: Akka's `ManualTime`, tokio's `time::advance`; OTP has none.
public final class VirtualClock: Sendable {
    private let time = VirtualTime()

    /// Makes a clock. It begins at zero and stands still.
    public init() {}

    /// How much time has passed.
    public var now: Duration { time.now }

    /// When the next timer is due; nil when none is armed.
    public var nextTimer: Duration? { time.nextDeadline }

    /// Makes a scheduler with threads of its own whose clock this is, for `NodeOptions`.
    ///
    /// As with `Scheduler.threads(_:)` its threads run until `shutDown()`; `withNode` with a clock
    /// takes care of that.
    ///
    /// - Parameter threads: how many; 1 to 1,024, values outside are clamped.
    public func scheduler(threads: Int = 2) -> Scheduler { time.makeScheduler(threads: threads) }

    /// Lets time pass, and the timers fire that become due on the way, in the order of their
    /// deadlines; those with equal ones in the order in which they were armed.
    ///
    /// While a timer fires the clock shows its deadline. What a timer arms when it fires, such as
    /// the next time of one that repeats, fires as well if it comes due on the way; what a process
    /// arms when it handles the message of a timer is armed when that is handled.
    /// That is not waited for.
    ///
    /// Returns when the timers have fired, which is before what they have sent is handled. If
    /// somebody else moves the clock, waits for them first.
    ///
    /// - Parameter span: how much; negative counts as zero.
    public func advance(by span: Duration) { time.advance(by: span) }

    /// Lets time pass from one timer to the next, and before and after each waits as
    /// ``settle(within:)`` does.
    ///
    /// So what processes arm on the way comes due on the way as well: a process that sleeps for a
    /// second, again and again, does so 300 times in five minutes.
    ///
    /// - Parameters:
    ///   - span: how much time passes; negative counts as zero.
    ///   - limit: how long to wait each time at most, in real time.
    /// - Returns: false when the threads had something to do for longer than that, or the task was
    ///   cancelled. Then time has passed nevertheless.
    @discardableResult
    public func run(for span: Duration, settlingWithin limit: Duration = .seconds(5)) async -> Bool
    {
        let end = time.now + max(span, .zero)
        var isSettled = await settle(within: limit)
        while let next = time.nextDeadline, next <= end {
            time.advance(to: next)
            isSettled = await settle(within: limit) && isSettled
        }
        time.advance(to: end)
        return isSettled
    }

    /// Waits until the threads of all schedulers of this clock have nothing to do: until everything
    /// has been handled that was sent, and what remains waits for time to pass, or for something
    /// outside.
    ///
    /// What runs elsewhere is not waited for: tasks of the test, and what a process awaits that is
    /// no operation of Troupe.
    ///
    /// - Parameter limit: how long to wait at most, in real time.
    /// - Returns: false when the threads had something to do for longer than that, or the task was
    ///   cancelled.
    @discardableResult
    public func settle(within limit: Duration = .seconds(5)) async -> Bool {
        await time.settle(upTo: limit)
    }
}
