//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// What the figures were measured on.
enum Machine {
    /// The processor, the system, and the version of Swift where `swift` is found.
    static var lines: [String] {
        let info = ProcessInfo.processInfo
        var lines = [
            "Processor: \(processor), \(info.activeProcessorCount) cores",
            "System: \(info.operatingSystemVersionString)",
        ]
        if let swift = Subprocess.find("swift"),
            let result = try? Subprocess.run(swift, ["--version"]),
            let version = result.output.split(separator: "\n").first
        {
            lines.append("Swift: \(version)")
        }
        return lines
    }

    /// The release of Erlang/OTP that `erl` belongs to.
    static func erlangLine(_ erl: String) -> String {
        let code = "io:put_chars(erlang:system_info(otp_release)), halt()."
        let result = try? Subprocess.run(erl, ["-noshell", "-eval", code])
        return "Erlang/OTP: \(result?.output ?? "unknown")"
    }

    private static var processor: String {
        if let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) {
            let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
            if let name = line?.split(separator: ":").last {
                return name.trimmingCharacters(in: .whitespaces)
            }
        }
        let result = try? Subprocess.run("/usr/sbin/sysctl", ["-n", "machdep.cpu.brand_string"])
        let name = result?.output.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
        return name.isEmpty ? "unknown" : name
    }
}
