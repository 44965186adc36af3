//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Why a process ended, or shall end.
///
/// `normal`, `shutdown` and `shutdown(_:)` are clean ends: they make no crash report, and a
/// transient child that ends so is not started again. Everything else is a crash.
///
/// It is an `Error`: a callback that throws an `ExitReason` stops its process with that reason.
/// Throwing any other error stops it with ``error(_:)``.
///
/// - Source: OTP's exit reasons (`erlang:exit/1,2`, "Error Handling" in the reference manual).
public enum ExitReason: Error, Sendable {
    /// The process did what it was there for.
    case normal
    /// It was asked to end, by its supervisor or by the node that stops.
    case shutdown
    /// The same, with some information; write it `.shutdown(info)`.
    indirect case shutdownWith(any Hashable & Sendable)
    /// Sent as an exit signal: ends the receiver at once, cannot be trapped and runs no
    /// `terminate`. As the reason of a process that ended *itself* it is an ordinary reason.
    case kill
    /// The reason of a process that was ended by a ``kill`` signal.
    case killed
    /// There was no such process when a link, monitor or call was made.
    case noProcess
    /// The node of the process cannot be reached.
    case noConnection
    /// The node that stands between the two nodes cannot be reached (Ergo's `noproxy`).
    case noProxy
    /// A callback, or the body of the process, threw this error.
    case error(any Error)
    /// A reason of your own.
    indirect case custom(any Hashable & Sendable)

    /// A clean end with some information, as OTP's `{shutdown, Info}`.
    public static func shutdown(_ info: any Hashable & Sendable) -> ExitReason {
        .shutdownWith(info)
    }

    /// The reason that throwing `error` out of a callback stands for: itself when it is an exit
    /// reason, else ``error(_:)``.
    public init(thrown error: any Error) {
        self = error.ownExitReason ?? .error(error)
    }

    /// Whether the end is no crash: `normal`, `shutdown` or `shutdown(_:)`.
    public var isClean: Bool {
        switch self {
        case .normal, .shutdown, .shutdownWith: true
        case .kill, .killed, .noProcess, .noConnection, .noProxy, .error, .custom: false
        }
    }
}

extension Error {
    /// Itself, if it is an exit reason. Every process that ends itself comes here; a cast takes about
    /// as long as all the rest of its `throw`. It is left to those that hold something else: an error
    /// that went through generic code can be in a box within a box.
    fileprivate var ownExitReason: ExitReason? {
        guard Self.self == ExitReason.self else { return self as? ExitReason }
        return withUnsafePointer(to: self) {
            UnsafeRawPointer($0).assumingMemoryBound(to: ExitReason.self).pointee
        }
    }
}

extension ExitReason: Equatable {
    /// Whether both are the same reason.
    ///
    /// Errors are equal when they are of one `Hashable` or `Equatable` type and equal; errors that
    /// cannot be compared are equal when their types and descriptions are.
    public static func == (left: ExitReason, right: ExitReason) -> Bool {
        switch (left, right) {
        case (.normal, .normal), (.shutdown, .shutdown), (.kill, .kill), (.killed, .killed),
            (.noProcess, .noProcess), (.noConnection, .noConnection), (.noProxy, .noProxy):
            true
        case (.shutdownWith(let left), .shutdownWith(let right)),
            (.custom(let left), .custom(let right)):
            AnyHashable(left) == AnyHashable(right)
        case (.error(let left), .error(let right)):
            areEqual(left, right)
        default:
            false
        }
    }
}

private func areEqual(_ left: any Error, _ right: any Error) -> Bool {
    func compare<T: Equatable>(_ left: T) -> Bool { (right as? T) == left }
    if let left = left as? any Equatable { return compare(left) }
    return type(of: left) == type(of: right) && "\(left)" == "\(right)"
}

extension ExitReason: CustomStringConvertible {
    /// The reason in OTP's spelling where it has one: `normal`, `killed`, `noproc`, …
    public var description: String {
        switch self {
        case .normal: "normal"
        case .shutdown: "shutdown"
        case .shutdownWith(let info): "shutdown(\(info))"
        case .kill: "kill"
        case .killed: "killed"
        case .noProcess: "noproc"
        case .noConnection: "noconnection"
        case .noProxy: "noproxy"
        case .error(let error): "error(\(error))"
        case .custom(let value): "\(value)"
        }
    }
}
