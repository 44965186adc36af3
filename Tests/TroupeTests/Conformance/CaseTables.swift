//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The behaviours of OTP, and of the systems that it is compared with, that this library answers
/// for: an area and a number each. The tests carry them at the beginning of their names; what has no
/// test is listed here, with the reason.
enum CaseTables {
    /// All cases, by area. The numbers have gaps.
    static let all: [(area: String, numbers: [ClosedRange<Int>])] = [
        ("EXIT", [1...18, 21...34]),
        ("LINK", [1...3, 5...23, 25...29, 31...33]),
        ("MON", [1...5, 7...15, 17...28, 30...36]),
        ("ALIAS", [1...16]),
        ("REG", [1...14, 16...21, 23...23]),
        ("MBOX", [1...5, 7...8, 10...18, 20...25]),
        ("SPAWN", [1...3, 5...18]),
        ("ENV", [1...8]),
        ("TIMER", [1...10, 12...12, 14...19]),
        ("PLIB", [1...12]),
        ("GS", [1...16, 18...29, 31...32, 34...52]),
        ("SYS", [1...20]),
        ("TASK", [1...24]),
        ("AGT", [1...8]),
        ("PG", [1...18]),
        ("KREG", [1...16]),
        ("APP", [1...5, 7...23, 25...25]),
        ("SUP", [1...13, 15...23, 26...33, 35...56, 58...61, 63...63]),
        ("DSUP", [1...11, 13...15, 17...19]),
        ("RACE", [1...4, 6...8, 10...10, 12...13, 15...15, 17...18, 20...20, 22...23, 25...25]),
    ]

    /// What Swift's types make impossible.
    static let impossible: [String: String] = [
        "EXIT-06": "a process runs a closure or a server; neither can be missing when it runs",
        "EXIT-22": "`exit` takes a `Pid`",
        "EXIT-24": "`setTrapsExits` takes a `Bool`",
        "LINK-28": "`link` takes a `Pid`, no name",
        "MON-11": "`demonitor` takes a `MonitorRef`",
        "MON-17": "`demonitor` has no options",
        "MON-27": "`monitor` takes a `Pid` or a name, and there is one kind of monitor",
        "ALIAS-13": "the mode of an alias is an enum",
        "ALIAS-14": "an alias can be sent to, and nothing else",
        "REG-18": "the runtime registers the name before `init`; there is no loop to enter",
        "MBOX-17": "messages are `Sendable`: what the sender changes later is its own",
        "TIMER-05": "a `TimerRef` comes from a timer that was started",
        "SPAWN-16": "an application is no server, so `spawn` does not take it",
        "PLIB-05": "monitoring is not an option but a method, which returns the reference",
        "PG-10": "a scope is no process: it runs as long as its node does",
        "PG-18": "a scope is no process: nothing can be sent to it",
        "KREG-08": "a registry is no process: there is nothing to link with",
        "KREG-16": "a registry is a value that is there, not a name",
        "SUP-02": "a supervisor is started with a value; there is no callback that could ignore it",
        "DSUP-03": "the children are described by one closure",
        "DSUP-08": "the children have no ids: what is done to one takes a `Pid`",
        "GS-04": "`init` makes the state or throws",
        "GS-07": "a server without `init` does not compile",
        "GS-19": "what a handler may answer is the enum `CallResult`",
        "GS-20": "a server with a `Call` and without `handleCall` does not compile",
        "GS-25": "a server with a `Cast` and without `handleCast` does not compile",
    ]

    /// What takes another node. There is no distribution yet, so there is nothing to run these
    /// against; a pid, a name or an alias of another node is unreachable, which is tested.
    static let needsAnotherNode: [String: String] = [
        "LINK-18": "a dead process of a connected node",
        "LINK-19": "a connection that drops",
        "LINK-20": "a proxy node",
        "MON-24": "a proxy node",
        "MON-32": "monitors of nodes",
        "MON-33": "monitors of nodes",
        "MON-34": "monitors of nodes",
        "MON-35": "a proxy node",
        "MON-36": "a node that is lost while a process of it dies",
        "ALIAS-15": "a connection that drops",
        "PG-09": "a scope that is started again gets back the members of other nodes",
        "PG-11": "a net that splits",
        "PG-12": "a node that goes down",
        "PLIB-12": "a name on a node that is down",
        "GS-18": "a server on a node that is down",
        "TASK-06": "a node that is lost while a task on it runs",
    ]

    /// What comes with parts of the library that are not there yet.
    static let later: [String: String] = [:]

    /// What the library leaves out; the documentation for those who come from Erlang says so.
    static let leftOut: [String: String] = [
        "EXIT-34": "no memory ceiling: Swift does not know what memory a process holds",
        "MBOX-23": "no priority messages",
        "MBOX-24": "no priority messages",
        "MBOX-25": "one way to keep a mailbox, and no garbage collection",
        "SPAWN-09": "no spawn request: a spawn does not wait, and a task can wait for an `init`",
        "SPAWN-10": "no spawn request",
        "SPAWN-11": "no spawn request",
        "SPAWN-12": "no spawn request",
        "SPAWN-13": "no spawn request",
        "SPAWN-14": "no spawn request",
        "TIMER-07": "cancelling a timer never waits, so there is no asynchronous form",
        "TIMER-19": "time goes on while a server is suspended",
        "GS-37": "no hibernation: an idle server is small",
        "SYS-10": "`trace` prints to whatever the caller gives, a file too",
        "SYS-15": "no code change while running",
        "AGT-06": "no code change while running",
    ]
}
