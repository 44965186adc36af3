//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A server that starts other processes and is responsible for them: as a child it is of type
/// `supervisor`.
protocol SupervisorBehaviour: ServerProtocol {
    /// The children, the newest first.
    var children: [ChildInfo] { get }
}

extension SupervisorBehaviour {
    /// What reads the children from the place where a process of this type has its state.
    static var childReader: @Sendable (UnsafeMutableRawPointer) -> [ChildInfo] {
        { state in state.assumingMemoryBound(to: Self?.self).pointee?.children ?? [] }
    }
}

extension Node {
    /// The children of a supervisor of any kind, of which only the pid is known, the newest first: so
    /// that a whole tree can be walked through. OTP: `supervisor:which_children/1`.
    ///
    /// - Parameters:
    ///   - supervisor: the pid, for example a ``ChildInfo/pid`` of a child of type `supervisor`.
    ///   - timeout: how long to wait at most.
    /// - Throws: ``SupervisorError`` — `.notSupervisor(_)` when the process is none of Troupe's
    ///   supervisors; `.call(_)` when it does not answer.
    public func whichChildren(
        of supervisor: Pid, timeout: Duration = .seconds(5)
    ) async throws(SupervisorError) -> [ChildInfo] {
        let cell: ProcessCell
        switch locate(supervisor) {
        case .process(let process): cell = process
        case .incarnation: throw .call(.incarnation(supervisor))
        case .unknown, .remote: throw .call(.noProcess(supervisor))
        }
        guard let read = cell.traits.childReader else { throw .notSupervisor(supervisor) }
        let reply = TypedReplyCell<[ChildInfo]>(callee: supervisor)
        let request = SystemRequest(.inspect { reply.complete(read($0)) }, reply: reply)
        do throws(CallError) {
            return try await cell.request(reply, timeout: timeout) { cell.put(request) }
        } catch { throw .call(error) }
    }
}
