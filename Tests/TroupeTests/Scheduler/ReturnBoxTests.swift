//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Return box: ended processes go back to the thread that made them", .timeLimit(.minutes(4)))
struct ReturnBoxTests {
    /// Counts the objects that live.
    private final class Thing: Sendable {
        let living: Shared<Int>

        init(_ living: Shared<Int>) {
            self.living = living
            living.increment()
        }

        deinit { living.update { $0 -= 1 } }
    }

    /// Expectations cannot capture what is not copyable.
    private final class Box: Sendable {
        let living = Shared(0)
        private let box = ReturnBox<Thing>()

        var isOpen: Bool { box.isOpen }

        func open() { box.open() }

        func put(_ count: Int) {
            var things = (0..<count).map { _ in Unmanaged.passRetained(Thing(living)) }
            box.put(&things)
            #expect(things.isEmpty)
        }

        /// How many came out. They are destroyed.
        func takeAll(closing: Bool = false) -> Int {
            var things: [Unmanaged<Thing>] = []
            box.takeAll(&things, closing: closing)
            for thing in things { thing.release() }
            return things.count
        }
    }

    @Test("a closed box takes nothing: what is put there is destroyed at once")
    func closed() {
        let box = Box()
        #expect(!box.isOpen)
        box.put(3)
        #expect(box.living.value == 0 && box.takeAll() == 0)
        box.open()
        box.put(2)
        #expect(box.isOpen && box.living.value == 2)
        #expect(box.takeAll(closing: true) == 2)
        box.put(1)
        #expect(!box.isOpen && box.living.value == 0 && box.takeAll() == 0)
    }

    @Test("what was put there comes out once, all together")
    func order() {
        let box = Box()
        box.open()
        for count in [1, 64, 5] { box.put(count) }
        box.open()
        #expect(box.living.value == 70)
        #expect(box.takeAll() == 70 && box.takeAll() == 0)
        #expect(box.living.value == 0 && box.isOpen)
    }

    @Test("a full box takes no more, and keeps what it has")
    func full() {
        let box = Box()
        box.open()
        let countMax = ReturnBox<Thing>.countMax
        box.put(countMax - 1)
        box.put(2)
        #expect(box.living.value == countMax - 1)
        box.put(1)
        #expect(box.takeAll() == countMax)
    }

    @Test("returns are collected for one owner at a time")
    func returns() {
        let living = Shared(0)
        var returns = Returns<Thing>()
        #expect(returns.isEmpty && !returns.isFull)
        for _ in 0..<Returns<Thing>.countMax { returns.add(Thing(living), of: 3) }
        #expect(returns.isFull && returns.owner == 3 && living.value == 64)
        var all = returns.takeAll()
        #expect(returns.isEmpty && all.count == 64)
        for thing in all { thing.release() }
        all.removeAll(keepingCapacity: true)
        let memory = all.withUnsafeBufferPointer(\.baseAddress)
        // Not a copy: to add to what two refer to would be to allocate.
        returns.reuse(consume all)
        returns.add(Thing(living), of: 1)
        #expect(returns.owner == 1 && living.value == 1)
        let last = returns.takeAll()
        #expect(last.withUnsafeBufferPointer(\.baseAddress) == memory)
        for thing in last { thing.release() }
        #expect(living.value == 0)
    }

    @Test("what threads put there while the owner takes it out, opens and closes it, goes once")
    func concurrently() async {
        let box = Box()
        let putCount = 2000
        await withTaskGroup(of: Void.self) { group in
            for size in [1, 2, 3] {
                group.addTask { for _ in 0..<putCount { box.put(size) } }
            }
            group.addTask {
                for round in 0..<putCount {
                    if round % 7 == 0 { _ = box.takeAll(closing: true) }
                    box.open()
                    _ = box.takeAll()
                }
            }
        }
        _ = box.takeAll(closing: true)
        #expect(box.living.value == 0)
    }

    /// Keeps the other thread busy.
    private struct Blocker: GenServer {
        struct Turn: Sendable {
            let started = Gate()
            let mayEnd = Gate()
        }

        init(_ argument: Void, process: ServerProcess) {}

        mutating func handleCast(_ turn: Turn, process: ServerProcess) {
            turn.started.open()
            turn.mayEnd.waitBlocking()
        }
    }

    private struct Failure: Error { let thing: Thing }

    /// Ends with a reason that has an object.
    private struct Failing: GenServer {
        init(_ argument: Void, process: ServerProcess) {}
        mutating func handleCast(_ living: Shared<Int>, process: ServerProcess) throws {
            throw Failure(thing: Thing(living))
        }
    }

    /// Spawns servers that end on the other thread, and looks at what becomes of them, in one turn.
    private struct Spawner: GenServer {
        init(_ argument: Void, process: ServerProcess) {}

        /// How many of three ended processes there were: at first, and after each spawn. Last, how many
        /// of the objects in their reasons there were at first.
        mutating func handleCall(
            _ request: Void, from: From<[Int]>, process: ServerProcess
        ) throws -> CallResult<[Int]> {
            let blocker = try process.spawn(Blocker.self, ())
            func block() throws -> Gate {
                let turn = Blocker.Turn()
                try blocker.cast(turn)
                turn.started.waitBlocking()
                return turn.mayEnd
            }
            let inReasons = Shared(0)
            var cells: [Weakly] = []
            var living: Int { cells.count { $0.cell != nil } }
            // None runs before this thread has let go of them all.
            var mayRun = try block()
            for _ in 0..<3 {
                let failing = try process.spawn(Failing.self, ())
                cells.append(Weakly(cell: failing.cell))
                try failing.cast(inReasons)
            }
            mayRun.open()
            while process.node.count > 2 { Platform.nap(nanoseconds: 50_000) }
            // Its turn comes when the other thread has done with them.
            mayRun = try block()
            var counts = [living]
            let inReasonsCount = inReasons.value
            mayRun.open()
            while living > 0 {
                let before = living
                try process.spawn(Once.self, ()).cast(2)
                while process.node.count > 2 { Platform.nap(nanoseconds: 50_000) }
                if living != before { counts.append(living) }
            }
            return .reply(counts + [inReasonsCount])
        }
    }

    @Test("a busy thread destroys what it has made and others have ended, but for the reasons")
    func home() async throws {
        let scheduler = Scheduler.threads(2)
        let options = NodeOptions(events: NoEvents(), scheduler: scheduler)
        try await withNode(options) { node in
            let spawner = try node.spawn(Spawner.self, ())
            // Else the call would run on this thread.
            let counts = try await spawner.sendRequest(()).receive(timeout: .seconds(60))
            #expect(counts == [3, 2, 1, 0, 0])
        }
        scheduler.shutDown()
    }

    /// Ends with the first message.
    private struct Once: GenServer {
        init(_ argument: Void, process: ServerProcess) {}
        mutating func handleCast(_ message: Int, process: ServerProcess) throws {
            throw ExitReason.normal
        }
    }

    private struct Weakly: @unchecked Sendable {
        // Unchecked: a weak reference may be read by any thread.
        weak var cell: ProcessCell?
    }

    @Test("nothing of ended processes remains, whoever ended them", arguments: [1, 2, 4])
    func nothingRemains(threads: Int) async throws {
        let scheduler = Scheduler.threads(threads)
        let options = NodeOptions(events: NoEvents(), scheduler: scheduler)
        let cells = Shared<[Weakly]>([])
        try await withNode(options) { node in
            let spawner = try node.spawn { process in
                for round in 0..<20 {
                    for _ in 0..<200 {
                        let once = try process.spawn(Once.self, ())
                        if round % 5 == 0 {
                            cells.update { $0.append(Weakly(cell: once.cell)) }
                        }
                        try once.cast(1)
                    }
                    // Others run them meanwhile, and this thread does now.
                    await Task.yield()
                }
                return true
            }
            #expect(try await spawner.value)
            await waitWhile { node.count > 0 }
            await waitWhile { cells.value.contains { $0.cell != nil } }
        }
        #expect(cells.value.count == 800)
        scheduler.shutDown()
    }
}
