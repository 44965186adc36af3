//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// The files of this folder are the only ones that know the operating system: here threads,
// thread-local storage, parking, clocks and standard error, beside it signals. Everything else in
// the library is plain Swift.

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Android)
    internal import Android
#endif

/// What Troupe needs from the operating system.
@usableFromInline
enum Platform {
    /// Nanoseconds of a clock that never goes back; its zero is arbitrary.
    @usableFromInline
    static func monotonicNanoseconds() -> UInt64 {
        #if canImport(Darwin)
            return clock_gettime_nsec_np(CLOCK_UPTIME_RAW)
        #else
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        #endif
    }

    /// Like ``monotonicNanoseconds()``, but cheap and only good to some milliseconds.
    static func coarseNanoseconds() -> UInt64 {
        #if canImport(Darwin)
            return clock_gettime_nsec_np(CLOCK_UPTIME_RAW_APPROX)
        #else
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        #endif
    }

    /// Whole seconds since 1970. Only used to make the creation of a node differ from that of an
    /// earlier run of the same program.
    static func secondsSince1970() -> UInt32 {
        UInt32(truncatingIfNeeded: time(nil))
    }

    /// Tells this thread from all others that run; never 0.
    static var threadID: UInt {
        #if canImport(Glibc)
            return UInt(pthread_self())
        #else
            // A pointer on some systems, a number on others.
            return unsafeBitCast(pthread_self(), to: UInt.self)
        #endif
    }

    /// Lets another thread run.
    static func yieldThread() {
        sched_yield()
    }

    /// Lets other threads run for a while.
    static func nap(nanoseconds: UInt64) {
        var time = timespec()
        time.tv_nsec = .init(min(nanoseconds, 999_999_999))
        nanosleep(&time, nil)
    }

    /// How many processors this program may use, at least one.
    static var processorCount: Int {
        max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// Writes to standard error in one call, so that lines of several threads do not mix.
    static func writeToStandardError(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var written = 0
            while written < bytes.count {
                let count = write(2, bytes.baseAddress! + written, bytes.count - written)
                if count <= 0 { return }
                written += count
            }
        }
    }

    /// Starts a detached thread.
    ///
    /// - Parameters:
    ///   - name: shown by debuggers; cut to 15 bytes on Linux.
    ///   - stackSizeInBytes: the thread's stack; rounded up to what the system allows.
    ///   - body: what the thread runs. The thread ends when it returns.
    static func startThread(
        name: String,
        stackSizeInBytes: Int = 8 << 20,
        _ body: @escaping @Sendable () -> Void
    ) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSizeInBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
        #if canImport(Darwin)
            var thread: pthread_t?
            let code = pthread_create(&thread, &attributes, { runThread($0) }, start.toOpaque())
        #else
            var thread = pthread_t()
            let code = pthread_create(&thread, &attributes, { runThread($0!) }, start.toOpaque())
        #endif
        // Without its threads a scheduler cannot keep any promise it has made.
        precondition(code == 0, "Troupe could not start a thread: pthread_create returned \(code).")
    }
}

private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    #if canImport(Darwin)
        pthread_setname_np(start.name)
    #else
        // The C library's call is hidden from Swift; this is the kernel's way of saying the same.
        let file = open("/proc/thread-self/comm", O_WRONLY)
        if file >= 0 {
            let name = Array(start.name.utf8.prefix(15))
            _ = write(file, name, name.count)
            close(file)
        }
    #endif
    start.body()
    return nil
}

/// A binary semaphore on which one thread at a time waits.
///
/// A permit given while nobody waits is kept (one at most), so an `unpark` is never lost.
@usableFromInline
final class Parker: @unchecked Sendable {
    // Unchecked: the three fields are only touched with `mutex` held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var hasPermit = false

    @usableFromInline
    init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        #if canImport(Darwin)
            pthread_cond_init(condition, nil)
        #else
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        #endif
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Waits until there is a permit and takes it.
    @usableFromInline
    func park() {
        pthread_mutex_lock(mutex)
        while !hasPermit { pthread_cond_wait(condition, mutex) }
        hasPermit = false
        pthread_mutex_unlock(mutex)
    }

    /// Waits until there is a permit, which it takes, or until `deadline` has passed.
    ///
    /// - Parameter deadline: nanoseconds of ``Platform/monotonicNanoseconds()``.
    /// - Returns: whether a permit was taken.
    @discardableResult
    func park(until deadline: UInt64) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !hasPermit {
            let now = Platform.monotonicNanoseconds()
            if now >= deadline { return false }
            #if canImport(Darwin)
                let left = deadline - now
                var time = timespec(
                    tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
                pthread_cond_timedwait_relative_np(condition, mutex, &time)
            #else
                var time = timespec()
                time.tv_sec = .init(deadline / 1_000_000_000)
                time.tv_nsec = .init(deadline % 1_000_000_000)
                pthread_cond_timedwait(condition, mutex, &time)
            #endif
        }
        hasPermit = false
        return true
    }

    /// Gives a permit and wakes the thread that waits for it.
    @usableFromInline
    func unpark() {
        pthread_mutex_lock(mutex)
        hasPermit = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }
}

/// One pointer per thread, nil at first.
struct ThreadLocalPointer: Sendable {
    private let key: pthread_key_t

    init() {
        var key = pthread_key_t()
        let code = pthread_key_create(&key, nil)
        precondition(code == 0, "Troupe could not make a thread-local key: \(code).")
        self.key = key
    }

    var value: UnsafeMutableRawPointer? {
        get { pthread_getspecific(key) }
        nonmutating set { pthread_setspecific(key, newValue) }
    }
}
