//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Call: a pure state machine")
struct CallStateTests {
    enum Input: Hashable, CaseIterable {
        case reply, timeout, exit, deferred
        case firstWaits, secondWaits, firstLeaves, secondLeaves
    }

    private static let pid = Pid(node: "n", id: 1, creation: 1)

    private struct Play {
        var state = CallState<Int, String>()
        var outcome: Input?
        var isDeferred = false
        var waiting: Set<Int> = []
        var woken: [Int] = []

        mutating func give(_ input: Input) {
            switch input {
            case .reply: finish(input, nil)
            case .timeout: finish(input, .timeout(CallStateTests.pid))
            case .exit: finish(input, .exited(.killed))
            case .deferred:
                #expect(state.deferred(by: "server") == (outcome == nil && !isDeferred))
                if outcome == nil { isDeferred = true }
            case .firstWaits: wait(1)
            case .secondWaits: wait(2)
            case .firstLeaves: leave(1)
            case .secondLeaves: leave(2)
            }
            #expect(state.isDone == (outcome != nil))
            #expect(state.isDeferredOrDone == (outcome != nil || isDeferred))
        }

        private mutating func finish(_ input: Input, _ error: CallError?) {
            switch state.finished(error) {
            case .ignore: #expect(outcome != nil)
            case .finish(let waiter, let more, let holder):
                #expect(outcome == nil)
                #expect(holder == (isDeferred ? "server" : nil))
                outcome = input
                let told = (waiter.map { [$0] } ?? []) + more
                #expect(Set(told) == waiting && told.count == waiting.count)
                woken += told
                waiting = []
                #expect(state.error == error)
            }
        }

        private mutating func wait(_ waiter: Int) {
            if waiting.contains(waiter) { return }
            #expect(state.waitBegan(waiter) == (outcome == nil))
            if outcome == nil { waiting.insert(waiter) }
        }

        private mutating func leave(_ waiter: Int) {
            state.waitEnded { $0 == waiter }
            waiting.remove(waiter)
        }
    }

    @Test("the first outcome counts, whoever waits is told once: every sequence of five inputs")
    func everySequence() {
        var count = 0
        func explore(_ play: Play, _ depth: Int) {
            count += 1
            guard depth < 5 else { return }
            for input in Input.allCases {
                var next = play
                next.give(input)
                explore(next, depth + 1)
            }
        }
        explore(Play(), 0)
        #expect(count == (0...5).reduce(0) { $0 + (0..<$1).reduce(1) { all, _ in all * 8 } })
    }
}
