//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// Who dies, who is told, who survives: links, monitors and trapped exits as a story.
import Troupe

struct Accident: Error {}

@main
enum Main {
    static func main() async throws {
        // The story prints what happens; the crash reports would only repeat it.
        let node = try Node(name: "links", options: .init(events: NoEvents()))

        print("1. Two linked processes: one crashes, the other dies with it.")
        let partner = try node.spawn { process in
            try process.spawnLinked { _ in throw Accident() }
            while true { _ = try await process.receive() }
        }
        print("   the partner ended with:", try await partner.exitReason)

        print("2. A partner that traps exits is told instead, and survives.")
        let survivor = try node.spawn(options: .init(trapsExits: true)) { process in
            let child = try process.spawnLinked { _ in throw Accident() }
            guard let exit = try await process.receive() as? MessageExit else { return "?" }
            return "heard that \(exit.from == child.pid ? "its child" : "?") ended: \(exit.reason)"
        }
        print("   the survivor", try await survivor.value)

        print("3. A normal end kills nobody.")
        let calm = try node.spawn { process in
            let child = try process.spawnLinked { _ in "done" }
            let result = try await child.value
            return "its child said \"\(result)\", and it lives on"
        }
        print("   the parent:", try await calm.value)

        print("4. A monitor looks on from outside; it is told, and nothing happens to it.")
        let watcher = try node.spawn { process in
            let (_, ref) = try process.spawnMonitored { child in
                endYourself(child)
                _ = try await child.receive()
            }
            guard let down = try await process.receive() as? MessageDown, down.ref == ref else {
                return "?"
            }
            return "saw its child end: \(down.reason)"
        }
        print("   the watcher", try await watcher.value)

        print("5. A kill cannot be trapped; those who are linked are told `killed`.")
        let widow = try node.spawn(options: .init(trapsExits: true)) { process in
            let tough = try process.spawnLinked(options: .init(trapsExits: true)) { tough in
                while true { _ = try await tough.receive() }
            }
            process.exit(tough.pid, .kill)
            guard let exit = try await process.receive() as? MessageExit else { return "?" }
            return "\(exit.reason)"
        }
        print("   the reason that was told:", try await widow.value)

        print("6. A chain of a hundred: the last one crashes, all are gone.")
        let chain = try node.spawn { process in try await link(process, 99) }
        print("   the first of the chain ended with:", try await chain.exitReason)

        print("processes left:", node.count)
        await node.stop()
    }

    /// Tells a process to end itself.
    private static func endYourself(_ process: Process) {
        process.exit(process.pid, .shutdown("enough"))
    }

    /// A process that is linked with the next one of the chain.
    private static func link(_ process: Process, _ left: Int) async throws {
        if left == 0 { throw Accident() }
        try process.spawnLinked { try await link($0, left - 1) }
        while true { _ = try await process.receive() }
    }
}
