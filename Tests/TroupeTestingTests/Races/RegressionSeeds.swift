//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A program that is simulated with many seeds, as ``RegressionSeed`` names it.
enum SimulatedProgram: Sendable {
    case demonitor, unlink, unlinkUntrapped, linkToDying, relink
    case severalCauses, orphans, childKilledInInit, starterKilledInInit
    case nameAtEnd, twoTakers, namedRestart
    case lateReply, exitDuringCall, callerDies, killOfFull, killOfSuspended
    case endWhileStarting, killWhileStarting, naughtyChildren, failingLoop, significantTogether
    case applications
    case signalModel, signalBooks, supervisorChaos
}

/// A seed that has found something once. The test of its program begins with it.
struct RegressionSeed: Sendable {
    let program: SimulatedProgram
    let seed: UInt64
    let way: SimulatedWay
    /// What it has found.
    let found: String

    /// All of them, the oldest first.
    static let all: [RegressionSeed] = [
        RegressionSeed(
            program: .supervisorChaos, seed: 2, way: .random,
            found:
                "a supervisor whose children have their names taken tries for ever at one instant"),
        RegressionSeed(
            program: .supervisorChaos, seed: 14, way: .random,
            found: "the children of a supervisor that was killed outlive the start that failed"),
    ]
}
