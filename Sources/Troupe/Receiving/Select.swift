//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// One thing that ``Process/select(_:)-(SelectCase<Result>...)`` waits for, and what to make of it.
public struct SelectCase<Result> {
    enum Kind {
        case channel(ClosureCell, listener: Int?, (ReceiveQueue.Entry.Content) throws -> Result?)
        case deadline(Duration, () throws -> Result)
        case instant(NodeClock.Instant, () throws -> Result)
    }

    let kind: Kind

    /// A message of a channel.
    public static func receive<Element>(
        _ channel: Channel<Element>, _ body: @escaping (Element) throws -> Result
    ) -> SelectCase {
        let element = channel.element
        return SelectCase(
            kind: .channel(channel.cell, listener: channel.listener) { content in
                try element(content).map(body)
            })
    }

    /// Nothing has come for this long. Zero and less: nothing is there.
    public static func after(
        _ span: Duration, _ body: @escaping () throws -> Result
    ) -> SelectCase {
        SelectCase(kind: .deadline(span, body))
    }

    /// An instant of the node's clock has come, and nothing is there: for a timer that several
    /// selects share.
    public static func at(
        _ instant: NodeClock.Instant, _ body: @escaping () throws -> Result
    ) -> SelectCase {
        SelectCase(kind: .instant(instant, body))
    }
}

extension Process {
    /// Waits for the first of several things, and returns what is made of it.
    ///
    /// ```swift
    /// let step = try await process.select(
    ///     .receive(orders) { Step.order($0) },
    ///     .receive(process.inbox) { Step.other($0) },
    ///     .after(.seconds(5)) { Step.idle })
    /// ```
    ///
    /// The rule: of the channels that have something, the one whose message came first; the order
    /// of the cases does not matter, so none can starve another. A deadline counts only when no
    /// channel has anything, the earliest first.
    ///
    /// - Returns: nil when there is nothing to wait for: no case, or only channels that are closed.
    /// - Throws: ``ExitReason`` when the process has been told to end, or what the body of a case
    ///   throws. A message whose body throws is taken.
    /// - Source: Wippy's `channel.select`.
    public func select<Result>(_ cases: SelectCase<Result>...) async throws -> Result? {
        try await select(cases)
    }

    /// Waits for the first of several things; see ``select(_:)-(SelectCase<Result>...)``.
    public func select<Result>(_ cases: [SelectCase<Result>]) async throws -> Result? {
        let start = closure.scheduler.now
        var deadline: (instant: UInt64, body: () throws -> Result)?
        for case let (instant, body)? in cases.map({ Self.deadline(of: $0, from: start) }) {
            if instant < deadline?.instant ?? .max { deadline = (instant, body) }
        }
        while true {
            try await closure.fetchAll()
            var first: (order: UInt64, index: Int)?
            var isAnyOpen = false
            for (index, selectCase) in cases.enumerated() {
                guard case .channel(_, let listener, _) = selectCase.kind else { continue }
                isAnyOpen = isAnyOpen || listener.map { closure.received.isOpen($0) } ?? true
                if let order = closure.received.firstOrder(of: listener),
                    order < first?.order ?? .max
                {
                    first = (order, index)
                }
            }
            if let first, case .channel(_, let listener, let body) = cases[first.index].kind {
                // Nil for a DOWN that is not wanted any more.
                if let content = closure.take(listener), let result = try body(content) {
                    return result
                }
                continue
            }
            guard deadline != nil || isAnyOpen else { return nil }
            if let deadline, closure.scheduler.now >= deadline.instant {
                return try deadline.body()
            }
            await closure.park(deadline: deadline?.instant)
        }
    }

    private static func deadline<Result>(
        of selectCase: SelectCase<Result>, from start: UInt64
    ) -> (UInt64, () throws -> Result)? {
        switch selectCase.kind {
        case .channel: nil
        case .deadline(let span, let body): (start.addingSaturated(span.clampedNanoseconds), body)
        case .instant(let instant, let body): (instant.nanoseconds, body)
        }
    }
}
