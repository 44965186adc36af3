//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// How a node is made.
public struct NodeOptions: Sendable {
    /// Which life of the node this is; nil for one that differs from those before. At least 1.
    public var creation: UInt32?
    /// The values that every process of the node sees unless something nearer has another.
    public var environment: Environment
    /// Where events go; by default to standard error.
    public var events: any EventSink
    /// What runs the processes.
    public var scheduler: Scheduler
    /// The most processes at a time; 1,048,576 by default, as in OTP 26.
    public var processCountMax: Int
    /// Lets an error that a callback or body throws end the program, with a message, in the place
    /// where Troupe would contain it; for debuggers. An ``ExitReason`` is no error in this sense.
    public var crashesOnError: Bool

    /// Makes node options.
    public init(
        creation: UInt32? = nil,
        environment: Environment = Environment(),
        events: any EventSink = StandardErrorEvents(),
        scheduler: Scheduler = .default,
        processCountMax: Int = 1 << 20,
        crashesOnError: Bool = false
    ) {
        self.creation = creation
        self.environment = environment
        self.events = events
        self.scheduler = scheduler
        self.processCountMax = processCountMax
        self.crashesOnError = crashesOnError
    }
}

/// Why a node could not be made, or not be run.
@nonexhaustive
public enum NodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A node name has 1 to 255 Unicode scalars.
    case nameInvalid(String)
    /// A creation is at least 1.
    case creationInvalid(UInt32)
    /// The system gave no pipe to learn of signals through; with its error code, such as that for
    /// too many open files.
    case signalsUnavailable(code: Int32)

    /// What is wrong and what is right.
    public var description: String {
        switch self {
        case .nameInvalid(let name):
            name.isEmpty
                ? "the name of a node cannot be empty"
                : "the node name \"\(name.prefix(32))…\" is longer than 255 characters"
        case .creationInvalid: "the creation of a node is at least 1"
        case .signalsUnavailable(let code):
            "no signals can be received, error \(code) of the system; close files, or use run()"
        }
    }
}
