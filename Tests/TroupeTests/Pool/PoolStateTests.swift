//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("What a pool decides")
struct PoolStateTests {
    private func pid(_ id: Int) -> Pid { Pid(node: "test", id: UInt64(id), creation: 1) }

    private func instant(_ milliseconds: UInt64) -> NodeClock.Instant {
        .init(nanoseconds: milliseconds * 1_000_000)
    }

    /// With the workers 1, 2, …, which are idle since the instant with their number.
    private func state(
        _ sizes: ClosedRange<Int>, capacity: Int = 3, overflow: PoolOverflow = .reject,
        workers: Int
    ) -> PoolState<Int> {
        var state = PoolState<Int>(sizes: sizes, capacity: capacity, overflow: overflow)
        for number in 0..<workers {
            state.started(pid(number + 1), at: instant(0))
            #expect(state.nextJob(for: pid(number + 1), at: instant(UInt64(number + 1))) == nil)
        }
        return state
    }

    @Test("it wants the least number of workers at first")
    func starts() {
        var state = state(2...3, workers: 0)
        #expect(state.wantsWorker)
        state.started(pid(1), at: instant(0))
        #expect(state.wantsWorker)
        state.started(pid(2), at: instant(0))
        #expect(!state.wantsWorker && state.workerCount == 2 && state.idleCount == 0)
        #expect(state.nextJob(for: pid(1), at: instant(0)) == nil)
        #expect(state.idleCount == 1)
        #expect(state.pids == [pid(1), pid(2)])
    }

    @Test("the worker that was used last is used first")
    func lastFirst() {
        var state = state(1...3, workers: 3)
        #expect(state.arrived(10).worker == pid(3))
        #expect(state.arrived(11).worker == pid(2))
        #expect(state.nextJob(for: pid(3), at: instant(9)) == nil)
        #expect(state.arrived(12).worker == pid(3))
        #expect(state.arrived(13).worker == pid(1))
        #expect(state.idleCount == 0 && state.waitingCount == 0)
    }

    @Test("jobs wait in order, up to the capacity; then the policy decides", arguments: 0...3)
    func overflow(capacity: Int) {
        for overflow in [PoolOverflow.reject, .dropOldest] {
            var state = state(1...1, capacity: capacity, overflow: overflow, workers: 1)
            #expect(state.arrived(0).worker == pid(1))
            for job in 1..<capacity + 1 { #expect(state.arrived(job).isWaiting) }
            #expect(state.waitingCount == capacity)
            let refused = state.arrived(99).refused
            #expect(refused == (overflow == .reject || capacity == 0 ? 99 : 1))
            #expect(state.waitingCount == capacity)
            var done: [Int] = []
            while let job = state.nextJob(for: pid(1), at: instant(1)) { done.append(job) }
            let kept = Array(1..<capacity + 1)
            #expect(
                done == (overflow == .reject || capacity == 0 ? kept : kept.dropFirst() + [99]))
            #expect(state.idleCount == 1)
        }
    }

    @Test("where there may be more workers a job waits for one of them, whatever the capacity")
    func grows() {
        var state = state(0...2, capacity: 0, workers: 0)
        #expect(!state.wantsWorker)
        #expect(state.arrived(1).isWaiting)
        #expect(state.wantsWorker)
        state.started(pid(1), at: instant(0))
        #expect(state.nextJob(for: pid(1), at: instant(0)) == 1)
        #expect(!state.wantsWorker)
        #expect(state.arrived(2).isWaiting && state.wantsWorker)
        state.started(pid(2), at: instant(0))
        #expect(state.nextJob(for: pid(2), at: instant(0)) == 2)
        #expect(state.arrived(3).refused == 3)
    }

    @Test("a worker that has ended is replaced, and gets nothing any more")
    func ends() {
        var state = state(2...2, workers: 2)
        #expect(state.arrived(1).worker == pid(2))
        state.ended(pid(2))
        #expect(state.wantsWorker && state.workerCount == 1)
        #expect(state.nextJob(for: pid(2), at: instant(3)) == nil && state.idleCount == 1)
        state.ended(pid(1))
        state.ended(pid(7))
        #expect(state.workerCount == 0 && state.idleCount == 0 && state.arrived(2).isWaiting)
        state.started(pid(3), at: instant(4))
        #expect(state.nextJob(for: pid(3), at: instant(4)) == 2)
        // An idle worker that is asked again has nothing to do.
        #expect(state.nextJob(for: pid(3), at: instant(5)) == nil)
        #expect(state.nextJob(for: pid(3), at: instant(6)) == nil && state.idleCount == 1)
    }

    @Test("a job that comes back is done before those that wait, by whoever is idle")
    func returned() {
        var state = state(1...1, capacity: 2, workers: 1)
        for job in 1...3 { _ = state.arrived(job) }
        #expect(state.nextJob(for: pid(1), at: instant(1)) == 2)
        state.returned(2)
        state.returned(1)
        // It may be more than the capacity: what was accepted is not refused.
        #expect(state.waitingCount == 3 && state.arrived(4).refused == 4)
        for job in 1...3 { #expect(state.nextJob(for: pid(1), at: instant(1)) == job) }
        #expect(state.nextJob(for: pid(1), at: instant(1)) == nil)
        state.returned(5)
        let taken = state.takeWaiting()
        #expect(taken?.worker == pid(1) && taken?.job == 5)
        #expect(state.takeWaiting() == nil && state.idleCount == 0)
    }

    @Test("unwanted jobs are dropped up to the first that is wanted")
    func unwanted() {
        var state = state(1...1, capacity: 9, workers: 1)
        for job in 0...5 { _ = state.arrived(job) }
        state.dropWaiting { $0 < 3 || $0 == 4 }
        #expect(state.waitingCount == 3)
        state.dropWaiting { _ in true }
        #expect(state.waitingCount == 0)
        state.dropWaiting { _ in true }
        #expect(state.nextJob(for: pid(1), at: instant(1)) == nil)
    }

    @Test("workers beyond the least number go when they have been idle for long enough")
    func trims() {
        var state = state(1...4, workers: 4)
        let limit = Duration.milliseconds(10)
        #expect(state.nextTrim(after: limit) == instant(11))
        #expect(state.idleTooLong(limit, at: instant(10)) == [])
        #expect(state.idleTooLong(limit, at: instant(12)) == [pid(1), pid(2)])
        #expect(state.idleTooLong(limit, at: instant(99)) == [pid(1), pid(2), pid(3)])
        for _ in 0..<3 { _ = state.arrived(0) }
        // One is idle and three are busy: it may go.
        #expect(state.idleTooLong(limit, at: instant(99)) == [pid(1)])
        state.ended(pid(1))
        #expect(
            state.idleTooLong(limit, at: instant(99)) == [] && state.nextTrim(after: limit) == nil)
        for number in 2...4 { _ = state.nextJob(for: pid(number), at: instant(50)) }
        #expect(state.nextTrim(after: limit) == instant(60))
        state.ended(pid(2))
        state.ended(pid(3))
        #expect(state.nextTrim(after: limit) == nil)
    }

    @Test("a worker that was used in between has not been idle long")
    func usedInBetween() {
        var state = state(0...1, workers: 1)
        _ = state.arrived(1)
        _ = state.nextJob(for: pid(1), at: instant(50))
        #expect(state.idleTooLong(.milliseconds(10), at: instant(55)) == [])
        #expect(state.nextTrim(after: .milliseconds(10)) == instant(60))
    }

    /// Random arrivals, ends and failures, against what has to hold at any time.
    @Test("no job is lost or done twice, whatever happens", arguments: 0..<30)
    func random(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let sizes = Int(seed % 3)...Int(seed % 3 + 2)
        var state = PoolState<Int>(
            sizes: sizes, capacity: 4, overflow: seed % 2 == 0 ? .reject : .dropOldest)
        var (busy, idle): ([Pid: Int], Set<Pid>) = ([:], [])
        var (nextPid, nextJob, open): (Int, Int, Set<Int>) = (0, 0, [])
        func settle() {
            while let (worker, job) = state.takeWaiting() {
                idle.remove(worker)
                busy[worker] = job
            }
            while state.wantsWorker {
                nextPid += 1
                state.started(pid(nextPid), at: instant(0))
                give(pid(nextPid))
            }
        }
        func give(_ worker: Pid) {
            if let job = state.nextJob(for: worker, at: instant(0)) {
                busy[worker] = job
            } else {
                idle.insert(worker)
            }
        }
        for _ in 0..<2000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                nextJob += 1
                open.insert(nextJob)
                switch state.arrived(nextJob) {
                case .start(let worker):
                    idle.remove(worker)
                    busy[worker] = nextJob
                case .wait: break
                case .refuse(let job): open.remove(job)
                }
            case 2:
                guard let (worker, job) = busy.randomElement(using: &random) else { continue }
                busy[worker] = nil
                open.remove(job)
                give(worker)
            default:
                let all = idle.union(busy.keys).sorted { $0.id < $1.id }
                guard let worker = all.randomElement(using: &random) else { continue }
                idle.remove(worker)
                if let job = busy.removeValue(forKey: worker) { state.returned(job) }
                state.ended(worker)
            }
            settle()
            #expect(state.workerCount == busy.count + idle.count && state.idleCount == idle.count)
            #expect(sizes.contains(state.workerCount))
            #expect(state.waitingCount == open.count - busy.count)
            #expect(state.waitingCount == 0 || idle.isEmpty)
            #expect(Set(busy.values).count == busy.count && open.isSuperset(of: busy.values))
        }
    }
}

extension PoolState.Placement {
    fileprivate var worker: Pid? { if case .start(let pid) = self { pid } else { nil } }
    fileprivate var refused: Job? { if case .refuse(let job) = self { job } else { nil } }
    fileprivate var isWaiting: Bool { if case .wait = self { true } else { false } }
}
