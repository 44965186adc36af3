//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What a timer does when it is due. Called on the timer thread, without a lock.
protocol TimerTarget: AnyObject, Sendable {
    func timerFired()
}

/// Drives a ``TimerWheel`` from the monotonic clock: one thread, started with the first timer,
/// asleep until the next one is due. Or somebody else drives it, by a clock of their own, or moves
/// its time.
final class TimerService: Sendable {
    struct State: Sendable {
        var wheel: TimerWheel<any TimerTarget>
        /// Until when the thread sleeps; nil when it has not been started.
        var wakesAt: UInt64?
        var isShutDown = false
        let isDriven: Bool
        /// Of a service whose time somebody moves.
        var moved: MovedTime?

        mutating func insert(
            _ deadline: UInt64, _ target: any TimerTarget, _ wake: inout Wake
        ) -> TimerWheelToken {
            let token = wheel.insert(deadline: deadline, target)
            if let moved, deadline <= moved.now { wake = .fireLate }
            if isDriven { return token }
            guard let wakesAt else {
                self.wakesAt = 0
                wake = .start
                return token
            }
            // A thread that wakes up before anyway finds the new timer by itself.
            if deadline < wakesAt, let next = wheel.nextAdvance(), next < wakesAt {
                self.wakesAt = next
                wake = .wake
            }
            return token
        }
    }

    /// Protects the wheel and what an ``OwnedTimer`` says. A leaf: nothing else is locked while it is
    /// held.
    let state: Lock<State>
    private let parker = Parker()

    init() {
        self.state = Lock(
            State(wheel: TimerWheel(now: Platform.monotonicNanoseconds()), isDriven: false))
    }

    /// Timers without a thread, good to a nanosecond: whoever makes them calls
    /// ``takeDue(at:)``.
    ///
    /// - Parameter now: where their clock begins.
    init(drivenFrom now: UInt64) {
        self.state = Lock(State(wheel: TimerWheel(now: now, tickShift: 0), isDriven: true))
    }

    /// Timers without a thread, good to a nanosecond, with a time of their own that stands still
    /// until ``move(by:)``.
    init(movedFrom now: UInt64) {
        self.state = Lock(
            State(
                wheel: TimerWheel(now: now, tickShift: 0), isDriven: true,
                moved: MovedTime(now: now)))
    }

    /// When the next timer is due; nil when none is armed.
    func nextDeadline() -> UInt64? {
        state.withLock { $0.wheel.earliestDeadline() }
    }

    /// Takes out what is due, in the order of deadlines.
    func takeDue(at now: UInt64) -> [any TimerTarget] {
        state.withLock { $0.wheel.advance(to: now) }
    }

    /// Arms a timer.
    func schedule(at deadline: UInt64, _ target: any TimerTarget) -> TimerWheelToken {
        arm(at: deadline, target) { insert in insert() }
    }

    /// What is to be done when a timer was armed.
    enum Wake {
        case none
        /// The thread has to wake up earlier.
        case wake
        /// There is no thread yet.
        case start
        /// The time that somebody moves has passed the deadline.
        case fireLate
    }

    /// Arms a timer with the lock of a process held, under which no thread may be woken.
    ///
    /// - Returns: what to ``perform(_:)`` when it is released.
    func scheduleLocked(
        at deadline: UInt64, _ target: any TimerTarget
    ) -> (TimerWheelToken, Wake) {
        var wake = Wake.none
        let token = state.withLock { $0.insert(deadline, target, &wake) }
        return (token, wake)
    }

    func perform(_ wake: Wake) {
        switch wake {
        case .none: break
        case .wake: parker.unpark()
        case .start: Platform.startThread(name: "troupe-timer") { self.run() }
        case .fireLate: fireLate()
        }
    }

    /// Runs `body` with the lock held. It may call its argument, which arms the timer.
    func arm<Result>(
        at deadline: UInt64, _ target: any TimerTarget,
        _ body: (_ insert: () -> TimerWheelToken) -> Result
    ) -> Result {
        var wake = Wake.none
        let result = state.withLock { state in body { state.insert(deadline, target, &wake) } }
        perform(wake)
        return result
    }

    /// Runs `body` with the lock held, which also protects the state of each ``OwnedTimer``.
    func withWheel<Result>(_ body: (inout TimerWheel<any TimerTarget>) -> Result) -> Result {
        state.withLock { body(&$0.wheel) }
    }

    /// Disarms a timer.
    ///
    /// - Returns: its deadline and target; nil when it has fired or was cancelled before.
    @discardableResult
    func cancel(_ token: TimerWheelToken) -> (deadline: UInt64, target: any TimerTarget)? {
        state.withLock { state in
            state.wheel.cancel(token).map { ($0.deadline, $0.payload) }
        }
    }

    /// The deadline of an armed timer.
    func deadline(of token: TimerWheelToken) -> UInt64? {
        state.withLock { $0.wheel.deadline(of: token) }
    }

    /// How many timers are armed.
    var count: Int { state.withLock { $0.wheel.count } }

    /// Ends the thread. Timers that are still armed never fire.
    func shutDown() {
        _ = state.withLock { state in
            state.isShutDown = true
            return state.wheel.removeAll()
        }
        parker.unpark()
    }

    private func run() {
        while true {
            let now = Platform.monotonicNanoseconds()
            let step = state.withLock { state -> (due: [any TimerTarget], wakesAt: UInt64)? in
                if state.isShutDown { return nil }
                let due = state.wheel.advance(to: now)
                state.wakesAt = state.wheel.nextAdvance() ?? .max
                return (due, state.wakesAt ?? .max)
            }
            guard let step else { return }
            for target in step.due { target.timerFired() }
            if !step.due.isEmpty { continue }
            if step.wakesAt == .max { parker.park() } else { parker.park(until: step.wakesAt) }
        }
    }
}

extension Duration {
    /// The duration in nanoseconds; negative ones are 0, those too long to express the maximum.
    @usableFromInline
    var clampedNanoseconds: UInt64 {
        if self < .zero { return 0 }
        // Of longer ones `components` cannot express the seconds, and traps.
        if self > .seconds(Int64.max) { return .max }
        let (seconds, attoseconds) = components
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return .max }
        let (sum, overflowed) = whole.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
        return overflowed ? .max : sum
    }

    /// A number of nanoseconds as a duration.
    ///
    /// Not an initializer: one in this module breaks the optimised build of the compiler of
    /// Swift 6.3, which then cannot find the parts of C's `timespec`.
    static func inNanoseconds(_ count: UInt64) -> Duration {
        if let count = Int64(exactly: count) { return .nanoseconds(count) }
        return .seconds(Int64(count / 1_000_000_000)) + .nanoseconds(Int64(count % 1_000_000_000))
    }
}
