//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Which ends of a child its supervisor repairs.
///
/// - Source: OTP's `restart`.
public enum Restart: Sendable, Hashable {
    /// Every end.
    case permanent
    /// Every end that is not clean: not `normal`, `shutdown` or `shutdown(_:)`.
    case transient
    /// None. The specification is forgotten with the child.
    case temporary
}

/// How many restarts there may be within a period of time.
///
/// - Source: `intensity` and `period` of OTP's supervisors.
public struct RestartLimit: Sendable, Hashable {
    /// The most restarts within the period; 0 allows none.
    public var count: Int
    /// The period, longer than zero.
    public var period: Duration

    /// Makes a limit; by default OTP's: once within five seconds.
    public init(_ count: Int = 1, within period: Duration = .seconds(5)) {
        self.count = count
        self.period = period
    }
}

/// How long a supervisor waits before it starts a child again.
///
/// The first delay is `initial`, and each one after it `factor` times as long, up to `maximum`. A
/// child that has run for `resetAfter` begins anew.
public struct RestartBackoff: Sendable, Hashable {
    /// The first delay, longer than zero.
    public var initial: Duration
    /// The longest, not shorter than the first.
    public var maximum: Duration
    /// What each delay is multiplied by, 1 to 100.
    public var factor: Double
    /// Which part of each delay is random, 0 to 1: with 0.2 it is up to 20 % shorter. So children
    /// that failed together do not all come back together.
    public var jitter: Double
    /// How long a child has to run to count as repaired; longer than zero.
    public var resetAfter: Duration

    /// Makes an exponential back-off.
    public init(
        from initial: Duration, upTo maximum: Duration, factor: Double = 2, jitter: Double = 0.2,
        resetAfter: Duration? = nil
    ) {
        self.initial = initial
        self.maximum = maximum
        self.factor = factor
        self.jitter = jitter
        self.resetAfter = resetAfter ?? maximum
    }

    /// The delay after so many failures in a row.
    ///
    /// - Parameters:
    ///   - failures: 0 for the first.
    ///   - random: 0 to 1.
    func delay(after failures: Int, random: Double) -> Duration {
        // Longer ones cannot be multiplied.
        let longest = min(maximum, .seconds(Int64.max))
        let first = min(initial, longest)
        // The product does not overflow: it is used only if it is shorter than the longest.
        let growth = power(of: max(factor, 1), failures)
        let delay = longest / first <= growth ? longest : first * growth
        return delay * (1 - jitter * random)
    }

    /// In as many steps as the exponent has bits, so that the cost does not grow with the failures.
    private func power(of base: Double, _ exponent: Int) -> Double {
        var (square, left, result) = (base, exponent, 1.0)
        while left > 0 {
            if !left.isMultiple(of: 2) { result *= square }
            square *= square
            left /= 2
        }
        return result
    }
}

/// What becomes of the messages that wait in a child's mailbox when it ends and is started again.
public enum MailboxRecovery: Sendable, Hashable {
    /// They are lost, as in OTP.
    case drop
    /// The next instance gets them. Calls are not kept: their callers have been told of the end.
    /// Neither is the message that was being handled, which may be what killed the child.
    case keep
    /// Another process gets them, each wrapped in a ``MessageFallback``.
    case handOver(to: Destination, tag: String)
}

/// What a supervisor does beyond OTP when a child has to be started again. By default: nothing.
public struct ChildRecovery: Sendable, Hashable {
    /// How long to wait before each restart; nil for not at all.
    public var backoff: RestartBackoff?
    /// A limit for this child alone. Its restarts then do not count for the supervisor, and when
    /// there are too many this child is given up: it stays stopped, and its siblings live on.
    /// Nil counts them for the supervisor, as in OTP.
    public var budget: RestartLimit?
    /// What becomes of the messages that wait.
    public var mailbox: MailboxRecovery

    /// Makes recovery options; by default OTP's behaviour.
    public init(
        backoff: RestartBackoff? = nil, budget: RestartLimit? = nil,
        mailbox: MailboxRecovery = .drop
    ) {
        self.backoff = backoff
        self.budget = budget
        self.mailbox = mailbox
    }
}
