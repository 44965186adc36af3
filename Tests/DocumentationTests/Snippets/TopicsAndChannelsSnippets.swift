//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

/// The code of the article of this name, so that it is compiled; see `ArticleTests`.
enum TopicsAndChannelsSnippets {
    static func part1(node: Node) async throws {
        let shop = try node.spawn(options: .init(name: "shop")) { process in
            let orders = process.listen("order", of: Int.self)
            let questions = process.listen("question")
            for _ in 0..<2 {
                let line = try await process.select(
                    .receive(orders) { "order for \($0)" },
                    .receive(questions) { "\($0.sender as Any) asks \($0.payload)" },
                    .after(.seconds(60)) { "nobody comes" })
                print(line ?? "closed")
            }
        }
        try node.send(3, to: "shop", topic: "order")
        try node.send("open on Sunday?", to: "shop", topic: "question")
        _ = try await shop.value
    }

    static func part2(process: Process) async throws {
        let jobs = process.listen("job", of: String.self)
        for try await job in jobs {
            if job == "last" { jobs.close() }
        }
    }

    static func part3(process: Process) async throws {
        let node = process.node
        let orders = process.listen("order", of: Int.self)
        let closing = node.clock.now.advanced(by: .seconds(3600))
        var isOpen = true
        while isOpen {
            isOpen =
                try await process.select(
                    .receive(orders) { number in number > 0 },
                    .at(closing) { false }) ?? false
        }
        _ = isOpen
    }

    static func part4(process: Process) async throws {
        let events = process.listenForEvents()
        for number in 1...5 { _ = try process.spawnMonitored { _ in number * number } }
        var sum = 0
        for _ in 1...5 {
            if case .down(let down)? = try await events.receive() {
                sum += down.result as? Int ?? 0
            }
        }
        _ = sum
    }
}
