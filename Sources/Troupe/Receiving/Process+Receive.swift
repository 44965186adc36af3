//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

extension Process {
    // MARK: - Selective receive

    /// Waits for the next message of a type, and leaves the others in the mailbox, in their order.
    /// OTP: a `receive` with one pattern.
    ///
    /// Messages that are passed over are looked at again by the next receive, so a mailbox of many
    /// unwanted messages makes it slow; see ``receive(_:answering:where:)``.
    ///
    /// - Parameters:
    ///   - type: of the message.
    ///   - isWanted: whether to take this one.
    /// - Throws: ``ExitReason`` when the process has been told to end.
    public func receive<Message>(
        _ type: Message.Type, where isWanted: (Message) -> Bool = { _ in true }
    ) async throws(ExitReason) -> Message {
        while true {
            if let message = try await closure.receive(type, from: 0, deadline: nil, isWanted) {
                return message
            }
        }
    }

    /// Waits for the next message of a type, but not for ever, and leaves the others in the mailbox.
    ///
    /// - Parameters:
    ///   - type: of the message.
    ///   - timeout: zero looks into the mailbox without waiting.
    ///   - isWanted: whether to take this one.
    /// - Returns: nil when none has come in time.
    /// - Throws: ``ExitReason`` when the process has been told to end.
    public func receive<Message>(
        _ type: Message.Type, timeout: Duration, where isWanted: (Message) -> Bool = { _ in true }
    ) async throws(ExitReason) -> Message? {
        try await closure.receive(
            type, from: 0, deadline: closure.deadline(after: timeout), isWanted)
    }

    /// Waits for a message that answers something that this process has sent with a fresh reference:
    /// only messages that came after the reference was made are looked at, however many wait.
    ///
    /// ```swift
    /// let ref = process.makeReference()
    /// try process.send(Question(from: process.pid, ref: ref), to: server)
    /// let answer = try await process.receive(Answer.self, answering: ref) { $0.ref == ref }
    /// ```
    ///
    /// It holds for the last 64 references that the process has made with `makeReference`,
    /// `monitor`, `makeAlias` or `sendRequest`; for older ones it looks at all messages.
    ///
    /// - Throws: ``ExitReason`` when the process has been told to end.
    /// - Source: the optimisation of OTP's `receive` for references, there done by the compiler.
    public func receive<Message>(
        _ type: Message.Type, answering reference: Reference,
        where isWanted: (Message) -> Bool = { _ in true }
    ) async throws(ExitReason) -> Message {
        let position = closure.position(of: reference)
        while true {
            let message = try await closure.receive(
                type, from: position, deadline: nil, isWanted)
            if let message { return message }
        }
    }

    /// As ``receive(_:answering:where:)``, but not for ever.
    ///
    /// - Returns: nil when none has come in time.
    public func receive<Message>(
        _ type: Message.Type, answering reference: Reference, timeout: Duration,
        where isWanted: (Message) -> Bool = { _ in true }
    ) async throws(ExitReason) -> Message? {
        try await closure.receive(
            type, from: closure.position(of: reference),
            deadline: closure.deadline(after: timeout), isWanted)
    }

    /// Waits for the DOWN of a monitor, and leaves everything else in the mailbox.
    ///
    /// - Throws: ``ExitReason`` when the process has been told to end.
    public func receiveDown(of ref: MonitorRef) async throws(ExitReason) -> MessageDown {
        try await receive(MessageDown.self, answering: ref.reference) { $0.ref == ref }
    }

    /// Takes everything out of the mailbox that no channel claims, without waiting.
    ///
    /// - Returns: what was in it, in its order.
    /// - Throws: ``ExitReason`` when the process has been told to end; nothing is taken then.
    /// - Source: the `flush()` of OTP's shell.
    @discardableResult
    public func flush() async throws(ExitReason) -> [any Sendable] {
        try await closure.flush()
    }

    /// The messages of the mailbox as a sequence that has no end but the end of the process.
    ///
    /// ```swift
    /// for try await message in process.messages { … }
    /// ```
    public var messages: Channel<any Sendable> { inbox }
}
