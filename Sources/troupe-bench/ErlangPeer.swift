//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation

/// The Erlang twin: the same figures, written for Erlang/OTP, one virtual machine per sample.
struct ErlangPeer {
    /// The source calls itself that; `peer` is a module of OTP.
    private static let module = "troupe_bench_peer"

    private let erlang: String
    private let folder: URL
    private let flags: [String]

    /// Finds Erlang and compiles the twin in a temporary folder.
    ///
    /// - Parameter threads: how many schedulers the virtual machine gets; nil for its default.
    init(threads: Int?) throws {
        guard let erlang = Subprocess.find("erl"), let compiler = Subprocess.find("erlc") else {
            throw PassError.erlangMissing
        }
        self.erlang = erlang
        self.folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("troupe-bench-\(UUID().uuidString)")
        // As many processes as the largest figure needs; the default is half of that.
        self.flags = ["+P", "2097152"] + (threads.map { ["+S", "\($0):\($0)"] } ?? [])
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let source = folder.appendingPathComponent("\(Self.module).erl")
        try Data(PackageResources.peer_erl).write(to: source)
        guard try Subprocess.run(compiler, ["-o", folder.path, source.path]).status == 0 else {
            removeFiles()
            throw PassError.erlangNotCompiled
        }
    }

    /// Which release this is.
    var versionLine: String { Machine.erlangLine(erlang) }

    /// Takes one sample in a fresh virtual machine.
    func sample(_ figure: Figure) throws -> Subprocess.Result {
        try Subprocess.run(
            erlang,
            ["-noshell"] + flags
                + ["-pa", folder.path, "-run", Self.module, "main", figure.name])
    }

    /// Removes what was compiled.
    func removeFiles() {
        try? FileManager.default.removeItem(at: folder)
    }
}
