//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// How often each time was measured, to about 6 %: the buckets grow with the times.
struct Histogram {
    /// Each power of two has that many buckets; below it, each number has one.
    private static let bucketsPerOctave: UInt64 = 16

    private var counts = [Int](repeating: 0, count: 61 * Int(bucketsPerOctave))
    private(set) var count = 0

    mutating func record(nanoseconds: UInt64) {
        counts[Self.bucket(of: nanoseconds)] += 1
        count += 1
    }

    static func += (left: inout Histogram, right: Histogram) {
        for bucket in left.counts.indices { left.counts[bucket] += right.counts[bucket] }
        left.count += right.count
    }

    /// The time in nanoseconds that this part of the measurements does not exceed; rounded up to the
    /// end of its bucket, 0 without measurements.
    func nanoseconds(atPart part: Double) -> Double {
        let rank = max(1, Int((part * Double(count)).rounded(.up)))
        var seen = 0
        for (bucket, count) in counts.enumerated() {
            seen += count
            if seen >= rank { return Double(Self.end(of: bucket)) }
        }
        return 0
    }

    /// A line per power of two: from where to where, a bar, and the part of all in per cent.
    var bars: String {
        let size = Int(Self.bucketsPerOctave)
        let octaves = stride(from: 0, to: counts.count, by: size).map { start in
            (start: start, count: counts[start..<start + size].reduce(0, +))
        }
        guard let first = octaves.firstIndex(where: { $0.count > 0 }),
            let last = octaves.lastIndex(where: { $0.count > 0 }),
            let most = octaves.map(\.count).max()
        else { return "nothing was measured" }
        let lines = octaves[first...last].map { octave in
            let end = Self.text(nanoseconds: Self.end(of: octave.start + size - 1) + 1)
            let length = (octave.count * 50 + most - 1) / most
            let bar = String(repeating: "#", count: length).padding(
                toLength: 50, withPad: " ", startingAt: 0)
            let part = String(format: "%7.3f", 100 * Double(octave.count) / Double(count))
            return "  below \(end)  \(bar) \(part) %"
        }
        return lines.joined(separator: "\n")
    }

    private static func text(nanoseconds: UInt64) -> String {
        let value = Double(nanoseconds)
        return if value < 1e3 {
            String(format: "%5.0f ns", value)
        } else if value < 1e6 {
            String(format: "%5.1f us", value / 1e3)
        } else {
            String(format: "%5.1f ms", value / 1e6)
        }
    }

    private static func bucket(of value: UInt64) -> Int {
        guard value >= bucketsPerOctave else { return Int(value) }
        let octave = UInt64(60 - value.leadingZeroBitCount)
        return Int(octave * bucketsPerOctave + value >> (octave - 1))
            - Int(bucketsPerOctave)
    }

    /// The greatest value of a bucket.
    private static func end(of bucket: Int) -> UInt64 {
        let (octave, place) = UInt64(bucket).quotientAndRemainder(dividingBy: bucketsPerOctave)
        guard octave > 0 else { return place }
        return (bucketsPerOctave + place + 1) << (octave - 1) - 1
    }
}
