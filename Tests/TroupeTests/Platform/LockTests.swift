//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Lock: one thread at a time", .timeLimit(.minutes(4)))
struct LockTests {
    /// Two numbers that are the same whenever nobody changes them.
    private struct Numbers: Sendable {
        private(set) var one = 0
        private(set) var other = 0

        /// Counts one more, and now and then lets other threads run in the middle of that.
        ///
        /// - Returns: whether both were the same.
        mutating func add() -> Bool {
            let wereSame = one == other
            one += 1
            if one % 64 == 0 { Platform.yieldThread() }
            other += 1
            return wereSame
        }
    }

    /// Neither tasks nor expectations can capture a lock.
    private final class Locked: Sendable {
        private let lock: Lock<Numbers>

        init(isApart: Bool) {
            if isApart {
                lock = Lock(apart: Numbers())
            } else {
                lock = Lock(Numbers())
            }
        }

        var numbers: Numbers { lock.withLock { $0 } }

        /// - Parameter throwing: whether the lock is given back because of an error.
        /// - Returns: whether both numbers were the same.
        func add(throwing: Bool) -> Bool {
            do throws(TestError) {
                return try lock.withLock { (numbers: inout Numbers) throws(TestError) -> Bool in
                    let wereSame = numbers.add()
                    if throwing { throw TestError(wereSame ? 1 : 0) }
                    return wereSame
                }
            } catch {
                return error.code == 1
            }
        }
    }

    @Test(
        "what several threads count within a lock is exact, and none sees the middle of a change",
        arguments: [false, true])
    func counts(isApart: Bool) async {
        let (locked, mistakes, turns) = (Locked(isApart: isApart), Count(), 4000)
        await onThreads(3, tasks: 3) { _ in
            for turn in 0..<turns {
                let wereSame = locked.add(throwing: turn % 16 == 0)
                if !wereSame { mistakes.add() }
            }
        }
        #expect(mistakes.value == 0)
        let numbers = locked.numbers
        #expect(numbers.one == 6 * turns && numbers.other == 6 * turns)
    }

    /// What stands beside the lock that protects it.
    private final class Guarded: @unchecked Sendable {
        // Unchecked: `numbers` is only touched with the lock held.
        private let word = LockWord()
        private var numbers = Numbers()

        func add() -> Bool {
            word.acquire()
            defer { word.release() }
            return numbers.add()
        }

        var current: Numbers {
            word.acquire()
            defer { word.release() }
            return numbers
        }
    }

    @Test("the same holds for a lock that stands beside what it protects")
    func word() async {
        let (guarded, mistakes, turns) = (Guarded(), Count(), 4000)
        await onThreads(3, tasks: 3) { _ in
            for _ in 0..<turns {
                let wereSame = guarded.add()
                if !wereSame { mistakes.add() }
            }
        }
        #expect(mistakes.value == 0)
        let numbers = guarded.current
        #expect(numbers.one == 6 * turns && numbers.other == 6 * turns)
    }

    /// Counts the objects that live.
    private final class Thing: Sendable {
        let numbers: [Int]
        private let living: Count

        init(_ living: Count) {
            let number = living.add()
            self.numbers = [number, number]
            self.living = living
        }

        deinit { living.add(-1) }
    }

    /// A place for one object.
    private final class Place: Sendable {
        let living = Count()
        private let lock = Lock<Thing?>(nil)

        func replace() {
            var thing: Thing? = Thing(living)
            lock.withLock { swap(&$0, &thing) }
            // The one before goes here, without the lock.
        }

        /// Whether the object is what it was when it was made.
        var isWhole: Bool {
            guard let thing = lock.withLock({ $0 }) else { return true }
            return thing.numbers.count == 2 && thing.numbers[0] == thing.numbers[1]
        }
    }

    @Test("an object that was read with the lock held lives on when another thread replaces it")
    func objects() async {
        let (place, mistakes) = (Place(), Count())
        await onThreads(2, tasks: 2) { number in
            for _ in 0..<4000 {
                if number % 2 == 0 {
                    place.replace()
                } else {
                    let isWhole = place.isWhole
                    if !isWhole { mistakes.add() }
                }
            }
        }
        #expect(mistakes.value == 0)
        #expect(place.living.value == 1)
    }

    private struct Cell: Sendable {
        var number = 0
        let thing: Thing
    }

    /// Neither tasks nor expectations can capture such an array.
    private final class Cells: Sendable {
        private let array: FixedArray<Lock<Cell>>

        init(count: Int, _ living: Count) {
            array = FixedArray(count: count) { Lock(Cell(thing: Thing(living))) }
        }

        var numbers: [Int] {
            (0..<array.count).map { index in withCell(at: index) { $0.number } }
        }

        func add(at index: Int) { withCell(at: index) { $0.number += 1 } }

        private func withCell<Result>(at index: Int, _ body: (inout Cell) -> Result) -> Result {
            array.withValue(at: index) { $0.withLock(body) }
        }
    }

    @Test("the values of a fixed array are used by several threads, and destroyed with it")
    func fixedArray() async {
        let (count, turns, living) = (5, 4000, Count())
        do {
            let cells = Cells(count: count, living)
            await onThreads(3, tasks: 2) { number in
                for turn in 0..<turns { cells.add(at: (number + turn) % count) }
            }
            #expect(cells.numbers == Array(repeating: turns, count: count))
            #expect(living.value == count)
        }
        // A thread that is about to end may have it for a moment.
        await waitWhile { living.value > 0 }
        #expect(living.value == 0)
    }
}
