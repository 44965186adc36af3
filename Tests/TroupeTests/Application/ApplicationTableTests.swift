//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("The table of applications")
struct ApplicationTableTests {
    private typealias Table = ApplicationTable<Int>

    /// The actions in words: `+a1 t` starts run 1 of `a`, `-a1` stops it, `7 ok`, `7 [a]` and
    /// `7 error` are answers.
    private func words(_ actions: [Table.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .startMaster(let name, let run, let mode): "+\(name)\(run) \("\(mode)".prefix(1))"
            case .stopMaster(let name, let run): "-\(name)\(run)"
            case .unloaded(let names): "unloaded \(names.joined(separator: " "))"
            case .answer(let request, .success(let names)):
                "\(request) ok \(names.joined(separator: " "))"
            case .answer(let request, .failure(let error)): "\(request) \(error)"
            case .reportStarted(let name, let run): "started \(name)\(run)"
            case .reportExited(let exit):
                "\(exit.wasStopped ? "stopped" : "exited") \(exit.application) \(exit.reason)"
            case .stopNode: "stop node"
            }
        }
    }

    /// Loads `a`, `b` that needs `a`, and so on.
    private func chain(_ names: String...) throws -> Table {
        var table = Table(node: "n")
        var last: [String] = []
        for name in names {
            try table.load(.init(name: name, dependencies: last))
            last = [name]
        }
        return table
    }

    private func said(_ error: ApplicationError, to request: Int) -> String {
        "\(request) \(error)"
    }

    @Test("one application: start, run, stop, start again")
    func life() throws {
        var table = try chain("a")
        #expect(words(table.start("a", .permanent, ensures: false, 1)) == ["+a1 p"])
        #expect(table.state(of: "a")?.phase == .starting)
        #expect(words(table.started("a", run: 1)) == ["started a1", "1 ok a"])
        #expect(words(table.started("a", run: 1)) == [])
        #expect(words(table.stop("a", 2)) == ["-a1"])
        #expect(words(table.stop("a", 3)) == [])
        #expect(
            words(table.ended("a", run: 1, reason: .shutdown))
                == ["stopped a shutdown", "2 ok ", "3 ok "])
        #expect(words(table.ended("a", run: 1, reason: .shutdown)) == [])
        #expect(words(table.stop("a", 4)) == [said(.notStarted("a"), to: 4)])
        #expect(words(table.start("a", .temporary, ensures: false, 5)) == ["+a2 t"])
        // What comes of an earlier run is not believed.
        #expect(words(table.started("a", run: 1)) == [])
        #expect(words(table.ended("a", run: 1, reason: .killed)) == [])
        #expect(words(table.started("a", run: 2)) == ["started a2", "5 ok a"])
    }

    @Test("two starts at once: the first is it, the second is told so, or content")
    func twoStarts() throws {
        var table = try chain("a")
        #expect(words(table.start("a", .temporary, ensures: false, 1)) == ["+a1 t"])
        #expect(words(table.start("a", .temporary, ensures: false, 2)) == [])
        #expect(words(table.start("a", .temporary, ensures: true, 3)) == [])
        #expect(words(table.startAll("a", .temporary, 4)) == [])
        #expect(
            words(table.started("a", run: 1)) == [
                "started a1", "1 ok a", said(.alreadyStarted("a"), to: 2), "3 ok ", "4 ok ",
            ])
        var other = try chain("a")
        _ = other.start("a", .temporary, ensures: false, 1)
        _ = other.start("a", .temporary, ensures: false, 2)
        let failure = ApplicationError.startFailed("a", .custom("x"))
        #expect(
            words(other.ended("a", run: 1, reason: .custom("x")))
                == [said(failure, to: 1), said(failure, to: 2)])
        #expect(other.state(of: "a")?.phase == .loaded)
    }

    @Test("a stop during the start: the start fails, whatever its mode, and the node goes on")
    func stopDuringStart() throws {
        for mode in ApplicationMode.allCases {
            var table = try chain("a")
            _ = table.start("a", mode, ensures: false, 1)
            #expect(words(table.stop("a", 2)) == ["-a1"])
            // It had just been started when it was told.
            #expect(words(table.started("a", run: 1)) == [])
            #expect(
                words(table.start("a", mode, ensures: false, 3)) == [said(.stopping("a"), to: 3)])
            #expect(
                words(table.ended("a", run: 1, reason: .shutdown))
                    == [said(.startFailed("a", .shutdown), to: 1), "2 ok "])
        }
    }

    @Test("what an end means: all modes, all reasons, during and after the start, stopped or not")
    func ends() throws {
        for mode in ApplicationMode.allCases {
            for reason in ExitReason.examples {
                let stopsNode = mode == .permanent || (mode == .transient && reason != .normal)
                for isStarted in [false, true] {
                    for isStopped in [false, true] {
                        var table = try chain("a")
                        _ = table.start("a", mode, ensures: false, 1)
                        if isStarted { _ = table.started("a", run: 1) }
                        if isStopped { _ = table.stop("a", 2) }
                        let actions = words(table.ended("a", run: 1, reason: reason))
                        #expect(actions.contains("stop node") == (stopsNode && !isStopped))
                        let report = "\(isStopped ? "stopped" : "exited") a \(reason)"
                        #expect(actions.contains(report) == isStarted)
                        let failure = said(.startFailed("a", reason), to: 1)
                        #expect(actions.contains(failure) == !isStarted)
                        #expect(actions.contains("2 ok ") == isStopped)
                        #expect(
                            table.state(of: "a")?.phase
                                == (isStarted && !isStopped ? .ended : .loaded))
                    }
                }
            }
        }
    }

    @Test("one that has ended by itself can be stopped, started and unloaded")
    func ended() throws {
        for next in 0..<3 {
            var table = try chain("a")
            _ = table.start("a", .temporary, ensures: false, 1)
            _ = table.started("a", run: 1)
            _ = table.ended("a", run: 1, reason: .killed)
            switch next {
            case 0:
                #expect(words(table.stop("a", 2)) == ["2 ok "])
                #expect(words(table.stop("a", 3)) == [said(.notStarted("a"), to: 3)])
            case 1: #expect(words(table.start("a", .permanent, ensures: true, 2)) == ["+a2 p"])
            default: #expect(words(table.unload("a", 2)) == ["unloaded a", "2 ok "])
            }
        }
    }

    @Test("all that is needed, one after the other; what runs is passed over, what starts awaited")
    func startAll() throws {
        var table = try chain("a", "b", "c", "d")
        #expect(words(table.startAll("d", .transient, 1)) == ["+a1 t"])
        #expect(words(table.started("a", run: 1)) == ["started a1", "+b2 t"])
        // A second request joins.
        #expect(words(table.startAll("c", .temporary, 2)) == [])
        #expect(words(table.started("b", run: 2)) == ["started b2", "+c3 t"])
        #expect(
            words(table.started("c", run: 3)) == ["started c3", "+d4 t", "2 ok "])
        #expect(words(table.started("d", run: 4)) == ["started d4", "1 ok a b c d"])
        #expect(words(table.startAll("d", .temporary, 3)) == ["3 ok "])
    }

    @Test("when one fails what was started is stopped again, last first, and nothing else")
    func rollBack() throws {
        var table = try chain("a", "b", "c", "d")
        _ = table.start("a", .temporary, ensures: false, 1)
        _ = table.started("a", run: 1)
        _ = table.startAll("d", .temporary, 2)
        _ = table.started("b", run: 2)
        _ = table.started("c", run: 3)
        #expect(words(table.ended("d", run: 4, reason: .custom("x"))) == ["-c3"])
        // Somebody else has stopped this one, and started it again: it is not touched.
        _ = table.stop("b", 3)
        _ = table.ended("b", run: 2, reason: .shutdown)
        _ = table.start("b", .temporary, ensures: false, 4)
        #expect(
            words(table.ended("c", run: 3, reason: .shutdown)) == [
                "stopped c shutdown", said(.startFailed("d", .custom("x")), to: 2),
            ])
        #expect(table.state(of: "a")?.phase == .running)
    }

    @Test("cycles, missing dependencies and dependencies that do not run are named")
    func badDependencies() throws {
        var table = Table(node: "n")
        try table.load(.init(name: "a", dependencies: ["b"]))
        try table.load(.init(name: "b", dependencies: ["c"]))
        #expect(words(table.startAll("a", .temporary, 1)) == [said(.notLoaded("c"), to: 1)])
        try table.load(.init(name: "c", dependencies: ["b"]))
        #expect(
            words(table.startAll("a", .temporary, 2)) == [
                said(.dependencyCycle(["b", "c"]), to: 2)
            ])
        var other = try chain("a", "b")
        #expect(
            words(other.start("b", .temporary, ensures: true, 1))
                == [said(.dependencyNotStarted("a", of: "b"), to: 1)])
        let notRunning = said(.dependencyNotRunning("a", of: "b"), to: 3)
        _ = other.start("a", .temporary, ensures: false, 2)
        #expect(words(other.start("b", .temporary, ensures: false, 3)) == [notRunning])
        _ = other.started("a", run: 1)
        _ = other.ended("a", run: 1, reason: .killed)
        #expect(words(other.start("b", .temporary, ensures: false, 3)) == [notRunning])
    }

    @Test("a shutdown stops everything, the last start first, and then nothing starts any more")
    func shutDown() throws {
        var table = try chain("a", "b", "c", "d")
        for (run, name) in ["a", "b"].enumerated() {
            _ = table.start(name, .permanent, ensures: false, run)
            _ = table.started(name, run: UInt64(run + 1))
        }
        _ = table.startAll("d", .permanent, 7)
        _ = table.stop("a", 8)
        let stopped = ApplicationError.nodeStopped(node: "n")
        #expect(words(table.shutDown(9)) == ["-c3"])
        #expect(words(table.shutDown(10)) == [])
        #expect(
            words(table.start("d", .temporary, ensures: false, 11)) == [said(stopped, to: 11)])
        #expect(words(table.startAll("d", .temporary, 12)) == [said(stopped, to: 12)])
        // What was being started has failed; its request does not stop anything itself.
        #expect(
            words(table.ended("c", run: 3, reason: .shutdown)) == [said(stopped, to: 7), "-b2"])
        #expect(words(table.ended("b", run: 2, reason: .shutdown)) == ["stopped b shutdown"])
        #expect(
            words(table.ended("a", run: 1, reason: .killed))
                == ["stopped a killed", "8 ok ", "9 ok ", "10 ok "])
        var idle = try chain("a")
        #expect(words(idle.shutDown(1)) == ["1 ok "])
    }

    @Test("every request of a random history is answered exactly once")
    func answers() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<300 {
            var table = try chain("a", "b", "c")
            var live: [(name: String, run: UInt64)] = []
            var answered: [Int] = []
            var request = 0
            func note(_ actions: [Table.Action]) {
                for action in actions {
                    switch action {
                    case .startMaster(let name, let run, _): live.append((name, run))
                    case .answer(let request, _): answered.append(request)
                    default: break
                    }
                }
            }
            for _ in 0..<60 {
                let name = ["a", "b", "c"].randomElement(using: &generator) ?? "a"
                switch Int.random(in: 0..<7, using: &generator) {
                case 0:
                    request += 1
                    note(table.start(name, .temporary, ensures: .random(), request))
                case 1:
                    request += 1
                    note(table.startAll(name, .temporary, request))
                case 2:
                    request += 1
                    note(table.stop(name, request))
                case 3, 4:
                    if let (name, run) = live.randomElement(using: &generator) {
                        note(table.started(name, run: run))
                    }
                default:
                    if !live.isEmpty {
                        let (name, run) = live.remove(
                            at: .random(in: live.indices, using: &generator))
                        note(table.ended(name, run: run, reason: .custom("x")))
                    }
                }
            }
            request += 1
            note(table.shutDown(request))
            while !live.isEmpty {
                let (name, run) = live.removeFirst()
                note(table.ended(name, run: run, reason: .shutdown))
            }
            #expect(answered.sorted() == Array(1...request))
        }
    }
}
