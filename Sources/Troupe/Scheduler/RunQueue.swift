//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// One thing a worker can run: a step of a process, or a job of a task.
///
/// A tagged word, because a run queue is written and read for every message. A process is retained
/// while it is in a queue.
struct Runnable: Sendable {
    private let bits: UInt

    enum Kind {
        case process(ProcessCell)
        case job(UnownedJob)
    }

    init(_ cell: ProcessCell) {
        bits = UInt(bitPattern: Unmanaged.passRetained(cell).toOpaque())
    }

    init(_ job: UnownedJob) {
        // A job is a pointer to an aligned heap object; SE-0392 calls it "an opaque reference".
        let pointer = unsafeBitCast(job, to: UInt.self)
        assert(pointer & 1 == 0)
        bits = pointer | 1
    }

    /// Whether it is a process, and one that `isWanted`.
    func isProcess(where isWanted: (ProcessCell) -> Bool) -> Bool {
        guard bits & 1 == 0, let pointer = UnsafeMutableRawPointer(bitPattern: bits) else {
            return false
        }
        return isWanted(Unmanaged<ProcessCell>.fromOpaque(pointer).takeUnretainedValue())
    }

    /// What it is; to be called once, as it takes back the reference to the process.
    consuming func take() -> Kind {
        if bits & 1 == 1 { return .job(unsafeBitCast(bits & ~1, to: UnownedJob.self)) }
        guard let pointer = UnsafeMutableRawPointer(bitPattern: bits) else {
            preconditionFailure("a runnable is never nil")
        }
        return .process(Unmanaged<ProcessCell>.fromOpaque(pointer).takeRetainedValue())
    }
}

/// A first-in, first-out ring of runnables that grows as needed.
struct RunQueue: Sendable {
    private var slots: [Runnable?] = Array(repeating: nil, count: 64)
    private var first = 0
    private(set) var count = 0

    mutating func append(_ runnable: Runnable) {
        if count == slots.count { grow() }
        slots[(first + count) & (slots.count - 1)] = runnable
        count += 1
    }

    mutating func popFirst() -> Runnable? {
        guard count > 0 else { return nil }
        let runnable = slots[first]
        slots[first] = nil
        first = (first + 1) & (slots.count - 1)
        count -= 1
        return runnable
    }

    /// Removes the first, if it is a process that `isWanted`.
    mutating func popFirstProcess(where isWanted: (ProcessCell) -> Bool) -> ProcessCell? {
        guard count > 0, slots[first]?.isProcess(where: isWanted) == true,
            case .process(let cell)? = popFirst()?.take()
        else { return nil }
        return cell
    }

    /// Moves the older half, rounded up, to the end of `loot`; no more than `countMax`, as others wait
    /// for the queue meanwhile.
    mutating func popHalf(into loot: inout [Runnable], atMost countMax: Int) {
        for _ in 0..<min((count + 1) / 2, countMax) {
            if let runnable = popFirst() { loot.append(runnable) }
        }
    }

    private mutating func grow() {
        var larger = [Runnable?](repeating: nil, count: slots.count * 2)
        for offset in 0..<count { larger[offset] = slots[(first + offset) & (slots.count - 1)] }
        slots = larger
        first = 0
    }
}
