//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Monitor table: a pure state machine")
struct MonitorTableTests {
    private static func pid(_ id: UInt64) -> Pid { Pid(node: "x", id: id, creation: 1) }

    enum Input: CaseIterable {
        case demonitor, targetEnds, downIsTaken, replyBegins, replyArrives, replyIsRefused
    }

    /// Plays one monitor, and keeps what must hold whatever comes.
    private struct Play {
        let mode: MonitorAlias?
        /// Whether a process is watched by its pid and there is nothing else.
        let isPlain: Bool
        var table = MonitorTable()
        var targetEnded = false
        var wasRemoved = false
        var isReplying = false
        var replyArrived = false
        var aliasIsActive: Bool
        var downsDelivered = 0
        var downsTaken = 0

        init(mode: MonitorAlias?, isPlain: Bool = false) {
            self.mode = mode
            self.isPlain = isPlain
            aliasIsActive = mode != nil
            let tag = isPlain ? nil : 5
            #expect(table.monitored(7, 1, as: object, tag: tag, alias: mode) == isPlain)
        }

        var object: MonitoredObject { isPlain ? .pid(pid(1)) : .name("n", node: "x") }

        /// Whether the driver could ever give this input now.
        func allows(_ input: Input) -> Bool {
            switch input {
            case .demonitor: true
            case .targetEnds: !targetEnded
            case .downIsTaken: downsDelivered > downsTaken
            case .replyBegins: mode == .replyDemonitor && aliasIsActive && !isReplying
            case .replyArrives, .replyIsRefused: isReplying
            }
        }

        mutating func give(_ input: Input) {
            switch input {
            case .demonitor:
                var remains = MonitorTable.Remains()
                switch table.demonitored(7, &remains) {
                case .none: #expect(wasRemoved || downsTaken > 0 || replyArrived)
                case .disarm(let target, let removesAlias):
                    #expect(target == (targetEnded && !isPlain ? 0 : 1))
                    #expect(removesAlias == (mode == .demonitor || mode == .replyDemonitor))
                    if removesAlias { aliasIsActive = false }
                case .flush:
                    #expect(targetEnded && !isPlain)
                }
                wasRemoved = true
            case .targetEnds:
                targetEnded = true
                // Into the mailbox, whatever the table says.
                if isPlain { return downsDelivered += 1 }
                deliver(table.downArrived(7, .shutdown, result: nil))
            case .downIsTaken:
                // A DOWN that was flushed stays in the mailbox and is passed over.
                if table.downTaken(7) {
                    downsTaken += 1
                } else {
                    downsDelivered -= 1
                }
                #expect(!wasRemoved || downsTaken == 0 || downsDelivered == downsTaken)
            case .replyBegins:
                isReplying = true
                aliasIsActive = false
                table.replyBegan(7)
            case .replyArrives, .replyIsRefused:
                isReplying = false
                let wasDelivered = input == .replyArrives
                replyArrived = replyArrived || wasDelivered
                var remains = MonitorTable.Remains()
                switch table.replyEnded(7, wasDelivered: wasDelivered, &remains) {
                case .none: #expect(wasRemoved || downsTaken > 0)
                case .disarm(let target):
                    #expect(wasDelivered && target == (targetEnded ? 0 : 1))
                case .restoreAlias:
                    #expect(!wasDelivered)
                    aliasIsActive = true
                case .deliver(let reason, _):
                    #expect(!wasDelivered && targetEnded)
                    deliver(table.downArrived(7, reason, result: nil))
                }
            }
        }

        private mutating func deliver(_ action: MonitorTable.DownAction) {
            switch action {
            case .ignore: #expect(wasRemoved || replyArrived)
            case .holdBack: #expect(isReplying)
            case .deliver(let fired, let removesAlias):
                let down = fired.message(on: NodeName("x"), creation: 1)
                #expect(down.ref.reference.id == 7 && down.reason == .shutdown)
                #expect(down.object == self.object)
                #expect(down.tag as? Int == 5)
                #expect(removesAlias == (mode == .demonitor || mode == .replyDemonitor))
                if removesAlias { aliasIsActive = false }
                downsDelivered += 1
            }
        }

        func check(_ inputs: [Input]) {
            #expect(downsTaken <= 1, "\(inputs)")
            if wasRemoved, downsTaken == 1 {
                let taken = inputs.firstIndex(of: .downIsTaken) ?? 0
                let removed = inputs.firstIndex(of: .demonitor) ?? 0
                #expect(taken < removed, "a DOWN after the monitor was removed: \(inputs)")
            }
            #expect(!(replyArrived && downsDelivered > 0 && !wasRemoved), "both: \(inputs)")
            let isSettled = wasRemoved || replyArrived || isReplying
            if targetEnded, !isSettled {
                #expect(downsDelivered == 1, "neither reply nor DOWN: \(inputs)")
            }
            if downsDelivered == 0, downsTaken == 0, !isSettled {
                #expect(aliasIsActive == (mode != nil), "\(inputs)")
            }
        }
    }

    @Test(
        "one DOWN at most, none after demonitor, never with a reply, never neither: every sequence",
        arguments: [nil, .explicitUnalias, .demonitor, .replyDemonitor] as [MonitorAlias?])
    func everySequence(mode: MonitorAlias?) {
        explore(Play(mode: mode))
    }

    @Test("the same of a monitor that only names a pid")
    func everySequenceOfPlain() {
        explore(Play(mode: nil, isPlain: true))
    }

    private func explore(_ play: Play) {
        var count = 0
        func explore(_ play: Play, _ inputs: [Input]) {
            play.check(inputs)
            count += 1
            guard inputs.count < 6 else { return }
            for input in Input.allCases where play.allows(input) {
                var next = play
                next.give(input)
                explore(next, inputs + [input])
            }
        }
        explore(play, [])
        #expect(count > 40)
    }

    @Test("what is watched is listed until the target has ended or the monitor is removed")
    func objects() {
        var table = MonitorTable()
        let objects = (1...3).map { MonitoredObject.name("\($0)", node: "x") }
        for (id, object) in objects.enumerated() {
            table.monitored(UInt64(id), UInt64(id) + 1, as: object, tag: nil, alias: nil)
        }
        table.monitored(3, 4, as: .pid(Self.pid(4)), tag: nil, alias: nil)
        let all = objects + [.pid(Self.pid(4))]
        #expect(table.objects(Self.pid) == all)
        #expect(table.objects { $0 == 1 ? nil : Self.pid($0) } == Array(all.dropFirst()))
        var remains = MonitorTable.Remains()
        _ = table.demonitored(1, &remains)
        _ = table.downArrived(2, .normal, result: nil)
        #expect(table.objects(Self.pid) == [all[0], all[3]])
        var disarmed: [UInt64: UInt64] = [:]
        table.ended { id, target in disarmed[id] = target }
        #expect(disarmed == [0: 1, 3: 4])
        #expect(table.isEmpty)
    }
}
