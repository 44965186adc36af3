//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The timers of one holder, the latest first: linked with each other, so that a process with many
/// timers needs no table, which would have to grow while its lock is held.
///
/// To be touched with the lock of the holder held: a process, or the node (nil), always the same.
///
/// Invariant: a timer is in the list exactly while its link says so, and the list has one reference
/// to it then. The holder is not destroyed before, as the timers refer to it.
struct TimerList: Sendable {
    private var first: Unmanaged<OwnedTimer>?

    var isEmpty: Bool { first == nil }

    /// - Complexity: in the number of timers.
    func count(of holder: ProcessCell?) -> Int {
        var (count, next) = (0, first)
        while let timer = next {
            count += 1
            next = Self.withLink(of: timer, holder) { $0.next }
        }
        return count
    }

    mutating func insert(_ timer: OwnedTimer, of holder: ProcessCell?) {
        let (new, second) = (Unmanaged.passRetained(timer), first)
        timer.withLink(of: holder) { $0 = TimerLink(next: second, previous: new) }
        if let second { Self.withLink(of: second, holder) { $0.previous = new } }
        first = new
    }

    /// Removes a timer, if it is there.
    mutating func remove(_ timer: OwnedTimer, of holder: ProcessCell?) {
        let link = timer.withLink(of: holder) { link in
            defer { link = TimerLink() }
            return link
        }
        guard let previous = link.previous else { return }
        let own = Unmanaged.passUnretained(timer)
        let isFirst = previous.toOpaque() == own.toOpaque()
        if isFirst {
            first = link.next
        } else {
            Self.withLink(of: previous, holder) { $0.next = link.next }
        }
        if let next = link.next {
            Self.withLink(of: next, holder) { $0.previous = isFirst ? next : previous }
        }
        // Not the last reference: whoever calls has one.
        own.release()
    }

    /// Removes and returns all.
    mutating func removeAll(of holder: ProcessCell?) -> [OwnedTimer] {
        var timers: [OwnedTimer] = []
        while let timer = first {
            first = Self.withLink(of: timer, holder) { link in
                defer { link = TimerLink() }
                return link.next
            }
            timers.append(timer.takeRetainedValue())
        }
        return timers
    }

    private static func withLink<Result>(
        of timer: Unmanaged<OwnedTimer>, _ holder: ProcessCell?,
        _ body: (inout TimerLink) -> Result
    ) -> Result {
        timer._withUnsafeGuaranteedRef { $0.withLink(of: holder, body) }
    }
}

/// The place of a timer in a ``TimerList``.
struct TimerLink: Sendable {
    fileprivate var next: Unmanaged<OwnedTimer>?
    /// The timer itself when it is the first; nil when it is in no list.
    fileprivate var previous: Unmanaged<OwnedTimer>?
}
