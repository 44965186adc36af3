// swift-tools-version: 6.2
//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import PackageDescription

let package = Package(
    name: "troupe",
    // The floor of `Synchronization`. Linux, musl and Android need no entry.
    platforms: [.macOS(.v15), .iOS(.v18), .tvOS(.v18), .watchOS(.v11), .visionOS(.v2)],
    products: [
        .library(name: "Troupe", targets: ["Troupe"]),
        .library(name: "TroupeTesting", targets: ["TroupeTesting"]),
    ],
    dependencies: [],
    targets: [
        .target(name: "Troupe"),
        .target(name: "TroupeTesting", dependencies: ["Troupe"]),
        .target(name: "CountedMalloc"),
        .executableTarget(
            name: "troupe-bench", dependencies: ["Troupe", "CountedMalloc"],
            resources: [.embedInCode("peer.erl")]),
        .testTarget(name: "TroupeTests", dependencies: ["Troupe"]),
        .testTarget(name: "TroupeTestingTests", dependencies: ["TroupeTesting", "FindTheBug"]),
        .testTarget(name: "WordCountTests", dependencies: ["WordCount"]),
        .testTarget(name: "DocumentationTests", dependencies: ["Hello"]),
        .testTarget(name: "RepositoryTests"),
    ]
        + [
            "ChatRoom", "Counter", "DiningPhilosophers", "Embedding", "Hello", "Links", "PingPong",
            "RateLimiter", "SelfHealingFetcher", "Supervised",
            "WordCount", "WorkerPool",
        ].map { example in
            .executableTarget(
                name: example, dependencies: ["Troupe"], path: "Examples/\(example)")
        }
        + [
            .executableTarget(
                name: "FindTheBug", dependencies: ["Troupe", "TroupeTesting"],
                path: "Examples/FindTheBug")
        ],
    swiftLanguageModes: [.v6]
)

for target in package.targets {
    var settings = target.swiftSettings ?? []
    settings += [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableUpcomingFeature("InferIsolatedConformances"),
    ]
    // Our own CI asks for this; a newer compiler's new warning must not break a user's build.
    if Context.environment["TROUPE_WARNINGS_AS_ERRORS"] != nil {
        settings.append(.treatAllWarnings(as: .error))
    }
    target.swiftSettings = settings
}
