//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

internal import Synchronization

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Android)
    internal import Android
#endif

/// Tells of signals of the operating system, on a thread where anything may be done.
///
/// A handler may interrupt any thread anywhere, so it does no more than write a byte into a pipe. A
/// thread reads the pipe, and exists only while somebody listens. The pipe stays open for good: a
/// handler that is just about to write must never find its number used by another file.
final class SignalListener: @unchecked Sendable {
    // Unchecked: the variables are only touched with `mutex` held.

    static let shared = SignalListener()

    /// Not a ``Lock``, because system calls are made within. Held alone.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var listeners = SignalListeners<@Sendable () -> Void>()
    /// What the program had done before for the signals that are listened to.
    private var replaced: [Int32: sigaction] = [:]
    private var readEnd: Int32?
    private var isReading = false

    /// Bytes of the pipe; any other is the number of a signal.
    private static let marker: UInt8 = 0
    private static let end: UInt8 = 255

    private init() {
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    private func withMutex<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Calls `action` for every signal that comes from now on.
    ///
    /// - Returns: what ``stopListening(_:)`` needs.
    func listen(
        to signals: Set<StopSignal>, _ action: @escaping @Sendable () -> Void
    ) throws(NodeError) -> Int {
        try withMutex { () throws(NodeError) in
            let readEnd = try openPipe()
            let (id, installs) = listeners.add(Set(signals.map(\.number)), action)
            Self.write(Self.marker)
            if !isReading {
                isReading = true
                Platform.startThread(name: "troupe-signals", stackSizeInBytes: 512 << 10) {
                    self.read(from: readEnd)
                }
            }
            for number in installs { install(number) }
            return id
        }
    }

    /// Calls the action no more, except where it is being called already.
    func stopListening(_ id: Int) {
        withMutex {
            for number in listeners.remove(id) { restore(number) }
            if listeners.isEmpty { Self.write(Self.end) }
        }
    }

    /// How many listen.
    var count: Int { withMutex { listeners.count } }

    /// Whether there is a thread that waits for signals.
    var hasThread: Bool { withMutex { isReading } }

    private func openPipe() throws(NodeError) -> Int32 {
        if let readEnd { return readEnd }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .signalsUnavailable(code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // A handler must not wait.
        _ = fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL, 0) | O_NONBLOCK)
        pipeEnd.store(ends[1], ordering: .relaxed)
        readEnd = ends[0]
        return ends[0]
    }

    private static func write(_ byte: UInt8) {
        var byte = byte
        // The pipe is full only while its reader has 65,536 signals to look at.
        while Platform.writeToPipe(pipeEnd.load(ordering: .relaxed), &byte) < 0,
            errno == EAGAIN || errno == EINTR
        {
            Platform.yieldThread()
        }
    }

    private func read(from pipe: Int32) {
        var byte: UInt8 = 0
        while true {
            guard Platform.readFromPipe(pipe, &byte) == 1 else {
                if errno == EINTR { continue }
                return
            }
            switch byte {
            case Self.marker:
                withMutex { listeners.markerCame() }
            case Self.end:
                let isOver = withMutex {
                    isReading = !listeners.isEmpty
                    return !isReading
                }
                if isOver { return }
            default:
                let number = Int32(byte)
                for action in withMutex({ listeners.actions(for: number) }) { action() }
            }
        }
    }

    // MARK: - Handlers

    private func install(_ number: Int32) {
        programID.store(getpid(), ordering: .relaxed)
        var old = sigaction()
        sigaction(number, nil, &old)
        replaced[number] = old
        // On all our systems this means: stays installed, and system calls go on.
        _ = signal(number, handler)
    }

    /// Puts the handler that was there before back, if ours is there still.
    private func restore(_ number: Int32) {
        guard var old = replaced.removeValue(forKey: number) else { return }
        var current = sigaction()
        sigaction(number, nil, &current)
        // Says whose it is, and leaves no moment without one of them.
        let found = signal(number, handler)
        if unsafeBitCast(found, to: UInt.self) == unsafeBitCast(handler, to: UInt.self) {
            sigaction(number, &old, nil)
        } else {
            sigaction(number, &current, nil)
        }
    }
}

extension StopSignal {
    /// The system's number.
    var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        }
    }
}

/// Where the handler writes. Set before a handler is installed.
private let pipeEnd = Atomic<Int32>(-1)
/// Who has installed the handlers. They are inherited by children that are made with `fork`.
private let programID = Atomic<pid_t>(0)

/// What the system calls. It may only do what is safe wherever the thread was interrupted.
private let handler: @convention(c) (Int32) -> Void = { number in
    let error = errno
    if getpid() == programID.load(ordering: .relaxed) {
        var byte = UInt8(truncatingIfNeeded: number)
        _ = Platform.writeToPipe(pipeEnd.load(ordering: .relaxed), &byte)
    } else {
        // A child that shares our pipe: not our signal. It takes effect when this returns.
        _ = signal(number, SIG_DFL)
        _ = raise(number)
    }
    errno = error
}

extension Platform {
    fileprivate static func writeToPipe(_ end: Int32, _ byte: inout UInt8) -> Int {
        write(end, &byte, 1)
    }

    fileprivate static func readFromPipe(_ end: Int32, _ byte: inout UInt8) -> Int {
        read(end, &byte, 1)
    }
}
