//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

private struct Counter: GenServer {
    enum Call: Sendable { case value }
    enum Cast: Sendable { case increment(by: Int) }
    var count: Int

    init(_ start: Int, process: ServerProcess) { count = start }

    mutating func handleCall(
        _ request: Call, from: From<Int>, process: ServerProcess
    ) -> CallResult<Int> { .reply(count) }

    mutating func handleCast(_ message: Cast, process: ServerProcess) {
        switch message {
        case .increment(let amount): count += amount
        }
    }
}

private enum Room: Hashable { case number(Int), lobby }

/// The code of the article of this name, so that it is compiled; see `ArticleTests`.
enum RegistriesAndGroupsSnippets {
    fileprivate static func part1(node: Node) throws {
        enum Room: Hashable { case number(Int), lobby }

        let rooms = KeyRegistry<Room, String>(on: node)
        let lobby = try node.spawn(
            Counter.self, 0, options: .init(registration: rooms.registration(.lobby, "open")))

        try rooms.whereis(.lobby, as: Counter.self)?.cast(.increment(by: 1))
        for entry in rooms.lookup(.lobby) { print(entry.pid, entry.value) }
        _ = lobby
    }

    fileprivate static func part2(node: Node, rooms: KeyRegistry<Room, String>) throws {
        let clerk = try node.spawn { process in
            try process.register(.number(1), "being cleaned", in: rooms)
            process.updateValue(of: .number(1), in: rooms) { _ in "clean" }
            process.unregister(.number(1), from: rooms)
        }
        _ = clerk
    }

    fileprivate static func part3(node: Node) {
        let topics = KeyRegistry<String, Int>(on: node, keys: .duplicate)
        topics.dispatch("news") { entries in
            for entry in entries { try? node.send("extra!", to: entry.pid) }
        }
    }

    fileprivate static func part4(node: Node) {
        let watched = KeyRegistry<String, Int>(on: node, listeners: ["auditor"])
        _ = watched
    }

    fileprivate static func part5(node: Node, lobby: ServerRef<Counter>) throws {
        let workers = GroupScope<String>(on: node)
        try workers.join("resize", [lobby.pid])
        if let any = workers.members(of: "resize").randomElement() {
            try? node.send("job", to: any)
        }
        workers.leave("resize", lobby.pid)
    }

    fileprivate static func part6(node: Node, workers: GroupScope<String>) throws {
        let watcher = try node.spawn { process in
            let (ref, members) = try process.monitor(group: "resize", in: workers)
            var count = members.count
            while let message = try await process.receive() as? MessageGroupChange<String>,
                message.ref == ref
            {
                count += message.change == .join ? message.pids.count : -message.pids.count
            }
        }
        _ = watcher
    }

    fileprivate static func part7(node: Node) throws {
        let producer = try node.spawn { process in
            let prices = try process.registerEvent(
                "prices", of: Double.self,
                options: .init(bufferCapacity: 10, notifiesProducer: true))
            while let message = try await process.receive() as? MessageEventStart {
                print("somebody listens to", message.event)
                try prices.publish(1.25)
            }
        }
        _ = producer
    }

    fileprivate static func part8(node: Node) throws {
        let subscriber = try node.spawn { process in
            for old in try process.subscribe(to: "prices", of: Double.self) { print(old.message) }
            while true {
                switch try await process.receive() {
                case let price as MessageEvent<Double>: print(price.number, price.message)
                case let down as MessageEventDown: return print("no more prices:", down.reason)
                default: break
                }
            }
        }
        _ = subscriber
    }
}
