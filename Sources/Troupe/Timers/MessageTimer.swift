//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Names one timer: what `send(_:to:after:)` and `send(_:to:every:)` returned.
public struct TimerRef: Hashable, Sendable, CustomStringConvertible {
    /// The reference as such.
    public let reference: Reference
    let timer: OwnedTimer

    /// Whether both name the same timer.
    public static func == (left: TimerRef, right: TimerRef) -> Bool {
        left.reference == right.reference
    }

    /// Hashes the reference.
    public func hash(into hasher: inout Hasher) { hasher.combine(reference) }

    /// The description of the reference.
    public var description: String { reference.description }

    /// Stops the timer, from anywhere.
    ///
    /// - Returns: how long it still had to run; nil when it has fired or was cancelled. Its message may
    ///   be in the mailbox then, or on its way there: one that another thread is sending right now.
    /// - Source: OTP's `erlang:cancel_timer/1`.
    @discardableResult
    public func cancel() -> Duration? { timer.cancel() }

    /// How long the timer still has to run; nil when it has fired or was cancelled.
    ///
    /// - Source: OTP's `erlang:read_timer/1`.
    public var remaining: Duration? { timer.remaining }
}

/// What a timer sends that says which timer it was; see ``ProcessContext/startTimer(_:to:after:)``.
///
/// - Source: OTP's `{timeout, TimerRef, Msg}`.
public struct MessageTimeout: Sendable {
    /// The reference of the timer.
    public let timer: Reference
    /// What the timer was given to send.
    public let message: any Sendable
}

/// Why a timer could not be started.
@nonexhaustive
public enum TimerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A delay is not negative, an interval has at least 1 ms.
    case tooShort(Duration)
    /// A delay is at most 100 years.
    case tooLong(Duration)
    /// Timers send only to processes of their own node.
    case notLocal(Pid)
    /// The pid belongs to an earlier life of this node.
    case incarnation(Pid)

    /// What is wrong and what is right.
    public var description: String {
        switch self {
        case .tooShort(let duration):
            "\(duration) is too short: a delay is not negative, an interval has at least 1 ms"
        case .tooLong(let duration): "\(duration) is too long: at most 100 years"
        case .notLocal(let pid): "\(pid) is on node \"\(pid.node)\"; timers are local to a node"
        case .incarnation(let pid): SendFailure.incarnation(pid).description
        }
    }
}

/// A timer that sends a message once, to the last of the processes that it dies with.
class MessageTimer: OwnedTimer, @unchecked Sendable {
    // Unchecked: as the superclass.

    static let delayMax = Duration.seconds(100 * 366 * 86_400)

    fileprivate let message: any Sendable

    fileprivate init(
        _ message: consuming any Sendable, owner: consuming ProcessCell?,
        second: consuming ProcessCell?, service: borrowing TimerService
    ) {
        self.message = message
        super.init(owner: owner, second: second, service: service)
    }

    /// Starts a timer.
    ///
    /// - Parameters:
    ///   - owner: the process that starts it, and that it dies with. It also dies with a receiver
    ///     that is named by its pid.
    ///   - isNamed: whether the message goes out in a ``MessageTimeout``.
    static func start(
        _ message: any Sendable, to target: Destination, on node: Node, owner: ProcessCell?,
        after delay: Duration, every interval: Duration? = nil, isNamed: Bool = false
    ) throws(TimerError) -> TimerRef {
        if delay < .zero { throw .tooShort(delay) }
        if let interval, interval < .milliseconds(1) { throw .tooShort(interval) }
        if delay > delayMax { throw .tooLong(delay) }
        let (second, hasEnded) = try second(of: target, on: node, owner: owner)
        let reference = node.makeReference()
        let deadline = node.scheduler.now + delay.clampedNanoseconds
        let content: any Sendable =
            isNamed ? MessageTimeout(timer: reference, message: message) : message
        let timer: MessageTimer
        // One of these is kept by a process, which keeps the node.
        if case .pid = target, interval == nil, !hasEnded {
            timer = MessageTimer(content, owner: owner, second: second, service: node.timers)
        } else {
            timer = AddressedTimer(
                content, owner: owner, second: second, node: node, target: target,
                deadline: deadline, interval: interval?.clampedNanoseconds ?? 0)
        }
        if !hasEnded { timer.start(at: deadline) }
        return TimerRef(reference: reference, timer: timer)
    }

    /// The process that a timer dies with besides its owner: a receiver that is named by its pid.
    ///
    /// - Returns: nil when it is the owner or named otherwise, or has ended, so that the timer is over
    ///   before it begins.
    private static func second(
        of target: Destination, on node: Node, owner: ProcessCell?
    ) throws(TimerError) -> (cell: ProcessCell?, hasEnded: Bool) {
        guard case .pid(let pid) = target else { return (nil, false) }
        if let owner, pid.id == owner.id, pid == owner.pid { return (nil, false) }
        switch node.locate(pid) {
        case .process(let receiver): return (receiver, false)
        case .unknown: return (nil, true)
        case .incarnation: throw .incarnation(pid)
        case .remote: throw .notLocal(pid)
        }
    }

    override func fire() -> UInt64? {
        if let failure = deliver() {
            node?.emit(.undelivered) {
                .undelivered(failure, type: "\(type(of: message as Any))")
            }
        }
        return nil
    }

    /// Sends the message.
    fileprivate func deliver() -> SendFailure? {
        withLastHolder { $0.deliverUntyped(message) } ?? nil
    }
}

/// A timer that sends again and again, or to whoever has a name when it fires.
private final class AddressedTimer: MessageTimer, @unchecked Sendable {
    // Unchecked: `deadline` belongs to whoever lets the timer fire, once it is armed.

    private let home: Node
    private let target: Destination
    private var deadline: UInt64
    /// 0 for a timer that fires once.
    private let interval: UInt64

    init(
        _ message: consuming any Sendable, owner: consuming ProcessCell?,
        second: consuming ProcessCell?, node: Node, target: Destination, deadline: UInt64,
        interval: UInt64
    ) {
        self.home = node
        self.target = target
        self.deadline = deadline
        self.interval = interval
        super.init(message, owner: owner, second: second, service: node.timers)
    }

    override var node: Node? { home }

    override var repeats: Bool { interval > 0 }

    override func deliver() -> SendFailure? {
        if case .pid = target { super.deliver() } else { home.sendUntyped(message, to: target) }
    }

    override func fire() -> UInt64? {
        _ = super.fire()
        guard repeats else { return nil }
        let now = home.scheduler.now
        let missed = now > deadline ? (now - deadline) / interval : 0
        deadline += (missed + 1) * interval
        return deadline
    }
}
