//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Deadlines and what belongs to them, as a pure data structure: a hierarchical timing wheel.
///
/// Time is a number of nanoseconds that the caller passes in. Inserting and removing are constant
/// in the number of timers. A timer is never early; it is late by less than one tick, 0.52 ms unless
/// one asks for another, plus the time until ``advance(to:)`` is called. Timers that come due
/// together are returned in the order of their deadlines, equal deadlines in the order of insertion.
///
/// Invariants, with `current` in ticks and every timer's tick being its deadline rounded up:
/// - A timer is on the level of the highest group of 6 bits in which its tick differs from
///   `current`, in the slot that these bits name. So a lower level comes due before a higher one.
/// - `occupied[level]` has a bit for every slot that holds a timer.
struct TimerWheel<Payload: Sendable>: ~Copyable, Sendable {
    /// Finds a timer again. A token of a fired or cancelled timer finds nothing.
    typealias Token = TimerWheelToken

    /// What has come due, and when it was to.
    struct Due {
        let deadline: UInt64
        let payload: Payload
    }

    // Not private: the compiler of Swift 6.3 then breaks where another file destroys a wheel.
    struct Entry: Sendable {
        var deadline: UInt64
        var order: UInt64
        var next: Int32
        var previous: Int32
        var slot: Int32
        var serial: UInt32
        var payload: Payload?
    }

    /// The first and the last timer of a slot.
    private struct Slot: Sendable {
        var head = TimerWheel.none
        var tail = TimerWheel.none
    }

    private static var slotBits: UInt64 { 6 }
    private static var slotsPerLevel: Int { 64 }
    private static var none: Int32 { -1 }

    /// By index; those that are free are linked with each other by `next`.
    private var entries = PiecewiseArray<Entry>()
    private var firstFree = Self.none
    private var slots: [Slot]
    private var occupied: [UInt64]
    private let tickShift: UInt64
    private var current: UInt64
    private var nextOrder: UInt64 = 0

    /// How many timers are armed.
    private(set) var count = 0

    private static var usualTickShift: UInt64 { 19 }

    /// The instant after `now` at which a tick begins.
    static func nextTick(_ now: UInt64) -> UInt64 {
        ((now >> usualTickShift) + 1) << usualTickShift
    }

    /// - Parameter tickShift: a tick has 2 to the power of this nanoseconds.
    init(now: UInt64, tickShift: UInt64 = Self.usualTickShift) {
        // As many as the 63 bits of a deadline need.
        let levels = Int((63 - tickShift + Self.slotBits - 1) / Self.slotBits)
        self.slots = Array(repeating: Slot(), count: levels * Self.slotsPerLevel)
        self.occupied = Array(repeating: 0, count: levels)
        self.tickShift = tickShift
        self.current = now >> tickShift
    }

    /// The latest deadline that a wheel can hold; later ones are treated as this one.
    static var latestDeadline: UInt64 { UInt64.max >> 1 }

    /// Arms a timer.
    ///
    /// - Parameter deadline: may lie in the past; then the timer is due at the next advance.
    mutating func insert(deadline: UInt64, _ payload: Payload) -> Token {
        if firstFree == Self.none { addEntries() }
        let index = firstFree
        firstFree = entries[index].next
        entries[index].deadline = min(deadline, Self.latestDeadline)
        entries[index].order = nextOrder
        entries[index].payload = payload
        nextOrder += 1
        count += 1
        place(index)
        return Token(index: index, serial: entries[index].serial)
    }

    private mutating func addEntries() {
        firstFree = entries.count
        let last = entries.count + PiecewiseArray<Entry>.pieceLength - 1
        entries.addPiece { index in
            Entry(
                deadline: 0, order: 0, next: index == last ? Self.none : index + 1,
                previous: Self.none, slot: Self.none, serial: 0, payload: nil)
        }
    }

    /// Disarms a timer.
    ///
    /// - Returns: its deadline and payload; nil when it has fired or was cancelled before.
    mutating func cancel(_ token: Token) -> (deadline: UInt64, payload: Payload)? {
        guard let index = find(token) else { return nil }
        unlink(index)
        return free(index)
    }

    /// The deadline of an armed timer.
    func deadline(of token: Token) -> UInt64? {
        find(token).map { entries[$0].deadline }
    }

    /// When ``advance(to:)`` has to be called next; nil when no timer is armed. May be earlier than
    /// the earliest deadline, never later than it by more than a tick.
    func nextAdvance() -> UInt64? {
        for level in occupied.indices where occupied[level] != 0 {
            return startTick(level: level, slot: firstSlot(level: level)) << tickShift
        }
        return nil
    }

    /// The earliest deadline of all; nil when no timer is armed.
    ///
    /// - Complexity: in the number of timers in one slot, which can be all of them.
    func earliestDeadline() -> UInt64? {
        for level in occupied.indices where occupied[level] != 0 {
            var earliest: UInt64?
            var next = slots[level * Self.slotsPerLevel + firstSlot(level: level)].head
            while next != Self.none {
                let deadline = entries[next].deadline
                earliest = min(earliest ?? deadline, deadline)
                next = entries[next].next
            }
            return earliest
        }
        return nil
    }

    /// Moves time forward and returns what has come due.
    mutating func advance(to now: UInt64) -> [Payload] {
        var due: [Due] = []
        advance(to: now, into: &due)
        return due.map { $0.payload }
    }

    /// Moves time forward and appends what has come due.
    mutating func advance(to now: UInt64, into due: inout [Due]) {
        let target = now >> tickShift
        while let level = occupied.firstIndex(where: { $0 != 0 }) {
            let slot = firstSlot(level: level)
            let tick = startTick(level: level, slot: slot)
            guard tick <= target else { break }
            current = tick
            if level == 0 {
                takeDue(slot: slot, into: &due)
            } else {
                cascade(level: level, slot: slot)
            }
        }
        current = max(current, target)
    }

    /// Disarms everything and returns the payloads.
    mutating func removeAll() -> [Payload] {
        var payloads: [Payload] = []
        for index in 0..<entries.count where entries[index].payload != nil {
            unlink(index)
            if let payload = free(index)?.payload { payloads.append(payload) }
        }
        return payloads
    }

    // MARK: - Slots

    private func find(_ token: Token) -> Int32? {
        guard token.index >= 0, token.index < entries.count,
            entries[token.index].serial == token.serial,
            entries[token.index].payload != nil
        else { return nil }
        return token.index
    }

    private mutating func place(_ index: Int32) {
        let tickLength = UInt64(1) << tickShift
        let roundedUp = (entries[index].deadline + tickLength - 1) >> tickShift
        let tick = max(roundedUp, current)
        let differing = (tick ^ current) | UInt64(Self.slotsPerLevel - 1)
        let level = (63 - differing.leadingZeroBitCount) / Int(Self.slotBits)
        let within = Int(tick >> (UInt64(level) * Self.slotBits)) & (Self.slotsPerLevel - 1)
        let slot = level * Self.slotsPerLevel + within
        let last = slots[slot].tail
        entries[index].slot = Int32(slot)
        entries[index].previous = last
        entries[index].next = Self.none
        if last == Self.none {
            slots[slot] = Slot(head: index, tail: index)
            occupied[level] |= 1 << UInt64(within)
        } else {
            entries[last].next = index
            slots[slot].tail = index
        }
    }

    private mutating func unlink(_ index: Int32) {
        // Field by field: a copy of the entry would count references to its payload.
        let slot = Int(entries[index].slot)
        let (previous, next) = (entries[index].previous, entries[index].next)
        if previous == Self.none {
            slots[slot].head = next
        } else {
            entries[previous].next = next
        }
        if next == Self.none {
            slots[slot].tail = previous
        } else {
            entries[next].previous = previous
        }
        if slots[slot].head == Self.none {
            occupied[slot / Self.slotsPerLevel] &= ~(1 << UInt64(slot % Self.slotsPerLevel))
        }
    }

    private mutating func free(_ index: Int32) -> (deadline: UInt64, payload: Payload)? {
        guard let payload = entries[index].payload.take() else { return nil }
        entries[index].serial &+= 1
        entries[index].next = firstFree
        firstFree = index
        count -= 1
        return (entries[index].deadline, payload)
    }

    private func firstSlot(level: Int) -> Int {
        occupied[level].trailingZeroBitCount
    }

    /// The first tick of a slot: `current` with the level's bits replaced and those below cleared.
    private func startTick(level: Int, slot: Int) -> UInt64 {
        let shift = UInt64(level) * Self.slotBits
        let above = (current >> (shift + Self.slotBits)) << (shift + Self.slotBits)
        return above | (UInt64(slot) << shift)
    }

    private mutating func takeDue(slot: Int, into due: inout [Due]) {
        var timers: [(deadline: UInt64, order: UInt64, index: Int32)] = []
        var next = slots[slot].head
        while next != Self.none {
            timers.append((entries[next].deadline, entries[next].order, next))
            next = entries[next].next
        }
        timers.sort { ($0.deadline, $0.order) < ($1.deadline, $1.order) }
        slots[slot] = Slot()
        occupied[0] &= ~(1 << UInt64(slot))
        for timer in timers {
            if let (deadline, payload) = free(timer.index) {
                due.append(Due(deadline: deadline, payload: payload))
            }
        }
    }

    private mutating func cascade(level: Int, slot: Int) {
        let position = level * Self.slotsPerLevel + slot
        var next = slots[position].head
        slots[position] = Slot()
        occupied[level] &= ~(1 << UInt64(slot))
        while next != Self.none {
            let index = next
            next = entries[index].next
            place(index)
        }
    }
}

/// Finds a timer in a ``TimerWheel`` again.
struct TimerWheelToken: Hashable, Sendable {
    let index: Int32
    let serial: UInt32

    /// Finds nothing.
    static let none = TimerWheelToken(index: -1, serial: 0)
}
