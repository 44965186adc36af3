//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

/// What a timer does when it is due. Called without a lock, by one thread at a time.
protocol TimerTarget: AnyObject, Sendable {
    func timerFired()
}

/// Finds an armed timer in a ``TimerService`` again.
struct TimerToken: Sendable {
    /// The number of the wheel.
    fileprivate let wheel: Int
    fileprivate let token: TimerWheelToken
}

/// Drives ``TimerWheel``s from the monotonic clock: one thread, started with the first timer, asleep
/// until the next one is due. Or somebody else drives one wheel, by a clock of their own, or moves
/// its time.
///
/// Where the threads of a scheduler are its helpers and are busy, that thread only tells them what
/// time it is: were it to let the timers fire, it would take a processor from one of them again and
/// again, and get it late. If they are all stuck for a tick, it does.
///
/// Each thread of a scheduler arms timers in a wheel of its own. To arm a timer and to cancel it is
/// part of every call that waits: with one wheel all threads would write the same few lines.
final class TimerService: Sendable {
    struct State: ~Copyable, Sendable {
        var wheel: TimerWheel<any TimerTarget>
        /// Of a service whose time somebody moves.
        var moved: MovedTime?
    }

    /// More wheels than this are not worth their memory.
    static let wheelCountMax = 64

    /// Each lock protects a wheel, and what an ``OwnedTimer`` says that is armed there. Leaves:
    /// nothing else is locked while one is held.
    private let wheels: FixedArray<Lock<State>>
    private let isDriven: Bool
    private let hasThread = Atomic(false)
    private let isShutDown = Atomic(false)
    /// Until when the thread sleeps: an earlier timer has to wake it. 0 while it fires timers, as it
    /// looks at all wheels again after that; the maximum while it does, and while there is no thread.
    ///
    /// Whoever arms a timer reads and writes it with the lock of the wheel held. The thread writes it
    /// before it looks at the wheels, with the same locks: so who arms a timer in a wheel that the
    /// thread has looked at finds what it has written.
    private let wakesAt = Atomic<UInt64>(.max)
    private let parker = Parker()
    private let duty = TimerDuty()
    private let helpers = Lock(Helpers())

    private struct Helpers: Sendable {
        weak var threads: (any TimerHelpers)?
    }

    /// - Parameter threadCount: how many threads there are that often arm timers.
    init(threadCount: Int = 1) {
        let now = Platform.monotonicNanoseconds()
        self.wheels = FixedArray(count: min(threadCount, Self.wheelCountMax)) {
            Lock(apart: State(wheel: TimerWheel(now: now)))
        }
        self.isDriven = false
    }

    /// Timers without a thread, good to a nanosecond: whoever makes them calls
    /// ``takeDue(at:)``.
    ///
    /// - Parameter now: where their clock begins.
    init(drivenFrom now: UInt64) {
        self.wheels = FixedArray(count: 1) {
            Lock(State(wheel: TimerWheel(now: now, tickShift: 0)))
        }
        self.isDriven = true
    }

    /// Timers without a thread, good to a nanosecond, with a time of their own that stands still
    /// until ``move(by:)``.
    init(movedFrom now: UInt64) {
        self.wheels = FixedArray(count: 1) {
            Lock(State(wheel: TimerWheel(now: now, tickShift: 0), moved: MovedTime(now: now)))
        }
        self.isDriven = true
    }

    /// The wheel in which this thread arms timers.
    var ownWheel: Int {
        if wheels.count == 1 { return 0 }
        if let thread = WorkerLocal.current { return thread.pointee.index % wheels.count }
        // Of threads from outside there may be many. The addresses differ in the upper bits.
        let hash = UInt64(Platform.threadID) &* 0x9E37_79B9_7F4A_7C15
        return Int(hash >> 32) % wheels.count
    }

    /// Runs `body` with the lock of a wheel held.
    private func withState<Result>(
        of wheel: Int, _ body: (inout State) -> Result
    ) -> Result {
        wheels.withValue(at: wheel) { $0.withLock(body) }
    }

    /// Runs `body` with the lock held of the only wheel, which somebody else drives.
    func withDrivenState<Result>(_ body: (inout State) -> Result) -> Result {
        assert(isDriven)
        return withState(of: 0, body)
    }

    /// When the next timer is due; nil when none is armed. For a service that somebody drives.
    func nextDeadline() -> UInt64? {
        withDrivenState { $0.wheel.earliestDeadline() }
    }

    /// Takes out what is due, in the order of deadlines. For a service that somebody drives.
    func takeDue(at now: UInt64) -> [any TimerTarget] {
        withDrivenState { $0.wheel.advance(to: now) }
    }

    /// Arms a timer.
    func schedule(at deadline: UInt64, _ target: any TimerTarget) -> TimerToken {
        let (token, wake) = scheduleLocked(at: deadline, target)
        perform(wake)
        return token
    }

    /// What is to be done when a timer was armed.
    enum Wake {
        case none
        /// The thread has to wake up earlier, or be started.
        case wake
        /// The time that somebody moves has passed the deadline.
        case fireLate
    }

    /// Arms a timer with the lock of a process held, under which no thread may be woken.
    ///
    /// - Returns: what to ``perform(_:)`` when it is released.
    func scheduleLocked(
        at deadline: UInt64, _ target: any TimerTarget
    ) -> (TimerToken, Wake) {
        let wheel = ownWheel
        var wake = Wake.none
        let token = withState(of: wheel) { insert(deadline, target, into: &$0, &wake) }
        return (TimerToken(wheel: wheel, token: token), wake)
    }

    private func insert(
        _ deadline: UInt64, _ target: any TimerTarget, into state: inout State,
        _ wake: inout Wake
    ) -> TimerWheelToken {
        let token = state.wheel.insert(deadline: deadline, target)
        if isDriven {
            if let moved = state.moved, deadline <= moved.now { wake = .fireLate }
            return token
        }
        // A thread that wakes up before anyway finds the new timer by itself.
        let wakesAt = wakesAt.load(ordering: .relaxed)
        if deadline < wakesAt, let next = state.wheel.nextAdvance(), next < wakesAt {
            self.wakesAt.store(next, ordering: .relaxed)
            wake = .wake
        }
        return token
    }

    func perform(_ wake: Wake) {
        switch wake {
        case .none: break
        case .wake:
            if hasThread.exchange(true, ordering: .relaxed) {
                parker.unpark()
            } else {
                Platform.startThread(name: "troupe-timer") { self.run() }
            }
        case .fireLate: fireLate()
        }
    }

    /// Runs `body` with the lock of a wheel held. It may call its argument, which arms the timer.
    func arm<Result>(
        at deadline: UInt64, _ target: any TimerTarget, inWheel wheel: Int,
        _ body: (_ insert: () -> TimerWheelToken) -> Result
    ) -> Result {
        var wake = Wake.none
        let result = withState(of: wheel) { state in
            body { insert(deadline, target, into: &state, &wake) }
        }
        perform(wake)
        return result
    }

    /// Runs `body` with the lock of a wheel held, which also protects the state of each
    /// ``OwnedTimer`` that belongs there.
    func withWheel<Result>(
        _ wheel: Int, _ body: (inout TimerWheel<any TimerTarget>) -> Result
    ) -> Result {
        withState(of: wheel) { body(&$0.wheel) }
    }

    /// Disarms a timer, unless it has fired or was cancelled before.
    func cancel(_ token: TimerToken) {
        // The last reference to the target may go here, not within the lock.
        _ = withState(of: token.wheel) { $0.wheel.cancel(token.token) }
    }

    /// How many timers are armed.
    var count: Int {
        (0..<wheels.count).reduce(0) { $0 + withState(of: $1) { $0.wheel.count } }
    }

    /// Ends the thread. Timers that are still armed never fire.
    func shutDown() {
        isShutDown.store(true, ordering: .sequentiallyConsistent)
        for wheel in 0..<wheels.count { _ = withState(of: wheel) { $0.wheel.removeAll() } }
        parker.unpark()
    }

    // MARK: - The thread

    private func run() {
        while !isShutDown.load(ordering: .sequentiallyConsistent) {
            wakesAt.store(0, ordering: .relaxed)
            while nextAdvance() <= Platform.monotonicNanoseconds() { fireOrOffer() }
            wakesAt.store(.max, ordering: .relaxed)
            let next = nextAdvance()
            // From now on others may have written an earlier time: then there is a permit.
            wakesAt.store(next, ordering: .relaxed)
            // The permit of `shutDown` may have ended a wait for the helpers.
            if isShutDown.load(ordering: .sequentiallyConsistent) { return }
            if next == .max { parker.park() } else { parker.park(until: next) }
        }
    }

    /// Timers are due, or have to be put into finer slots of a wheel. Returns when that is done.
    private func fireOrOffer() {
        guard let helpers = helpers.withLock({ $0.threads }), !helpers.areAsleep else {
            return fireDue()
        }
        typealias Wheel = TimerWheel<any TimerTarget>
        duty.offer()
        helpers.wakeForTimers()
        repeat {
            parker.park(until: Wheel.nextTick(Platform.monotonicNanoseconds()))
            fireOffered()
        } while !duty.isOver
    }

    /// Gives the service threads that ask it for ``isOffered`` again and again while they run.
    func setHelpers(_ threads: any TimerHelpers) {
        helpers.withLock { $0.threads = threads }
    }

    /// Whether timers are due that a helper has to let fire.
    var isOffered: Bool { duty.isOffered }

    /// Lets the timers fire that are due, if they are still offered.
    @inline(never)
    func fireOffered() {
        guard duty.take() else { return }
        fireDue()
        duty.end()
    }

    private func fireDue() {
        let now = Platform.monotonicNanoseconds()
        var due: [TimerWheel<any TimerTarget>.Due] = []
        for wheel in 0..<wheels.count {
            withState(of: wheel) { $0.wheel.advance(to: now, into: &due) }
        }
        // What one process has armed may be in several wheels. Of one wheel it is in order already,
        // and those with equal deadlines stay as they are.
        for (_, timer) in due.enumerated().sorted(by: Self.isEarlier) {
            timer.payload.timerFired()
        }
    }

    private static func isEarlier(
        _ one: (offset: Int, element: TimerWheel<any TimerTarget>.Due),
        _ other: (offset: Int, element: TimerWheel<any TimerTarget>.Due)
    ) -> Bool {
        (one.element.deadline, one.offset) < (other.element.deadline, other.offset)
    }

    private func nextAdvance() -> UInt64 {
        (0..<wheels.count).reduce(.max) { next, wheel in
            min(next, withState(of: wheel) { $0.wheel.nextAdvance() } ?? .max)
        }
    }
}

extension Duration {
    /// The duration in nanoseconds; negative ones are 0, those too long to express the maximum.
    @usableFromInline
    var clampedNanoseconds: UInt64 {
        // Nearly always there is a fraction of 18 seconds: no arithmetic of 128 bits.
        if let attoseconds = UInt64(exactly: attoseconds) { return attoseconds / 1_000_000_000 }
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
