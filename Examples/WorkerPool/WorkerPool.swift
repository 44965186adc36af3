//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

// A parent that gives each of five workers a job, monitors them, and collects what they return. One
// worker has bad luck; its job is given to another.
import Troupe

struct BadLuck: Error {}

/// Adds up the numbers of one job. A worker is a closure: it has a beginning, an end and a result.
@Sendable
func work(_ job: Int, attempt: Int) async throws -> Int {
    if job == 3, attempt == 1 { throw BadLuck() }
    return (job * 1000..<(job + 1) * 1000).reduce(0, +)
}

@main
enum Main {
    static func main() async throws {
        // The parent says who failed; the crash report would only repeat it.
        let node = try Node(name: "pool", options: .init(events: NoEvents()))
        let parent = try node.spawn { process in
            // A DOWN carries the worker's result, or the reason why there is none.
            let events = process.listenForEvents()
            var running: [MonitorRef: (job: Int, attempt: Int)] = [:]
            func start(_ job: Int, attempt: Int) throws {
                let (_, ref) = try process.spawnMonitored { _ in
                    try await work(job, attempt: attempt)
                }
                running[ref] = (job, attempt)
            }
            for job in 0..<5 { try start(job, attempt: 1) }

            var results: [Int: Int] = [:]
            while !running.isEmpty, case .down(let down)? = try await events.receive() {
                guard let (job, attempt) = running.removeValue(forKey: down.ref) else { continue }
                if let result = down.result as? Int {
                    results[job] = result
                } else {
                    print("job \(job) failed: \(down.reason); another worker takes it")
                    try start(job, attempt: attempt + 1)
                }
            }
            return results
        }
        let results = try await parent.value
        for (job, result) in results.sorted(by: { $0.key < $1.key }) {
            print("job \(job): \(result)")
        }
        print("together: \(results.values.reduce(0, +))")
        await node.stop()
    }
}
