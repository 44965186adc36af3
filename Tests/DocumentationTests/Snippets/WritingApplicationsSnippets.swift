//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

private struct Till: GenServer {
    init(_: Void, process: ServerProcess) {}
}

private struct Database: Application {
    var spec: ApplicationSpec { .init(name: "database") }

    func start(process: ApplicationContext) async throws -> Pid {
        try process.spawnLinked(Till.self).pid
    }
}

/// The code of the article of this name, so that it is compiled; see `ArticleTests`.
enum ApplicationsSnippets {
    struct Shop: Application {
        var spec: ApplicationSpec {
            .init(
                name: "shop", dependencies: ["database"],
                environment: Environment().setting(Currency.self, to: "EUR"))
        }

        func start(process: ApplicationContext) async throws -> Pid {
            try process.spawnLinked(Till.self, options: .init(name: "till")).pid
        }
    }

    enum Currency: EnvironmentKey { typealias Value = String }

    static func part1(node: Node) async throws {
        let applications = node.applications
        try await applications.load(Database())
        try await applications.load(Shop())
        try await applications.ensureAllStarted("shop")  // ["database", "shop"]
    }

    static func part2(process: Process, applications: Applications) {
        let currency = process.environment(Currency.self)
        applications.setEnvironment(Currency.self, to: "USD", of: "shop")
        _ = currency
    }

    static func part3(applications: Applications) async throws {
        try await applications.start("shop", mode: .permanent)
    }
}
