//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The time of a ``TimerService`` that is moved, and who moves it.
struct MovedTime: Sendable {
    var now: UInt64
    /// Somebody lets timers fire.
    var isMoving = false
    /// A timer that was armed meanwhile is due.
    var hasLate = false
    /// Threads that want to move the time next.
    var waiting: [Parker] = []
}

extension TimerService {
    /// What the time is that somebody moves.
    var movedNow: UInt64 { withDrivenState { $0.moved?.now ?? 0 } }

    /// Moves the time. Timers that become due on the way fire on this thread, in the order of their
    /// deadlines, each while the time is its deadline. To be called without a lock.
    ///
    /// Waits for somebody else who does the same.
    func move(by span: UInt64) {
        move { $0.addingSaturated(span) }
    }

    /// Moves the time as ``move(by:)`` does, but never back.
    func move(to instant: UInt64) {
        move { max($0, instant) }
    }

    private func move(_ target: (UInt64) -> UInt64) {
        let parker = Parker()
        while !beginMoving(isLate: false, parker) { parker.park() }
        fire(upTo: target(movedNow))
    }

    /// A timer was armed that is due already.
    func fireLate() {
        if beginMoving(isLate: true) { fire(upTo: movedNow) }
    }

    /// - Parameters:
    ///   - isLate: a timer that has just been armed is due: then whoever moves the time fires it.
    ///   - parker: is unparked when it is worth trying again.
    /// - Returns: whether it is now the caller who lets timers fire.
    private func beginMoving(isLate: Bool, _ parker: Parker? = nil) -> Bool {
        withDrivenState { state in
            if state.moved?.isMoving == false {
                state.moved?.isMoving = true
                return true
            }
            if isLate { state.moved?.hasLate = true }
            if let parker { state.moved?.waiting.append(parker) }
            return false
        }
    }

    private func fire(upTo target: UInt64) {
        var waiting: [Parker]?
        while waiting == nil {
            while let due = takeNext(upTo: target) {
                for timer in due { timer.timerFired() }
            }
            waiting = endMoving()
        }
        for parker in waiting ?? [] { parker.unpark() }
    }

    /// Takes out the timers with the earliest deadline, and moves the time there; if there are none
    /// up to `target`, moves the time to that.
    private func takeNext(upTo target: UInt64) -> [any TimerTarget]? {
        withDrivenState { state in
            let deadline = state.wheel.earliestDeadline().flatMap { $0 <= target ? $0 : nil }
            let instant = max(state.moved?.now ?? 0, deadline ?? target)
            state.moved?.now = instant
            let due = state.wheel.advance(to: instant)
            return deadline.map { _ in due }
        }
    }

    /// - Returns: who wants to move the time next; nil when there is a timer to fire first.
    private func endMoving() -> [Parker]? {
        withDrivenState { state in
            guard var moved = state.moved, !moved.hasLate else {
                state.moved?.hasLate = false
                return nil
            }
            moved.isMoving = false
            defer { state.moved = moved }
            defer { moved.waiting = [] }
            return moved.waiting
        }
    }
}
