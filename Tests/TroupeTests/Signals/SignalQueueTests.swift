//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Signal queue: a pure queue")
struct SignalQueueTests {
    /// Expectations cannot capture a queue.
    private final class Holder {
        private var queue = SignalQueue()

        deinit { queue.removeAll() }

        var isEmpty: Bool { queue.isEmpty }
        func append(_ signal: SignalQueue.Signal, position: UInt64) {
            queue.append(signal, position: position)
        }
        func firstDown(popped: UInt64) -> UInt64? { queue.firstDown(popped: popped) }
        func pop(popped: UInt64) -> String? { queue.popFirst(popped: popped).map(text) }
        func popRequest() -> Bool { queue.popFirstRequest() != nil }
        func removeLinkExits(from pids: Set<Pid>) -> [String] {
            queue.removeLinkExits(from: pids).map(text)
        }
        func removeAll() -> [String] { queue.removeAll().map(text) }

        private func text(_ signal: SignalQueue.Signal) -> String {
            switch signal {
            case .down(let fired): "down \(fired.id)"
            case .exit(let exit, let isOfLink): "exit \(exit.from.id) \(isOfLink)"
            case .response: "response"
            case .notice(let notice): "notice \(notice.message)"
            case .request: "request"
            }
        }
    }

    private static func pid(_ id: UInt64) -> Pid { Pid(node: "x", id: id, creation: 1) }

    private static func down(_ id: UInt64) -> SignalQueue.Signal {
        .down(FiredMonitor(id: id, target: pid(id), reason: .normal))
    }

    private static func exit(_ id: UInt64, isOfLink: Bool) -> SignalQueue.Signal {
        .exit(MessageExit(from: pid(id), reason: .normal), isOfLink: isOfLink)
    }

    private static var request: SignalQueue.Signal {
        .request(SystemRequest(.stop(.normal), reply: TypedReplyCell<Void>(callee: pid(1))))
    }

    @Test("a signal comes when the messages before it were taken, in the order of arrival")
    func order() {
        let queue = Holder()
        queue.append(Self.down(1), position: 0)
        queue.append(Self.exit(2, isOfLink: true), position: 3)
        queue.append(Self.down(3), position: 3)
        #expect(queue.firstDown(popped: 0) == 1)
        #expect(queue.pop(popped: 0) == "down 1")
        #expect(queue.pop(popped: 2) == nil && queue.firstDown(popped: 2) == nil)
        #expect(queue.firstDown(popped: 3) == nil)
        #expect(queue.pop(popped: 3) == "exit 2 true")
        #expect(queue.firstDown(popped: 3) == 3)
        #expect(queue.pop(popped: 9) == "down 3")
        #expect(queue.isEmpty && queue.pop(popped: 9) == nil)
    }

    @Test("a thousand go in and out in waves", arguments: [1, 7, 100])
    func waves(length: Int) {
        let queue = Holder()
        var (appended, taken) = (UInt64(0), UInt64(0))
        while taken < 1000 {
            for _ in 0..<length {
                queue.append(Self.down(appended), position: appended / 2)
                appended += 1
            }
            for _ in 0..<max(1, length / 2) {
                #expect(queue.pop(popped: appended) == "down \(taken)")
                taken += 1
            }
        }
        #expect(queue.removeAll().count == Int(appended - taken))
        #expect(queue.isEmpty)
    }

    @Test("a request is found wherever it stands, and the others keep their order")
    func requests() {
        let queue = Holder()
        #expect(!queue.popRequest())
        for id in 1...3 { queue.append(Self.down(UInt64(id)), position: 5) }
        queue.append(Self.request, position: 5)
        queue.append(Self.down(4), position: 6)
        queue.append(Self.request, position: 6)
        #expect(queue.popRequest())
        #expect(queue.removeAll() == ["down 1", "down 2", "down 3", "down 4", "request"])
    }

    @Test("only the exits of links with some processes are removed")
    func linkExits() {
        let queue = Holder()
        #expect(queue.removeLinkExits(from: [Self.pid(1)]).isEmpty)
        for id in 1...3 {
            queue.append(Self.exit(UInt64(id), isOfLink: true), position: 0)
            queue.append(Self.exit(UInt64(id), isOfLink: false), position: 0)
        }
        #expect(
            queue.removeLinkExits(from: [Self.pid(1), Self.pid(3)]) == [
                "exit 1 true", "exit 3 true",
            ])
        #expect(
            queue.removeAll() == [
                "exit 1 false", "exit 2 true", "exit 2 false", "exit 3 false",
            ])
    }
}
