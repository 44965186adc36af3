//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Ends the processes that were spawned with it when it is cancelled.
public final class LifetimeToken: Sendable {
    private struct State: Sendable {
        var isCancelled = false
        /// By id. Ended processes are cleared out as the list grows.
        var cells: [WeakCell] = []
        var sweepAt = 64
    }

    private struct WeakCell: @unchecked Sendable {
        // Unchecked: a weak reference may be read and destroyed by any thread.
        weak var cell: ProcessCell?
    }

    /// A leaf lock.
    private let state = Lock(State())

    /// Makes a token that is not cancelled.
    public init() {}

    /// Whether ``cancel()`` was called.
    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Ends all processes that were spawned with this token, and every one that will be.
    ///
    /// They stop as by an exit signal that cannot be trapped, with `.shutdown(LifetimeEnd.cancelled)`.
    /// Cancelling again does nothing.
    public func cancel() {
        let cells = state.withLock { state -> [WeakCell] in
            state.isCancelled = true
            defer { state.cells = [] }
            return state.cells
        }
        for entry in cells { entry.cell?.endLifetime(.cancelled) }
    }

    func attach(_ cell: ProcessCell) {
        let isCancelled = state.withLock { state -> Bool in
            if state.isCancelled { return true }
            state.cells.append(WeakCell(cell: cell))
            if state.cells.count >= state.sweepAt {
                state.cells.removeAll { $0.cell == nil }
                state.sweepAt = max(64, state.cells.count * 2)
            }
            return false
        }
        if isCancelled { cell.endLifetime(.cancelled) }
    }
}

/// Ends a process at a deadline.
final class LifetimeTimer: OwnedTimer, @unchecked Sendable {
    // Unchecked: as the superclass; `cell` is constant.

    private let cell: ProcessCell

    init(cell: ProcessCell) {
        self.cell = cell
        super.init(owner: cell, second: nil, service: cell.node.timers)
    }

    override func fire() -> UInt64? {
        cell.endLifetime(.deadline)
        return nil
    }
}

extension ProcessCell {
    func endLifetime(_ end: LifetimeEnd) {
        receive(ExitSignal(kind: .order, reason: .shutdown(end)), from: nil)
    }

    /// Arms what ends the process from outside.
    func begin(_ lifetime: Lifetime) {
        switch lifetime {
        case .token(let token):
            token.attach(self)
        case .deadline(let duration):
            LifetimeTimer(cell: self).start(
                at: scheduler.now.addingSaturated(duration.clampedNanoseconds))
        }
    }
}

extension UInt64 {
    /// The sum, or the maximum where it would be larger.
    @usableFromInline
    func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
