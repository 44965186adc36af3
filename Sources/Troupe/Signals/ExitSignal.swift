//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// An exit signal on its way to a process, and the rule for what it does there.
///
/// The rule is pure, so that a test can go through the whole table.
struct ExitSignal: Sendable {
    /// How the signal came about.
    enum Kind: Sendable {
        /// Somebody called `exit(pid, reason)` or `kill(pid)`.
        case explicit
        /// A linked process ended.
        case link
        /// The node or the lifetime of the process ends it: an order that cannot be trapped, but
        /// that runs `terminate`.
        case order
    }

    /// What is true of the receiver when the signal is received.
    struct Receiver: Sendable {
        var trapsExits: Bool
        /// The sender is the receiver itself.
        var isSender: Bool
        /// The receiver is a server that the sender started linked: OTP's `parent` of a gen_server,
        /// whose exits a server obeys although it traps.
        var isServerOfSender: Bool
        /// The option that asks for Ergo's rule: a linked partner's normal end stops the receiver.
        var stopsOnNormalLink: Bool
    }

    /// What the signal does.
    enum Outcome: Equatable, Sendable {
        /// Nothing.
        case ignore
        /// It becomes a ``MessageExit``.
        case deliver
        /// The receiver ends with this reason, after `terminate`.
        case stop(ExitReason)
        /// The receiver ends with `killed`, without `terminate`.
        case kill
    }

    let kind: Kind
    let reason: ExitReason

    /// - Source: OTP "Processes: Receiving Exit Signals"; gen_server for the parent's exit; Ergo for
    ///   the option.
    func outcome(at receiver: Receiver) -> Outcome {
        switch kind {
        case .order:
            return .stop(reason)
        case .explicit where reason == .kill:
            return .kill
        case .explicit, .link:
            if receiver.trapsExits {
                return receiver.isServerOfSender && !receiver.isSender ? .stop(reason) : .deliver
            }
            guard reason == .normal else { return .stop(reason) }
            switch kind {
            case .link: return receiver.stopsOnNormalLink ? .stop(.normal) : .ignore
            case .explicit, .order: return receiver.isSender ? .stop(.normal) : .ignore
            }
        }
    }
}
