//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import Troupe

@Suite("Durations in nanoseconds")
struct DurationTests {
    @Test(
        "rounded down, not negative, and no more than 64 bits can say",
        arguments: [
            (.zero, 0), (.nanoseconds(-1), 0), (.seconds(Int64.min), 0), (.nanoseconds(1), 1),
            (Duration(secondsComponent: 0, attosecondsComponent: 999_999_999), 0),
            (Duration(secondsComponent: 0, attosecondsComponent: 1_999_999_999), 1),
            // Where the attoseconds take more than 64 bits.
            (
                Duration(
                    secondsComponent: 18, attosecondsComponent: 446_744_073_709_551_615),
                18_446_744_073
            ),
            (
                Duration(
                    secondsComponent: 18, attosecondsComponent: 446_744_074_000_000_000),
                18_446_744_074
            ),
            (.seconds(18_446_744_073), 18_446_744_073_000_000_000),
            (.seconds(18_446_744_074), .max), (.seconds(Int64.max), .max),
            (.seconds(Int64.max) + .seconds(Int64.max), .max),
        ] as [(Duration, UInt64)])
    func nanoseconds(duration: Duration, expected: UInt64) {
        #expect(duration.clampedNanoseconds == expected)
    }
}
