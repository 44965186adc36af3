//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

@testable import Troupe

/// Runs `body` on so many threads of their own, and in so many tasks besides, all at the same time,
/// and waits until it has returned everywhere.
///
/// - Parameters:
///   - taskCount: the tasks have the threads of ``TestSlots/scheduler``.
///   - body: is given its number. Those of the threads come first.
func onThreads(
    _ threadCount: Int, tasks taskCount: Int = 0, _ body: @escaping @Sendable (Int) -> Void
) async {
    let (mayBegin, ended) = (Gate(), Log<Void>())
    for number in 0..<threadCount {
        Platform.startThread(name: "test-\(number)") {
            mayBegin.waitBlocking()
            body(number)
            ended.append(())
        }
    }
    for number in threadCount..<(threadCount + taskCount) {
        _ = Task(executorPreference: TestSlots.scheduler) {
            await mayBegin.wait()
            body(number)
            ended.append(())
        }
    }
    mayBegin.open()
    _ = await ended.wait(for: threadCount + taskCount)
}
