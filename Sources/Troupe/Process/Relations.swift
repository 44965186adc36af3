//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What connects a process with others. Only touched with the lock of the process held.
///
/// Many processes have none of these things, so they are made when the first is needed. Memory that
/// was never used before is what that costs most, so there is little here: what few processes have
/// is in ``RareRelations``.
///
/// This is a reference, and not one that is counted: the process has the content, and whoever takes it
/// out of the process calls ``release()``. As an object it would be 16 bytes more, and so above the 120
/// up to which glibc frees memory without the lock of its heap. Measured with 100,000 processes that
/// end on two threads: a third of the time was spent on that lock.
struct Relations: @unchecked Sendable {
    // Unchecked: reachable only through the process's core, or, when that has ended, by one thread.

    private struct Content: ~Copyable {
        var links = LinkTable<ProcessCell>()
        var monitors = MonitorTable()
        var monitoredBy = WatcherTable<ProcessCell>()
        var timers = TimerList()
        var signals = SignalQueue()
        var waits: [Wait] = []
        var rare: RareRelations?
    }

    private let content: UnsafeMutablePointer<Content>

    /// How many bytes they take.
    static var byteCount: Int { MemoryLayout<Content>.size }

    init() {
        content = .allocate(capacity: 1)
        content.initialize(to: Content())
    }

    /// Destroys everything. Nobody may use it afterwards.
    func release() {
        content.pointee.signals.removeAll()
        content.deinitialize(count: 1)
        content.deallocate()
    }

    var links: LinkTable<ProcessCell> {
        get { content.pointee.links }
        nonmutating _modify { yield &content.pointee.links }
    }
    /// Monitors that this process holds.
    var monitors: MonitorTable {
        get { content.pointee.monitors }
        nonmutating _modify { yield &content.pointee.monitors }
    }
    /// Monitors that watch this process.
    var monitoredBy: WatcherTable<ProcessCell> {
        get { content.pointee.monitoredBy }
        nonmutating _modify { yield &content.pointee.monitoredBy }
    }
    /// Timers to cancel when this process ends.
    var timers: TimerList {
        get { content.pointee.timers }
        nonmutating _modify { yield &content.pointee.timers }
    }
    /// Signals that have become messages, in order.
    var signals: SignalQueue {
        _read { yield content.pointee.signals }
        nonmutating _modify { yield &content.pointee.signals }
    }
    /// What this process waits for.
    var waits: [Wait] {
        get { content.pointee.waits }
        nonmutating _modify { yield &content.pointee.waits }
    }
    /// The rest, made with the first thing of it.
    var rare: RareRelations? { content.pointee.rare }

    /// The rare relations, made if there are none yet.
    func makeRare() -> RareRelations {
        if let rare { return rare }
        let made = RareRelations()
        content.pointee.rare = made
        return made
    }

    // MARK: - What to do

    /// Something that a process waits for, other than a message.
    enum Wait: Sendable {
        case call(ReplyCell)
        case room(Pid)
        case sleep
    }

    /// The call that this process waits for, if that is the only one: a process that waits for
    /// several at once may need only one of them.
    var onlyCall: ReplyCell? {
        var found: ReplyCell?
        for case .call(let call) in waits {
            if found != nil { return nil }
            found = call
        }
        return found
    }

    /// Whether something besides messages needs a look before the next message is handled.
    var needsAttention: Bool {
        !signals.isEmpty || rare?.needsAttention ?? false
    }

    /// Whether there is something for the process to do besides messages.
    var hasWork: Bool {
        !signals.isEmpty || rare?.hasWork ?? false
    }
}
