//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Troupe

extension Figure {
    /// A tree of processes, ten children each, with a million leaves that send their numbers up;
    /// each process adds up what its children send, and ends.
    static let skynet: [Figure] = [
        skynet(.direct) { process, size in
            let root = try process.spawn(
                Skynet.self, Skynet.Argument(parent: .driver(process.pid), number: 0, size: size))
            try root.cast(.start(own: root))
        },
        skynet(.async) { process, size in
            let root = try await process.spawn(
                AsyncSkynet.self,
                AsyncSkynet.Argument(parent: .driver(process.pid), number: 0, size: size))
            try root.cast(.start(own: root))
        },
        skynet(.closure) { process, size in
            let parent = process.pid
            try process.spawn { try await $0.runSkynet(parent: parent, number: 0, size: size) }
        },
    ]

    private static func skynet(
        _ kind: ProcessKind,
        _ start: @escaping @Sendable (Process, _ size: Int) async throws -> Void
    ) -> Figure {
        let name = "skynet" + kind.suffix
        return Figure(name, hasPeer: kind == .direct) { process in
            try await start(process, 100)
            let small = try await process.receive(Int.self)
            try check(small == 4950, "the small sum is \(small)")
            try await process.settle()
            let time = try await timed {
                try await start(process, 1_000_000)
                let sum = try await process.receive(Int.self)
                try check(sum == 499_999_500_000, "the sum is \(sum)")
            }
            return [.milliseconds(name, time)]
        }
    }
}

/// A process of the tree.
private struct Skynet: GenServer {
    enum Parent: Sendable {
        case driver(Pid)
        case node(ServerRef<Skynet>)
    }

    struct Argument: Sendable {
        let parent: Parent
        /// The number of the first leaf under this process.
        let number: Int
        /// How many leaves there are under it; 1 for a leaf.
        let size: Int
    }

    enum Cast: Sendable {
        case start(own: ServerRef<Skynet>)
        case sum(Int)
    }

    private let argument: Argument
    private var sum = 0
    private var childrenLeft = 10

    init(_ argument: Argument, process: ServerProcess) {
        self.argument = argument
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) throws {
        switch message {
        case .start(let own):
            if argument.size == 1 { try finish(argument.number, process) }
            let size = argument.size / 10
            for index in 0..<10 {
                let child = try process.spawn(
                    Skynet.self,
                    Argument(
                        parent: .node(own), number: argument.number + index * size, size: size))
                try child.cast(.start(own: child))
            }
        case .sum(let part):
            sum += part
            childrenLeft -= 1
            if childrenLeft == 0 { try finish(sum, process) }
        }
    }

    /// Sends the sum up and ends.
    private func finish(_ sum: Int, _ process: ServerProcess) throws -> Never {
        switch argument.parent {
        case .driver(let pid): try process.send(sum, to: pid)
        case .node(let parent): try parent.cast(.sum(sum))
        }
        throw ExitReason.normal
    }
}

/// The same as an async server.
private struct AsyncSkynet: AsyncGenServer {
    enum Parent: Sendable {
        case driver(Pid)
        case node(ServerRef<AsyncSkynet>)
    }

    struct Argument: Sendable {
        let parent: Parent
        /// The number of the first leaf under this process.
        let number: Int
        /// How many leaves there are under it; 1 for a leaf.
        let size: Int
    }

    enum Cast: Sendable {
        case start(own: ServerRef<AsyncSkynet>)
        case sum(Int)
    }

    private let argument: Argument
    private var sum = 0
    private var childrenLeft = 10

    init(_ argument: Argument, process: ServerProcess) async {
        self.argument = argument
    }

    mutating func handleCast(_ message: Cast, process: ServerProcess) async throws {
        switch message {
        case .start(let own):
            if argument.size == 1 { try finish(argument.number, process) }
            let size = argument.size / 10
            for index in 0..<10 {
                let child = try await process.spawn(
                    AsyncSkynet.self,
                    Argument(
                        parent: .node(own), number: argument.number + index * size, size: size))
                try child.cast(.start(own: child))
            }
        case .sum(let part):
            sum += part
            childrenLeft -= 1
            if childrenLeft == 0 { try finish(sum, process) }
        }
    }

    /// Sends the sum up and ends.
    private func finish(_ sum: Int, _ process: ServerProcess) throws -> Never {
        switch argument.parent {
        case .driver(let pid): try process.send(sum, to: pid)
        case .node(let parent): try parent.cast(.sum(sum))
        }
        throw ExitReason.normal
    }
}

extension Process {
    /// The same as a closure.
    fileprivate func runSkynet(parent: Pid, number: Int, size: Int) async throws {
        guard size > 1 else { return try send(number, to: parent) }
        let own = pid
        let part = size / 10
        for index in 0..<10 {
            try spawn {
                try await $0.runSkynet(parent: own, number: number + index * part, size: part)
            }
        }
        var sum = 0
        for _ in 0..<10 { sum += try await receive(Int.self) }
        try send(sum, to: parent)
    }
}
